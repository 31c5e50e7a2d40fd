"""The gateway's HTTP client with a backend whose connections the test controls."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from mcp_operator.gateway.upstream.answer import Answer
from mcp_operator.gateway.upstream.client import HttpUpstream, Tls, UpstreamError
from mcp_operator.gateway.upstream.mapping import Request
from support.raw_server import LOCAL, Peer, RawServer

LIMIT = 1 << 20

MINE = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nmine"
FOREIGN = b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nforeign"
CHUNKED = "Transfer-Encoding: chunked"


def answer(*headers: str, body: str = "", version: str = "1.1", status: str = "200 OK") -> bytes:
    """Return the bytes of a response as specified, valid or not."""
    lines = "".join(f"{header}\r\n" for header in headers)
    return f"HTTP/{version} {status}\r\n{lines}\r\n{body}".encode("latin-1")


@dataclass
class Asking:
    """A client, and the server that it calls."""

    upstream: HttpUpstream
    server: RawServer
    tls: Tls

    def ask(
        self, method: str = "GET", target: str = "/", body: bytes | None = None
    ) -> asyncio.Task[Answer]:
        """Start a call."""
        scheme = "http" if self.tls == Tls() else "https"
        request = Request(method, scheme, "be.demo.svc", 80, target, body=body)
        return asyncio.create_task(self.upstream.send(request, self.tls, LIMIT))

    async def peer(self) -> Peer:
        """Return the next new connection."""
        return await self.server.accept()

    async def exchange(self, data: bytes, method: str = "GET") -> Answer | UpstreamError:
        """Answer one call with raw bytes, then close the connection."""
        call = self.ask(method)
        peer = await self.peer()
        await peer.answer(data)
        peer.close()
        try:
            return await call
        except UpstreamError as error:
            return error


@asynccontextmanager
async def asking(
    server_tls: ssl.SSLContext | None = None, tls: Tls | None = None
) -> AsyncIterator[Asking]:
    """Start the client and the server."""
    server = RawServer(server_tls)
    await server.start()
    services = {"demo/be:80": f"{LOCAL}:{server.port}"}
    async with HttpUpstream(services, user_agent="t") as upstream:
        yield Asking(upstream, server, tls or Tls())
    await server.stop()
