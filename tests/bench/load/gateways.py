"""Gateway processes under load, with a minimal API server."""

from __future__ import annotations

import asyncio
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import aiohttp

from bench.load.api import Api
from bench.load.client import LOCAL
from mcp_operator.api.catalog import Catalog
from support.entries import backend, catalog, tool
from support.network import free_port
from support.processes import Child, ProcessGroup
from support.published import INDEX
from support.waiting import HANG_SECONDS, eventually

_HERE = Path(__file__).parent

MEMORY_MB: Final = 1024 * 1.048576
"""The default limit of a gateway's pod, 1Gi."""

TOOLS: Final = ("call-a", "call-b", "call-c")
"""Tools of one Service each, so that the limit of the whole server is reached first."""

_TEXT = {"type": "object", "properties": {"text": {"type": "string"}}}


def tools(*more: str, **settings: int) -> Catalog:
    """Return a catalog with the tools, additional ones, and settings of the server."""
    return catalog(
        *(tool(name, to=backend(host=f"{name}.demo.svc"), input_schema=_TEXT) for name in TOOLS),
        *(tool(name, description=name) for name in more),
        **settings,
    )


class Gateway:
    """One gateway process.

    Attributes:
        child: The process.
        port: The MCP port.
    """

    def __init__(self, child: Child, port: int, management: int, answer: Path) -> None:
        self.child, self.port = child, port
        self._management, self._answer = management, answer
        self.rss_mb = 0.0
        """The most that was seen."""

    async def management(self, path: str) -> str:
        """Return the response of the management port.

        Raises:
            aiohttp.ClientError: There is no response, or it is an error.
        """
        url = f"http://{LOCAL}:{self._management}{path}"
        async with (
            aiohttp.ClientSession(raise_for_status=True) as session,
            session.get(url) as answer,
        ):
            return await answer.text()

    async def is_ready(self) -> bool:
        self.child.check()
        try:
            await self.management("/readyz")
        except aiohttp.ClientError:
            return False
        return True

    def descriptors(self) -> int:
        """The number of open files and sockets; Linux only."""
        return sum(1 for _ in Path(f"/proc/{self.child.process.pid}/fd").iterdir())

    async def tasks(self) -> int:
        """The number of tasks of the event loop."""
        self._answer.unlink(missing_ok=True)
        self.child.process.send_signal(signal.SIGUSR1)

        async def answered() -> bool:
            return self._answer.exists()

        await eventually(answered, expected=True)
        return int(self._answer.read_text(encoding="utf-8"))

    async def watch_memory(self) -> None:
        """Record the maximum memory until cancelled."""
        while True:
            self.rss_mb = max(self.rss_mb, self.child.rss_mb())
            await asyncio.sleep(0.1)


class Cluster:
    """The environment of gateways.

    Attributes:
        api: The API server.
        processes: All processes.
    """

    def __init__(self, api: Api, processes: ProcessGroup, backend_port: int) -> None:
        self.api, self.processes = api, processes
        self._backend_port = backend_port
        self._started = 0

    async def gateway(self) -> Gateway:
        """Start a gateway, and wait until it is ready."""
        self._started += 1
        port, management = free_port(), free_port()
        folder = self.processes.directory
        answer = folder / f"tasks-{self._started}"
        command = [
            *(sys.executable, str(_HERE / "watched.py"), str(answer), "gateway"),
            *(f"--namespace={INDEX.namespace}", "--server=shop", f"--bind-address={LOCAL}"),
            *(f"--port={port}", f"--management-port={management}"),
            f"--kubeconfig={folder / 'kubeconfig'}",
            *(f"--service=demo/{name}:80={LOCAL}:{self._backend_port}" for name in TOOLS),
        ]
        child = self.processes.start(f"gateway-{self._started}", command)
        gateway = Gateway(child, port, management, answer)
        await eventually(gateway.is_ready, expected=True)
        return gateway


@asynccontextmanager
async def cluster(content: Catalog, *, seconds: float = 0.0) -> AsyncIterator[Cluster]:
    """Run an API server with a catalog, and a backend that takes some seconds per response."""
    processes = ProcessGroup(Path(tempfile.mkdtemp(prefix="mcp-operator-load-")))
    api, port = Api(), free_port()
    try:
        await api.start(processes.directory / "kubeconfig")
        api.publish(content)
        command = [sys.executable, str(_HERE / "backend.py"), str(port), str(seconds)]
        processes.start("backend", command)
        yield Cluster(api, processes, port)
    finally:
        await asyncio.to_thread(processes.stop, HANG_SECONDS)
        await api.stop()
