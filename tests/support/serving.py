"""`mcp-operator serve` in this process, which a signal stops."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from mcp_operator.app.serve import run_serve
from mcp_operator.settings import ServeSettings
from support.waiting import eventually, hang_guard


def settings(folder: Path, **given: Any) -> ServeSettings:
    return ServeSettings.model_validate({"paths": [folder], **given})


def write(folder: Path, *documents: str) -> Path:
    (folder / "shop.yaml").write_text("".join(documents))
    return folder


@asynccontextmanager
async def serving(chosen: ServeSettings) -> AsyncIterator[str]:
    """Run the command; yield the URL of the endpoint; stop it with SIGINT or SIGTERM."""
    task = asyncio.create_task(run_serve(chosen))

    async def listens() -> bool:
        assert not task.done(), task.result()
        return _listening(chosen.port)

    await eventually(listens, expected=True)
    yield f"http://127.0.0.1:{chosen.port}/mcp"
    signal.raise_signal(signal.SIGINT)
    async with hang_guard():
        await task


def _listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
