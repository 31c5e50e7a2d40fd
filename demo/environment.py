"""The environments of the demo: the same samples in a cluster, or from files without one."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any, Protocol, Self

import aiohttp
import yaml

from support.network import free_port
from support.processes import Child, ProcessError, ProcessGroup
from support.redis_server import RedisServer

ROOT = Path(__file__).parents[1]

SAMPLES = ROOT / "manifests" / "samples"

BACKEND = "shop-backend"
"""The Service in the samples."""

BACKEND_PORT = 80

READY_TIMEOUT = 180.0
"""Seconds for a process or an object to become ready. One or two are usual."""

_POLL_INTERVAL = 0.05


class Environment(Protocol):
    """A place where a server with the samples runs, and where its objects can be changed.

    Attributes:
        url: The MCP endpoint.
    """

    url: str

    async def describe_tool(self, name: str, description: str) -> None:
        """Change the description of the MCPTool of this name."""

    async def delete_tool(self, name: str) -> None:
        """Delete the MCPTool of this name."""


class Processes:
    """The demo's processes. On exit, they are stopped and their files are removed."""

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="mcp-operator-demo-"))
        self._group = ProcessGroup(self.directory)
        self._started = 0
        self.backend = f"127.0.0.1:{free_port()}"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await asyncio.to_thread(self._group.stop)

    def logs(self) -> str:
        """Return the logs of the processes."""
        return self._group.logs()

    def operator(self, *arguments: str) -> Child:
        """Start `mcp-operator`, with a log file in the demo's folder."""
        command = (sys.executable, "-m", "mcp_operator", *arguments)
        self._started += 1
        return self._group.start(f"{arguments[0]}-{self._started}", command, env=os.environ)

    def redis(self) -> RedisServer:
        """Return a Redis that is not started yet."""
        return RedisServer(self._group)

    async def start_backend(self) -> None:
        """Start the REST backend of the samples."""
        port = self.backend.rpartition(":")[2]
        module = "mcp_operator.local.demo_backend"
        child = self._group.start("backend", [sys.executable, "-m", module, "--port", port])
        await until_ok(child, f"http://{self.backend}/healthz")


async def until_ok(child: Child, url: str) -> None:
    """Wait until a URL returns status 200.

    Raises:
        ProcessError: The process ended, or it took too long.
    """

    async def answers(session: aiohttp.ClientSession) -> bool:
        child.check()
        try:
            async with session.get(url) as response:
                return response.status == HTTPStatus.OK
        except aiohttp.ClientError:
            return False

    async with aiohttp.ClientSession() as session:
        if not await until(lambda: answers(session)):
            raise ProcessError(f"{child.name} was not ready in {READY_TIMEOUT:g} s")


async def until(condition: Callable[[], Awaitable[bool]]) -> bool:
    """Poll a condition; tell whether it became true in time."""
    deadline = time.monotonic() + READY_TIMEOUT
    while not await condition():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(_POLL_INTERVAL)
    return True


class FileEnvironment:
    """`mcp-operator serve` on a copy of the samples."""

    def __init__(self, processes: Processes) -> None:
        self._processes = processes
        self._folder = processes.directory / "samples"
        self.url = ""

    async def start(self) -> None:
        """Copy the samples and serve the copy."""
        shutil.copytree(SAMPLES, self._folder)
        await self._processes.start_backend()
        port, management = free_port(), free_port()
        child = self._processes.operator(
            "serve",
            str(self._folder),
            f"--port={port}",
            f"--management-port={management}",
            f"--service={BACKEND}:{BACKEND_PORT}={self._processes.backend}",
        )
        await until_ok(child, f"http://127.0.0.1:{management}/readyz")
        self.url = f"http://127.0.0.1:{port}/mcp"

    async def describe_tool(self, name: str, description: str) -> None:
        """Edit the file of the tool."""

        def edit(tools: list[dict[str, Any]]) -> list[dict[str, Any]]:
            for tool in tools:
                if tool["metadata"]["name"] == name:
                    tool["spec"]["description"] = description
            return tools

        await asyncio.to_thread(self._rewrite, edit)

    async def delete_tool(self, name: str) -> None:
        """Delete the object from the file."""
        await asyncio.to_thread(
            self._rewrite,
            lambda tools: [tool for tool in tools if tool["metadata"]["name"] != name],
        )

    def _rewrite(self, edit: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> None:
        path = self._folder / "tools.yaml"
        tools = edit(list(yaml.safe_load_all(path.read_text(encoding="utf-8"))))
        partial = path.with_suffix(".partial")
        partial.write_text(yaml.safe_dump_all(tools), encoding="utf-8")
        partial.rename(path)
