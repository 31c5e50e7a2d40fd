"""A server of raw bytes: tests read what is sent to it, and send any response."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
import struct
from contextlib import suppress

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

LOCAL = "127.0.0.1"


class Peer:
    """One connection, from the server's side."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def begun(self) -> bytes:
        """Return the head of the next request."""
        return await self._reader.readuntil(b"\r\n\r\n")

    async def receive(self) -> bytes:
        """Return the next request, including its body."""
        head = await self.begun()
        length = re.search(rb"Content-Length: (\d+)", head)
        return head + (await self._reader.readexactly(int(length[1])) if length else b"")

    def send(self, *parts: bytes) -> None:
        self._writer.write(b"".join(parts))

    async def flood(self, data: bytes) -> None:
        """Send the same data repeatedly until the client closes."""
        with suppress(ConnectionError):
            while True:
                self.send(data)
                await self._writer.drain()

    async def answer(self, data: bytes = OK) -> bytes:
        """Receive a request and answer it."""
        request = await self.receive()
        self.send(data)
        return request

    async def secure(self, tls: ssl.SSLContext) -> None:
        """Start TLS on the connection."""
        await self._writer.start_tls(tls)

    def close(self) -> None:
        self._writer.close()

    async def cut(self) -> None:
        """Close TCP without a TLS close, after all data is sent."""
        await self._writer.drain()
        connection: socket.socket = self._writer.get_extra_info("socket")
        connection.shutdown(socket.SHUT_RDWR)

    def reset(self) -> None:
        """Close the connection with a reset, so that the client gets an error."""
        connection: socket.socket = self._writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    async def left(self) -> bytes:
        """Wait until the client closes, and return what it sent before."""
        data = b""
        with suppress(ConnectionError):
            while part := await self._reader.read(1 << 16):
                data += part
        return data

    async def gone(self) -> None:
        """Close the connection, and wait until it is closed."""
        self.close()
        with suppress(OSError):
            await self._writer.wait_closed()


class RawServer:
    """Accepts connections, on which the test reads and writes."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.port = 0
        self.peers: list[Peer] = []
        self._tls = tls
        self._new: asyncio.Queue[Peer] = asyncio.Queue()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._connected, LOCAL, 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for peer in self.peers:
            await peer.gone()
        await self._server.wait_closed()

    async def accept(self) -> Peer:
        """Return the next connection, in the order of arrival."""
        return await self._new.get()

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = Peer(reader, writer)
        self.peers.append(peer)
        self._new.put_nowait(peer)
