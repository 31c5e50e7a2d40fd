"""Gateways that use a shared Redis for everything, and count the requests of calls to it."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any, Final, cast

import aiohttp
from prometheus_client import CollectorRegistry

from mcp_operator.api.caching import CachePolicy, ServerCache
from mcp_operator.api.catalog import JsonObject, Redis, TaskPolicy
from mcp_operator.api.limits import RateLimit, RateLimits
from mcp_operator.gateway.app import GatewayAddress, GatewayApp
from mcp_operator.gateway.contract import Call, Job, ToolResult
from mcp_operator.gateway.protocol.message import HttpRequest
from mcp_operator.gateway.redis.dial import Dialer, Streams, Tls
from mcp_operator.gateway.redis.server import RedisOfServer
from mcp_operator.gateway.root_key import RootKey
from mcp_operator.gateway.table import Current, Table
from support.entries import resource, tool
from support.fake_executor import FakeExecutor, text_result
from support.mcp_http import legacy, message_of, modern, of_session, table
from support.redis_links import Values
from support.running_gateway import Running
from support.waiting import eventually

README: Final = "file:///readme"

LINK: Final = "Redis"
"""The name of the asyncio task that connects, and checks whether Redis is available."""

_MANY: Final = RateLimit(requests=1_000_000, seconds=60, burst=1_000_000)


def served(settings: Redis, text: str = "Old.", *more: str) -> Table:
    """Return the table of a server that uses Redis for everything."""
    return table(
        tool("add"),
        tool("find", cache=CachePolicy(ttl_seconds=3600)),
        tool("report", task=TaskPolicy(mode="Auto", poll_seconds=1)),
        tool("build", task=TaskPolicy(mode="Always", poll_seconds=1)),
        *(tool(each) for each in more),
        resource("readme", uri=README, text=text),
        redis=settings,
        cache=ServerCache(in_redis=True),
        rate_limits=RateLimits(shared=_MANY, per_client=_MANY),
        drain_timeout_seconds=0.5,
    )


class CountingDialer(Dialer):
    """Counts the requests of calls to Redis, without those of the link itself.

    Attributes:
        asked: The number of connections and commands.
    """

    def __init__(self) -> None:
        super().__init__({}, loopback=True)
        self.asked = 0

    async def open(self, host: str, port: int, tls: Tls | None) -> Streams:
        self.count()
        reader, writer = await super().open(host, port, tls)
        return reader, cast("asyncio.StreamWriter", _CountedWriter(writer, self.count))

    def count(self) -> None:
        task = asyncio.current_task()
        if task is None or task.get_name() != LINK:
            self.asked += 1


class _CountedWriter:
    def __init__(self, writer: asyncio.StreamWriter, count: Callable[[], None]) -> None:
        self._writer, self._count = writer, count

    def writelines(self, data: list[bytes]) -> None:
        self._count()
        self._writer.writelines(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._writer, name)


class Replica(Running):
    """One of the gateways.

    Attributes:
        dialer: Connects to Redis.
        redis: Provides the link.
    """

    def __init__(self, root: RootKey, settings: Redis, values: Values) -> None:
        self.settings = settings
        self.dialer = CountingDialer()
        current, executor, registry = Current(), FakeExecutor(), CollectorRegistry()
        current.swap(served(settings))
        self.redis = RedisOfServer(current, self.dialer, values, registry)
        address = GatewayAddress(port=0, management_port=0)
        app = GatewayApp(
            current, executor, address=address, registry=registry, root=root, redis=self.redis
        )
        super().__init__(app, current, executor)
        executor.results["report"], executor.looks = _report, [text_result("done")]

    async def is_up(self) -> bool:
        """Return whether Redis is available."""
        return self.redis.link is not None and self.redis.link.is_up

    async def ask(self, request: HttpRequest) -> tuple[int, JsonObject]:
        """Send a request; return the status and the response, which is empty without a body."""
        async with self.send(request) as answer:
            body = await answer.read()
            return answer.status, json.loads(body) if body else {}

    async def knows(self, session: str) -> bool:
        """Return whether a session is known."""
        status, _ = await self.ask(legacy("ping", mcp_session_id=session))
        assert status in (200, 404)
        return status == 200

    async def end(self, session: str) -> None:
        """Delete a session."""
        assert await self.ask(of_session("DELETE", session)) == (204, {})

    async def subscribe(self, session: str) -> None:
        """Subscribe a session to the resource."""
        request = legacy("resources/subscribe", {"uri": README}, mcp_session_id=session)
        status, answer = await self.ask(request)
        assert (status, answer.get("result")) == (200, {})

    async def tells(self, session: str) -> bool:
        """Return whether a stream that a session opens here sends a change of the resource."""
        number = next(_NUMBERS)
        async with self.send(of_session("GET", session)) as stream:
            self.current.swap(served(self.settings, f"Text {number}."))
            self.current.swap(served(self.settings, f"Text {number}.", f"tool-{number}"))
            told = set[str]()
            while "notifications/tools/list_changed" not in told:
                frame = await stream.content.readuntil(b"\n\n")
                if not frame.startswith(b":"):
                    told.add(message_of(frame)["method"])
        return "notifications/resources/updated" in told


async def _report(call: Call) -> ToolResult | Job:
    """Accept a call as a job if its client supports tasks."""
    return Job("/jobs/7", 0.05) if call.takes_jobs else text_result("done")


_NUMBERS: Final = itertools.count(1)


@asynccontextmanager
async def replicas(settings: Redis, values: Values) -> AsyncIterator[tuple[Replica, Replica]]:
    """Run two gateways of one server that are connected to Redis until the block ends."""
    root = RootKey(b"k" * 32)
    async with AsyncExitStack() as stack:
        found = [Replica(root, settings, values) for _ in range(2)]
        for each in found:
            await each.app.start()
            stack.push_async_callback(each.app.stop)
            stack.push_async_callback(each.client.close)
        for each in found:
            await eventually(each.is_up, expected=True)
        yield found[0], found[1]


class Traffic:
    """Clients without sessions, and the outcomes of their calls.

    Attributes:
        answered: The number of calls with the correct response.
        failed: A message for each other call.
    """

    def __init__(self, *to: Replica) -> None:
        self.answered = 0
        self.failed: list[str] = []
        self._replicas = itertools.cycle(to)

    async def more(self, count: int = 40) -> None:
        """Wait until some more calls have been made."""
        enough = self.answered + len(self.failed) + count

        async def made() -> bool:
            return self.answered + len(self.failed) >= enough

        await eventually(made, expected=True)

    async def run(self) -> None:
        """Call the replicas in turn until cancelled."""
        for number in itertools.count():
            for request in _requests(number):
                await self._call(next(self._replicas), request)
                await asyncio.sleep(_PAUSE_SECONDS)

    async def _call(self, replica: Replica, request: HttpRequest) -> None:
        method = request.headers["mcp-method"]
        try:
            status, answer = await replica.ask(request)
        except (aiohttp.ClientError, TimeoutError) as error:
            self.failed.append(f"{method}: {error!r}")
            return
        result = answer.get("result", {"isError": True})
        if status != 200 or result.get("isError"):
            self.failed.append(f"{method}: {status} {answer}")
        else:
            self.answered += 1


_PAUSE_SECONDS: Final = 0.005


def _requests(number: int) -> list[HttpRequest]:
    return [
        modern("tools/call", {"name": "add"}),
        modern("tools/call", {"name": "find", "arguments": {"number": number}}),
        modern("tools/call", {"name": "report"}),
        modern("resources/read", {"uri": README}),
        modern("tools/list"),
    ]


@asynccontextmanager
async def traffic(*to: Replica) -> AsyncIterator[Traffic]:
    """Run clients that send calls until the block ends."""
    met = Traffic(*to)
    running = [asyncio.create_task(met.run()) for _ in range(2)]
    try:
        yield met
    finally:
        for each in running:
            each.cancel()
        for each in running:
            with suppress(asyncio.CancelledError):
                await each


class Work:
    """The work of the tool `build`, which ends when the test says so."""

    def __init__(self, *by: Replica) -> None:
        self.began, self.ends = asyncio.Event(), asyncio.Event()
        for each in by:
            each.executor.results["build"] = self._do

    async def _do(self, _: Call) -> ToolResult:
        self.began.set()
        await self.ends.wait()
        return text_result("built")
