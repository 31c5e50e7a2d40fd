"""A client that sends bytes to a gateway, and reads the responses."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from support.mcp_http import modern
from support.running_gateway import Running
from support.waiting import hang_guard

CALLED = {"method": "tools/call", "era": "modern", "outcome": "ok"}


class Client:
    """A connection to a gateway, from a loopback address of its own."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def status(self) -> int:
        """Read the next response, and return its status."""
        async with hang_guard():
            head = await self.reader.readuntil(b"\r\n\r\n")
            length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
            await self.reader.readexactly(int(length or b"0"))
        return int(head.split()[1])

    async def rest(self) -> bytes:
        """Return everything that the gateway sends until it closes."""
        async with hang_guard():
            return await self.reader.read()

    async def leave(self) -> None:
        self.writer.close()
        await self.writer.wait_closed()


@asynccontextmanager
async def client(
    gateway: Running, address: str = "127.0.0.1", tls: ssl.SSLContext | None = None
) -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", gateway.app.port, local_addr=(address, 0), ssl=tls
    )
    try:
        yield Client(reader, writer)
    finally:
        writer.transport.abort()  # TLS would wait for the peer, longer than the event loop runs


def raw_call() -> bytes:
    """Return a call of the tool `add`."""
    request = modern("tools/call", {"name": "add"})
    names = ("mcp-protocol-version", "mcp-method", "mcp-name", "content-type")
    lines = [f"{name}: {request.headers[name]}" for name in names]
    lines = ["POST /mcp HTTP/1.1", "Host: localhost", *lines]
    head = "\r\n".join([*lines, f"Content-Length: {len(request.body)}", "", ""])
    return head.encode() + request.body
