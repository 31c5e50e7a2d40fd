"""A backend that misbehaves on purpose, over raw sockets on the loopback interface.

Each path has one misbehavior; the server responds to every other path correctly. It records what it
received, so that tests can check what was read, sent and closed.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

GIGABYTE = 1 << 30
_PIECE = b"x" * 65536


@dataclass
class HostileBackend:
    """What the server received, and how its connections ended."""

    port: int = 0
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0
    open_connections: int = 0
    sent: int = 0
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"


Behavior = Callable[[HostileBackend, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def _fixed(raw: bytes) -> Behavior:
    async def answer(
        backend: HostileBackend, _: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        writer.write(raw)
        await writer.drain()

    return answer


def response(body: bytes, *, status: str = "200 OK", headers: str = "") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
    return head.encode() + body


async def _gigabyte(
    backend: HostileBackend, _: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
    while backend.sent < GIGABYTE:
        writer.write(_PIECE)
        await writer.drain()
        backend.sent += len(_PIECE)


async def _chunked_gigabyte(
    backend: HostileBackend, _: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while backend.sent < GIGABYTE:
        writer.write(b"%x\r\n%b\r\n" % (len(_PIECE), _PIECE))
        await writer.drain()
        backend.sent += len(_PIECE)


async def _drip(
    backend: HostileBackend, _: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
    while True:
        writer.write(b".")
        await writer.drain()
        await asyncio.sleep(0.01)


async def _drip_headers(
    backend: HostileBackend, _: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X-A: b\r\n")
        await writer.drain()
        await asyncio.sleep(0.005)


async def _continue_forever(
    backend: HostileBackend, _: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    while True:
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(0.005)


async def _stall(
    backend: HostileBackend, reader: asyncio.StreamReader, _: asyncio.StreamWriter
) -> None:
    await reader.read()


_OK = _fixed(response(b'{"ok":true}', headers="Content-Type: application/json\r\n"))

_CLOSING = frozenset({"/short", "/hang-up", "/gigabyte"})

BEHAVIOURS: dict[str, Behavior] = {
    "/ok": _OK,
    "/gigabyte": _gigabyte,
    "/chunked-gigabyte": _chunked_gigabyte,
    "/claims-gigabyte": _fixed(
        b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\nnot that many"
    ),
    "/gzip": _fixed(response(b"\x1f\x8b bomb", headers="Content-Encoding: gzip\r\n")),
    "/drip": _drip,
    "/drip-headers": _drip_headers,
    "/continue": _continue_forever,
    "/stall": _stall,
    "/bad-json": _fixed(response(b'{"ok":', headers="Content-Type: application/json\r\n")),
    "/redirect": _fixed(
        response(b"", status="302 Found", headers="Location: http://169.254.169.254/latest\r\n")
    ),
    "/upgrade": _fixed(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n"
    ),
    "/not-http": _fixed(b"SSH-2.0-OpenSSH_9.2\r\n"),
    "/short": _fixed(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort"),
    "/hang-up": _fixed(b""),
    "/bad-chunk": _fixed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
    "/huge-header": _fixed(b"HTTP/1.1 200 OK\r\nX-Big: " + b"a" * 100_000 + b"\r\n\r\n"),
    "/cookie": _fixed(response(b"set", headers="Set-Cookie: stolen=1; Path=/\r\n")),
}


@asynccontextmanager
async def hostile_backend() -> AsyncIterator[HostileBackend]:
    """Serve every behavior on a free port of 127.0.0.1 until the context ends."""
    backend = HostileBackend()
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        tasks.add(task)
        backend.connections += 1
        backend.open_connections += 1
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await _one_connection(backend, reader, writer)
        finally:
            backend.open_connections -= 1
            backend.closed.set()
            writer.close()
            tasks.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    backend.port = server.sockets[0].getsockname()[1]
    try:
        yield backend
    finally:
        server.close()
        for task in tuple(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _one_connection(
    backend: HostileBackend, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    while True:
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
        body = await reader.readexactly(int(length[1])) if length else b""
        backend.requests.append(head + body)
        backend.reached.set()
        path = head.split(b" ")[1].split(b"?")[0].decode()
        await BEHAVIOURS.get(path, _OK)(backend, reader, writer)
        if path in _CLOSING:
            return
