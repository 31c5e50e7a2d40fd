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
        self._opened: tuple[web.Server, web.ServerRunner, web.TCPSite] | None = None
        self._port: int | None = None

    @property
    def port(self) -> int:
        """The port that is, or was last, listened on.

        Raises:
            RuntimeError: It was never started.
        """
        if self._port is None:
            raise RuntimeError("the listener has not been started")
        return self._port

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._opened[0].connections) if self._opened else 0

    async def start(self, host: str, port: int) -> None:
        """Listen; port 0 takes a free one.

        Raises:
            OSError: The address cannot be had.
        """
        server = web.Server(self._handler, handler_cancellation=True, access_log=None)
        runner = web.ServerRunner(server)
        await runner.setup()
        site = web.TCPSite(runner, host, port)
        try:
            await site.start()
        except OSError:
            await runner.cleanup()
            raise
        self._port = int(runner.addresses[0][1])
        self._opened = (server, runner, site)

    async def stop(self, grace: float) -> None:
        """Accept no more, let handlers finish for `grace` seconds, cancel the rest.

        What was never started, or has been stopped, stays stopped.
        """
        if self._opened is None:
            return
        (server, runner, site), self._opened = self._opened, None
        await site.stop()
        await asyncio.sleep(0)  # handlers of requests that are already read start first
        server.pre_shutdown()
        await server.shutdown(max(grace, _SHORTEST_GRACE))
        await runner.cleanup()
