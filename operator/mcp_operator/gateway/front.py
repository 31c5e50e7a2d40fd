"""The HTTP front: aiohttp on the outside, the protocol core on the inside."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from aiohttp import web

from mcp_operator.gateway.listener import Listener
from mcp_operator.gateway.protocol.endpoint import Endpoint
from mcp_operator.gateway.protocol.message import HttpRequest, HttpStream

log = logging.getLogger(__name__)

PATH: Final = "/mcp"

BODY_SECONDS: Final = 30.0
"""How long a client may take to send its body."""

WRITE_SECONDS: Final = 30.0
"""How long a client may leave a full buffer of a stream unread before it is cut off."""


class Front:
    """Serves an endpoint under `PATH`."""

    def __init__(self, endpoint: Endpoint, max_request_bytes: Callable[[], int]) -> None:
        """Set up a front.

        Args:
            endpoint: Answers the requests.
            max_request_bytes: The limit on bodies that holds now.
        """
        self._endpoint = endpoint
        self._max_request_bytes = max_request_bytes
        self._listener = Listener(self._handle)

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return self._listener.port

    async def start(self, host: str, port: int) -> None:
        """Listen; port 0 takes a free one.

        Raises:
            OSError: The address cannot be had.
        """
        await self._listener.start(host, port)

    async def stop(self, grace: float) -> None:
        """Accept no more, let what runs finish for `grace` seconds, cancel the rest."""
        await self._listener.stop(grace)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path != PATH:
            return web.Response(status=404, text=f"MCP is served at {PATH}\n")
        body = await self._read(request)
        if isinstance(body, web.Response):
            return body
        headers: dict[str, str] = {}
        repeated: set[str] = set()
        for name, value in request.headers.items():
            key = name.lower()
            if key in headers:
                repeated.add(key)
            else:
                headers[key] = value
        http = HttpRequest(request.method, headers, frozenset(repeated), body)
        answer = await self._endpoint.handle(http)
        if isinstance(answer, HttpStream):
            return await _stream(request, answer)
        return web.Response(status=answer.status, body=answer.body, headers=answer.headers)

    async def _read(self, request: web.BaseRequest) -> bytes | web.Response:
        """Return the body, or what to answer where it is too large or too slow."""
        limit = self._max_request_bytes()
        if (request.content_length or 0) > limit:
            return _too_large(limit)
        body = bytearray()
        try:
            async with asyncio.timeout(BODY_SECONDS):
                async for chunk in request.content.iter_any():
                    body += chunk
                    if len(body) > limit:
                        return _too_large(limit)
        except TimeoutError:
            return _last(408, f"The body did not arrive within {BODY_SECONDS:.0f} seconds\n")
        return bytes(body)


def _too_large(limit: int) -> web.Response:
    return _last(413, f"The body is larger than the {limit} bytes allowed\n")


def _last(status: int, text: str) -> web.Response:
    """Answer without having read the whole request, and close the connection."""
    response = web.Response(status=status, text=text)
    response.force_close()
    return response


async def _stream(request: web.BaseRequest, answer: HttpStream) -> web.StreamResponse:
    response = web.StreamResponse(headers=answer.headers)
    try:
        await response.prepare(request)
        async for frame in answer.frames:
            async with asyncio.timeout(WRITE_SECONDS):
                await response.write(frame)
        await response.write_eof()
    except TimeoutError:
        log.warning("An event stream was cut: its client stopped reading")
        if request.transport is not None:
            request.transport.abort()
    except ConnectionError:
        log.debug("The client of an event stream has gone")
    finally:
        await answer.frames.aclose()
    return response
