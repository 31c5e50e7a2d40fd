"""A REST API that can stop responding, fail, or repeat its credentials on request."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web


@dataclass
class FaultyBackend:
    """The behavior of the backend from now on.

    Attributes:
        address: Its `HOST:PORT`.
        status: The status of its responses.
        silent: Whether it does not respond, until this is False again.
        repeats: Whether its responses contain the credentials of the request.
    """

    address: str = ""
    status: int = 200
    repeats: bool = False
    _answering: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def silent(self) -> bool:
        return not self._answering.is_set()

    @silent.setter
    def silent(self, silent: bool) -> None:
        if silent:
            self._answering.clear()
        else:
            self._answering.set()

    async def answer(self, request: web.Request) -> web.Response:
        """Respond to any request."""
        await self._answering.wait()
        body = {"sku": request.query.get("sku", ""), "shelf": "B7", "left": 12}
        if self.repeats:
            body["debug"] = f"request had Authorization: {request.headers.get('Authorization')}"
        return web.json_response(body, status=self.status)


@asynccontextmanager
async def faulty_backend() -> AsyncIterator[FaultyBackend]:
    """Run it on a free port of this machine until the block ends."""
    backend = FaultyBackend()
    backend.silent = False
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", backend.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        backend.address = f"{host}:{port}"
        yield backend
    finally:
        backend.silent = False
        await runner.cleanup()
