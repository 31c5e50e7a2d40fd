"""Clients of a gateway, and the outcomes of their calls."""

from __future__ import annotations

import asyncio
import math
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from support.mcp_http import modern

LOCAL: Final = "127.0.0.1"

SHED: Final = (429, 503)
"""The statuses of requests that are refused because of the load."""

BUSY: Final = b"The backend is busy"
"""The text in the result of a call that is refused because its backend is busy."""

CALL_SECONDS: Final = 60.0
"""A call that takes longer counts as hung."""


def message(method: str, **params: object) -> bytes:
    """Return a complete HTTP request of MCP 2026-07-28."""
    request = modern(method, dict(params))
    names = ("mcp-protocol-version", "mcp-method", "mcp-name", "content-type")
    lines = [f"{name}: {request.headers[name]}" for name in names if name in request.headers]
    head = "\r\n".join(
        ["POST /mcp HTTP/1.1", f"Host: {LOCAL}", *lines, f"Content-Length: {len(request.body)}"]
    )
    return f"{head}\r\n\r\n".encode() + request.body


def call(tool: str) -> bytes:
    """Return a call of a tool."""
    return message("tools/call", name=tool, arguments={"text": "hello"})


@dataclass
class Tally:
    """The outcomes of calls.

    Attributes:
        answered: The duration of each answered call in seconds.
        shed: The duration of each refusal of a call that can be retried.
        failed: Other outcomes, and how often they happened.
    """

    answered: list[float] = field(default_factory=list)
    shed: list[float] = field(default_factory=list)
    failed: Counter[str] = field(default_factory=Counter)

    @property
    def calls(self) -> int:
        """The number of calls."""
        return len(self.answered) + len(self.shed) + self.failures

    @property
    def failures(self) -> int:
        """The number of calls that were neither answered nor refused."""
        return self.failed.total()

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.answered + other.answered, self.shed + other.shed, self.failed + other.failed
        )


def percentile(seconds: list[float], share: float) -> float:
    """Return a percentile in milliseconds; NaN without values."""
    if not seconds:
        return math.nan
    ordered = sorted(seconds)
    return 1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))]


class Connection:
    """One connection, with one call after the other."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.closing = False

    @property
    def usable(self) -> bool:
        """Whether another call can be sent on it."""
        return not (self.closing or self._reader.at_eof() or self._writer.is_closing())

    async def exchange(self, request: bytes) -> tuple[int, bytes, bytes]:
        """Send a request; return the status, the head and the body of the response."""
        self._writer.write(request)
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        length = head.partition(b"content-length: ")[2].partition(b"\r\n")[0]
        body = await self._reader.readexactly(int(length or b"0"))
        self.closing = b"\r\nconnection: close" in head
        if self.closing:
            self.close()
        return int(head.split(maxsplit=2)[1]), head, body

    def close(self) -> None:
        self._writer.close()


class Clients:
    """Clients with one address, which keep their connections.

    Each call uses the connection that was idle for the longest time, as with many clients that
    each call occasionally. If none is idle, it opens a new one.
    """

    def __init__(self, port: Callable[[], int], address: str = LOCAL) -> None:
        """Set up.

        Args:
            port: The port of new connections.
            address: The local address that the gateway sees.
        """
        self._port, self._address = port, address
        self._idle: deque[Connection] = deque()
        self.tally = Tally()

    async def call(self, request: bytes) -> None:
        """Send a request, and record its outcome."""
        began = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(CALL_SECONDS):
                connection = await self._connection()
                status, head, body = await connection.exchange(request)
        except (OSError, EOFError, TimeoutError) as error:
            self.tally.failed[type(error).__name__] += 1
            return
        took = asyncio.get_running_loop().time() - began
        if connection.usable:
            self._idle.append(connection)
        if status == 200 and b'"error"' not in body and b'"isError":true' not in body:
            self.tally.answered.append(took)
        elif (status in SHED and b"\r\nretry-after: " in head) or BUSY in body:
            self.tally.shed.append(took)
        else:
            self.tally.failed[f"{status} {body[:200].decode(errors='replace')}"] += 1

    async def _connection(self) -> Connection:
        while self._idle:
            connection = self._idle.popleft()
            if connection.usable:
                return connection
            connection.close()
        local = (self._address, 0)
        return Connection(*await asyncio.open_connection(LOCAL, self._port(), local_addr=local))

    async def one_after_the_other(self, request: bytes, clients: int, seconds: float) -> None:
        """Run some clients that call without pauses."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds

        async def client() -> None:
            while loop.time() < end:
                await self.call(request)

        await asyncio.gather(*(client() for _ in range(clients)))

    async def at_a_rate(
        self, requests: list[bytes], rate: float, calls: int, at_once: int | None = None
    ) -> None:
        """Send calls and wait for all responses.

        Args:
            requests: The requests, which are sent in turn.
            rate: Calls per second.
            calls: The total number of calls.
            at_once: The maximum number of calls in flight, which can reduce the rate; None for no
                maximum.
        """
        loop = asyncio.get_running_loop()
        began, under_way = loop.time(), set[asyncio.Task[None]]()
        for number in range(calls):
            await asyncio.sleep(began + number / rate - loop.time())
            while at_once is not None and len(under_way) >= at_once:
                await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
            task = asyncio.create_task(self.call(requests[number % len(requests)]))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
        while under_way:
            await asyncio.wait(under_way)

    def leave(self) -> None:
        """Close all connections."""
        while self._idle:
            self._idle.pop().close()
