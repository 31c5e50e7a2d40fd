"""A proxy that sends each request to the next replica, as a Service can do.

Replicas that no longer listen are skipped, as a Service skips terminating pods.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

import aiohttp
from aiohttp import web

from mcp_operator.gateway.front.listener import Listener

HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length"})
"""Headers of one connection (RFC 9110 section 7.6.1), and what aiohttp computes by itself."""


@asynccontextmanager
async def round_robin(urls: Sequence[str], port: int = 0) -> AsyncIterator[str]:
    """Serve replicas at one URL.

    Args:
        urls: The replicas' endpoints, which have the same path.
        port: The port to listen on; 0 for any free port.

    Yields:
        The URL of the endpoint.
    """
    turns = itertools.cycle(urls)
    async with aiohttp.ClientSession(
        auto_decompress=False, timeout=aiohttp.ClientTimeout(total=None)
    ) as session:

        async def pass_on(request: web.BaseRequest) -> web.StreamResponse:
            for _ in urls:
                with suppress(aiohttp.ClientConnectorError):
                    return await pass_to(next(turns), request)
            return web.Response(status=503, text="no replica listens")

        async def pass_to(url: str, request: web.BaseRequest) -> web.StreamResponse:
            headers = [(k, v) for k, v in request.headers.items() if k.lower() not in HOP_BY_HOP]
            async with session.request(
                request.method, url, headers=headers, data=await request.read()
            ) as answer:
                response = web.StreamResponse(status=answer.status)
                for name, value in answer.headers.items():
                    if name.lower() not in HOP_BY_HOP:
                        response.headers.add(name, value)
                await response.prepare(request)
                async for part in answer.content.iter_any():
                    await response.write(part)
                await response.write_eof()
                return response

        listener = Listener(pass_on)
        await listener.start("127.0.0.1", port)
        try:
            yield f"http://localhost:{listener.port}/mcp"
        finally:
            await listener.stop(0)
