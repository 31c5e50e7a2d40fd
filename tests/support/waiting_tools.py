"""A tool whose call ends only when the client cancels it, and one that reports that."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

from aiohttp import web

from mcp_operator.api.catalog import ResponseMapping
from support.entries import backend, tool

WAITING_TOOLS = (
    tool(
        "test_wait",
        backend("/wait", timeout_seconds=600.0),  # longer than any test waits for its end
        description="Reports progress once, and waits until the call is cancelled.",
        response=ResponseMapping(native=True),
    ),
    tool(
        "test_cancelled",
        backend("/cancelled"),
        description="Waits until the request of a call of test_wait has ended.",
    ),
)


class Waiting:
    """The services of `WAITING_TOOLS`."""

    def __init__(self, others: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]) -> None:
        """Set up.

        Args:
            others: Handles all other requests.
        """
        self._others = others
        self._ended = asyncio.Semaphore(0)

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request."""
        if request.path == "/wait":
            return await self._wait(request)
        if request.path == "/cancelled":
            await self._ended.acquire()
            return web.Response(text="The call has ended.")
        return await self._others(request)

    async def _wait(self, request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        try:
            progress = json.dumps({"progress": 1, "message": "waiting"})
            await response.write(f"event: progress\ndata: {progress}\n\n".encode())
            await asyncio.Event().wait()
        finally:
            self._ended.release()
        return response
