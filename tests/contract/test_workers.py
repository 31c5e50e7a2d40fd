"""Several worker processes that share one port: `serve --workers`."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from mcp import Client

from support.mcp_http import legacy, modern
from support.network import free_port
from support.processes import Child, ProcessGroup
from support.served_samples import MODULE
from support.waiting import HANG_SECONDS, eventually, hang_guard

WORKERS = 2

ORDERS = """\
apiVersion: mcp-operator.dev/v1alpha1
kind: MCPServer
metadata: {name: shop}
spec:
  toolSelector: {}
  config: {drainTimeout: 60s}
---
apiVersion: mcp-operator.dev/v1alpha1
kind: MCPTool
metadata: {name: orders}
spec:
  name: orders
  description: Lists orders.
  service: {name: orders, port: 80}
  method: GET
"""

CALL = modern("tools/call", {"name": "orders", "arguments": {}})


class Backend:
    """The Service `orders`.

    Attributes:
        came: Counts the calls that have arrived.
        answer: Set to let the calls be answered.
    """

    def __init__(self) -> None:
        self.came = asyncio.Semaphore(0)
        self.answer = asyncio.Event()
        self.answer.set()

    async def __call__(self, _: web.BaseRequest) -> web.Response:
        self.came.release()
        await self.answer.wait()
        return web.Response(text="two orders")


class Served:
    """Workers with a backend, and a client that opens a connection for each request."""

    def __init__(self, child: Child, port: int, management: int, backend: Backend) -> None:
        self.child, self.port, self.backend = child, port, backend
        self.url = f"http://127.0.0.1:{port}/mcp"
        self._management = f"http://127.0.0.1:{management}"

    async def get(self, path: str) -> tuple[int, str]:
        async with (
            aiohttp.ClientSession() as session,
            session.get(self._management + path) as answer,
        ):
            return answer.status, await answer.text()

    async def ready(self) -> bool:
        self.child.check()
        try:
            return (await self.get("/readyz"))[0] == 200
        except aiohttp.ClientError:
            return False

    async def post(self, request: Any = CALL, **headers: str) -> tuple[int, str]:
        given = {name: value for name, value in request.headers.items() if name != "host"}
        async with (
            aiohttp.ClientSession() as session,
            session.post(self.url, data=request.body, headers=given | headers) as answer,
        ):
            return answer.status, await answer.text()

    async def metric(self, name: str) -> float:
        _, text = await self.get("/metrics")
        values = [line.rpartition(" ")[2] for line in text.splitlines() if line.startswith(name)]
        return sum(map(float, values))

    def workers(self) -> list[int]:
        """Return the process ids of the running workers."""
        children = Path(f"/proc/{self.child.process.pid}/task").glob("*/children")
        return [int(each) for path in children for each in path.read_text().split()]


@asynccontextmanager
async def serving(processes: ProcessGroup, folder: Path) -> AsyncIterator[Served]:
    (folder / "shop.yaml").write_text(ORDERS)
    backend, port, management = Backend(), free_port(), free_port()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(asyncio.to_thread, processes.stop)
        runner = web.ServerRunner(web.Server(backend))
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        address = f"127.0.0.1:{runner.addresses[0][1]}"
        arguments = ("serve", folder / "shop.yaml", f"--service=orders={address}")
        ports = (f"--port={port}", f"--management-port={management}", f"--workers={WORKERS}")
        served = Served(
            processes.start("serve", [*MODULE, *arguments, *ports]), port, management, backend
        )
        await eventually(served.ready, expected=True)
        yield served
        backend.answer.set()


async def test_connections_are_spread_over_workers_and_their_metrics_are_summed(
    processes: ProcessGroup, tmp_path: Path
) -> None:
    async with serving(processes, tmp_path) as served:
        assert len(served.workers()) == WORKERS
        served.backend.answer.clear()
        calls = [asyncio.create_task(served.post()) for _ in range(20)]
        async with hang_guard():
            for _ in calls:
                await served.backend.came.acquire()

        # Each worker counts its own calls, so only the sum is 20.
        assert await served.metric("mcp_requests_in_flight ") == 20
        by_worker = Counter(len(_connections(pid, served.port)) > 0 for pid in served.workers())
        assert by_worker[True] == WORKERS, "one worker has all connections"
        served.backend.answer.set()
        assert {status for status, _ in await asyncio.gather(*calls)} == {200}
        assert await served.metric('mcp_tool_calls_total{outcome="ok",tool="orders"}') == 20
        assert await served.metric("mcp_workers ") == WORKERS


async def test_a_session_of_one_worker_is_valid_for_all(
    processes: ProcessGroup, tmp_path: Path
) -> None:
    async with serving(processes, tmp_path) as served:
        params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {}}
        request = legacy("initialize", params)
        given = {name: value for name, value in request.headers.items() if name != "host"}
        async with (
            aiohttp.ClientSession() as session,
            session.post(served.url, data=request.body, headers=given) as answer,
        ):
            own = {"mcp-session-id": answer.headers["mcp-session-id"]}
        own["mcp-protocol-version"] = "2025-11-25"
        answers = [await served.post(legacy("tools/list"), **own) for _ in range(20)]
        assert {status for status, _ in answers} == {200}

        async with Client(served.url) as client:
            assert "two orders" in str((await client.call_tool("orders", {})).content)


async def test_a_killed_worker_is_restarted_and_its_counters_are_kept(
    processes: ProcessGroup, tmp_path: Path
) -> None:
    async with serving(processes, tmp_path) as served:
        before = served.workers()
        for _ in range(10):
            assert (await served.post())[0] == 200
        assert await served.metric("mcp_tool_calls_total") == 10

        os.kill(before[0], signal.SIGKILL)
        await eventually(served.ready, expected=False)
        assert (await served.get("/livez"))[0] == 200
        await eventually(served.ready, expected=True)

        assert len(set(served.workers()) - set(before)) == 1
        assert await served.metric("mcp_worker_restarts_total") == 1
        assert await served.metric("mcp_tool_calls_total") == 10
        for _ in range(10):
            assert (await served.post())[0] == 200
        assert await served.metric("mcp_tool_calls_total") == 20


async def test_a_changed_catalog_is_confirmed_when_all_workers_serve_it(
    processes: ProcessGroup, tmp_path: Path
) -> None:
    async with serving(processes, tmp_path) as served:

        async def digest() -> str:
            reported: str = json.loads((await served.get("/catalog"))[1])["digest"]
            return reported

        before = await digest()
        changed = ORDERS.replace("Lists orders.", "Lists all orders.")
        (tmp_path / "shop.yaml").write_text(changed)

        async def confirmed() -> bool:
            return await digest() != before

        await eventually(confirmed, expected=True)
        answers = [await served.post(modern("tools/list")) for _ in range(20)]
        assert all("Lists all orders." in text for _, text in answers)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_after_a_signal_calls_in_progress_end_before_the_workers(
    processes: ProcessGroup, tmp_path: Path, number: signal.Signals
) -> None:
    async with serving(processes, tmp_path) as served:
        served.backend.answer.clear()
        calls = [asyncio.create_task(served.post()) for _ in range(8)]
        async with hang_guard():
            for _ in calls:
                await served.backend.came.acquire()
        served.child.process.send_signal(number)
        await eventually(served.ready, expected=False)
        assert "draining" in (await served.get("/readyz"))[1]
        served.backend.answer.set()

        assert {status for status, _ in await asyncio.gather(*calls)} == {200}
        assert await asyncio.to_thread(served.child.process.wait, HANG_SECONDS) == 0
        assert processes.logs().count("The gateway has stopped") == WORKERS
        assert "Traceback" not in processes.logs()


async def test_workers_exit_when_their_parent_is_killed(
    processes: ProcessGroup, tmp_path: Path
) -> None:
    async with serving(processes, tmp_path) as served:
        workers = served.workers()
        served.child.process.kill()

        async def alive() -> list[int]:
            return [pid for pid in workers if _is_alive(pid)]

        await eventually(alive, expected=[])


async def test_an_error_at_the_start_is_reported_once(
    processes: ProcessGroup, tmp_path: Path
) -> None:
    (tmp_path / "shop.yaml").write_text(ORDERS.replace("toolSelector", "toolSelektor"))
    port = free_port()
    arguments = ("serve", tmp_path / "shop.yaml", f"--port={port}", f"--workers={WORKERS}")
    child = processes.start("serve", [*MODULE, *arguments])
    assert await asyncio.to_thread(child.process.wait, HANG_SECONDS) == 1
    said = [line for line in child.tail().splitlines() if "toolSelektor" in line]
    assert len(said) == 1, child.tail()
    assert "Traceback" not in child.tail()


async def test_a_port_that_another_command_uses_is_refused(
    processes: ProcessGroup, tmp_path: Path
) -> None:
    async with serving(processes, tmp_path) as served:
        arguments = ("serve", tmp_path / "shop.yaml", f"--port={served.port}")
        for number, workers in enumerate(("--workers=1", f"--workers={WORKERS}")):
            second = processes.start(f"second-{number}", [*MODULE, *arguments, workers])
            assert await asyncio.to_thread(second.process.wait, HANG_SECONDS) == 1
            assert f"cannot listen on 127.0.0.1:{served.port}" in second.tail()


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _connections(pid: int, port: int) -> list[str]:
    """Return the connections to a port that a process has open."""
    held = set()
    for each in Path(f"/proc/{pid}/fd").iterdir():
        target = str(each.readlink())
        if target.startswith("socket:["):
            held.add(target.removeprefix("socket:[").removesuffix("]"))
    lines = Path("/proc/net/tcp").read_text(encoding="utf-8").splitlines()[1:]
    fields = [line.split() for line in lines]
    local = f":{port:04X}"
    return [
        each[9]
        for each in fields
        if each[1].endswith(local) and each[3] == "01" and each[9] in held
    ]
