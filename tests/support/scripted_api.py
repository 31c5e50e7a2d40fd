"""An API server with scripted responses, for behavior that a real one cannot be made to show."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from mcp_operator.core.metrics import RuntimeMetrics
from mcp_operator.runtime.client import Client
from mcp_operator.runtime.configuration import BEARER, ConfigurationLoader
from mcp_operator.runtime.kubernetes import Configuration
from mcp_operator.runtime.transport import Transport


@dataclass(frozen=True)
class Received:
    """One request, as the server saw it."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any


Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class ScriptedApi:
    """Sends the scripted responses in order; after the last, it responds with 599."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self._answers: deque[Answer] = deque()
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._handle)
        self._server = TestServer(application)

    @property
    def url(self) -> str:
        return str(self._server.make_url("")).rstrip("/")

    async def start(self) -> None:
        await self._server.start_server()

    async def stop(self) -> None:
        await self._server.close()

    def answer(
        self, body: Any, *, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        """Add a response with JSON, text or bytes."""
        raw = body if isinstance(body, (bytes, str)) else json.dumps(body)
        data = raw.encode() if isinstance(raw, str) else raw

        async def send(_: web.Request) -> web.StreamResponse:
            return web.Response(body=data, status=status, headers=headers)

        self._answers.append(send)

    def stream(self, *chunks: Any, cut: bool = False) -> None:
        """Add a watch as the response: JSON documents, one per line, or bytes.

        Args:
            chunks: The data to send.
            cut: Break the connection instead of ending the stream.
        """

        async def send(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse()
            await response.prepare(request)
            for chunk in chunks:
                data = chunk if isinstance(chunk, bytes) else json.dumps(chunk).encode() + b"\n"
                await response.write(data)
            if cut and request.transport is not None:
                request.transport.close()
                await asyncio.sleep(0)
            return response

        self._answers.append(send)

    def hang(self) -> None:
        """Add a request without a response."""

        async def send(_: web.Request) -> web.StreamResponse:
            await asyncio.Event().wait()
            raise AssertionError

        self._answers.append(send)

    def fail(self, status: int, reason: str = "", message: str = "no", **details: Any) -> None:
        """Add a Status as the response."""
        self.answer(failure(status, reason, message, **details), status=status)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        data = await request.read()
        self.received.append(
            Received(
                request.method,
                request.path,
                dict(request.query),
                dict(request.headers),
                json.loads(data) if data else None,
            )
        )
        if not self._answers:
            return web.Response(status=599, text="beyond the script")
        return await self._answers.popleft()(request)


def failure(status: int, reason: str = "", message: str = "no", **details: Any) -> dict[str, Any]:
    """Return a Status."""
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "code": status,
        "reason": reason,
        "message": message,
        "details": details,
    }


def configuration(url: str, token: str = "secret") -> Configuration:  # noqa: S107  # opens nothing
    """Return a configuration like those of the loaders."""
    made = Configuration()
    made.host = url
    made.api_key[BEARER] = f"Bearer {token}"
    return made


@asynccontextmanager
async def scripted_client(
    api: ScriptedApi,
    metrics: RuntimeMetrics,
    *,
    load: ConfigurationLoader | None = None,
    refresh_every: float = 60.0,
) -> AsyncIterator[Client]:
    """Connect a client to the scripted server until the block ends."""

    async def scripted() -> Configuration:
        return configuration(api.url)

    load = load or scripted
    transport = Transport(
        load,
        await load(),
        refresh_every=refresh_every,
        user_agent="tests/1",
        metrics=metrics,
        max_in_flight=2,
    )
    await transport.open()
    client = Client(transport, field_manager="tests", metrics=metrics)
    yield client
    await client.close()
