"""A REST API that breaks on request: it answers, is silent, fails, or repeats its credentials."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web


@dataclass
class FaultyBackend:
    """How the backend behaves from now on.

    Attributes:
        address: Its `HOST:PORT`.
        status: The status of its answers.
        silent: Whether it leaves calls without an answer, until this is False again.
        repeats: Whether its answers tell what it was authenticated with.
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
        """Answer any request."""
        await self._answering.wait()
        body = {"sku": request.query.get("sku", ""), "shelf": "B7", "left": 12}
        if self.repeats:
            body["debug"] = f"request had Authorization: {request.headers.get('Authorization')}"
        return web.json_response(body, status=self.status)


@asynccontextmanager
async def faulty_backend() -> AsyncIterator[FaultyBackend]:
    """Run it on a free port of this machine for as long as the block lasts."""
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
