"""One listening socket with aiohttp's low-level server behind it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

_SHORTEST_GRACE: Final = 0.01
"""Seconds; aiohttp takes 0 for "wait for ever"."""


class Listener:
    """Listens on one address and hands every request to one function.

    A handler is cancelled when its client disconnects: that is how MCP's 2026-07-28 revision
    cancels.
    """

    def __init__(self, handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]) -> None:
        self._handler = handler
        self._server: web.Server | None = None
        self._runner: web.ServerRunner | None = None
        self._site: web.TCPSite | None = None

    @property
    def port(self) -> int:
        """The port that is listened on.

        Raises:
            RuntimeError: Nothing is listened on.
        """
        if self._runner is None or not self._runner.addresses:
            raise RuntimeError("the listener has not been started")
        return int(self._runner.addresses[0][1])

    async def start(self, host: str, port: int) -> None:
        """Listen; port 0 takes a free one.

        Raises:
            OSError: The address cannot be had.
        """
        self._server = web.Server(self._handler, handler_cancellation=True, access_log=None)
        self._runner = web.ServerRunner(self._server)
        await self._runner.setup()
        self._site = web.TCPSite(self._runner, host, port)
        try:
            await self._site.start()
        except OSError:
            await self._runner.cleanup()
            raise

    async def stop(self, grace: float) -> None:
        """Accept no more, let handlers finish for `grace` seconds, cancel the rest."""
        if self._server is None or self._runner is None or self._site is None:
            return
        await self._site.stop()
        await asyncio.sleep(0)  # handlers of requests that are already read start first
        self._server.pre_shutdown()
        await self._server.shutdown(max(grace, _SHORTEST_GRACE))
        await self._runner.cleanup()
