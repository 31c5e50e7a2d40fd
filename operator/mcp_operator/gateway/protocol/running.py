"""The requests of legacy sessions that run, and their cancellation, whichever replica runs them.

A client posts `notifications/cancelled` on any connection, and a Service gives it to any replica.
One that does not run the request notes that in the Redis of the server, where all that run requests
look. Without a Redis, or while it is away, a cancellation has to reach the replica that runs the
request: MCP lets servers ignore the others (2025-11-25, basic/utilities/cancellation).
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Coroutine
from typing import Any, Final, TypeAlias

from mcp_operator.gateway.background import TaskSet
from mcp_operator.gateway.protocol import jsonrpc
from mcp_operator.gateway.protocol.jsonrpc import RequestId
from mcp_operator.gateway.protocol.message import HttpResponse
from mcp_operator.gateway.redis.contract import HasLink, Link
from mcp_operator.gateway.redis.scripts import Script, unless_away

LOOK_SECONDS: Final = 0.5
"""Between two looks for cancellations that reached other replicas, while anything runs."""

LOG_SECONDS: Final = 10
"""How long a cancellation is kept: more than looks take, with a Redis that stalls in between."""

MAX_LOGGED: Final = 1000
"""Cancellations that are kept; with more of them, requests run on until they end by themselves."""

_NOTE: Final = Script(
    """
local time = redis.call('TIME')
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', time[1] - ARGV[2])
if redis.call('ZCARD', KEYS[1]) < tonumber(ARGV[3]) then
  redis.call('ZADD', KEYS[1], time[1], ARGV[1])
  redis.call('EXPIRE', KEYS[1], ARGV[2])
end
"""
)

Work: TypeAlias = Coroutine[Any, Any, HttpResponse]
_Key: TypeAlias = tuple[str, RequestId]


class Running:
    """The requests that run in this process, by their sessions and ids."""

    def __init__(self, redis: HasLink | None) -> None:
        """Set up.

        Args:
            redis: Has the link to the Redis of the server, where it has one.
        """
        self._redis = redis
        self._running: dict[_Key, asyncio.Task[HttpResponse]] = {}
        self._tasks = TaskSet()

    @property
    def _link(self) -> Link | None:
        return self._redis.link if self._redis else None

    def start(self, session: str, request_id: RequestId, work: Work) -> asyncio.Task[HttpResponse]:
        """Run a request.

        Args:
            session: The id of its session.
            request_id: Its id.
            work: Answers it.

        Returns:
            The task, which may be cancelled by the client.
        """
        key = (session, request_id)
        task = asyncio.create_task(work, name="legacy request")
        self._running[key] = task
        task.add_done_callback(lambda done: self._finished(key, done))
        if self._link is not None and not self._tasks:
            self._tasks.start("look for cancellations", self._look())
        return task

    async def cancel(self, session: str, request_id: Any) -> None:
        """Cancel a request, here or at whichever replica runs it.

        Args:
            session: The id of the session that it was sent in.
            request_id: What the client says is its id.
        """
        if not jsonrpc.is_short_id(request_id):
            return
        key, link = (session, request_id), self._link
        if key in self._running:
            self._running[key].cancel()
        elif link is not None:
            limits = LOG_SECONDS, MAX_LOGGED
            await unless_away(_NOTE.run(link, 1, link.key("cancelled"), _digest(key), *limits))

    async def close(self) -> None:
        """Look for nothing more."""
        await self._tasks.close()

    def _finished(self, key: _Key, task: asyncio.Task[HttpResponse]) -> None:
        if self._running.get(key) is task:
            del self._running[key]
        if not task.cancelled():
            task.exception()  # a refusal, which nobody reads where the client has gone

    async def _look(self) -> None:
        """Cancel what other replicas were told to, for as long as anything runs."""
        await asyncio.sleep(LOOK_SECONDS)
        while self._running and (link := self._link) is not None:
            told = await unless_away(link.call("ZRANGE", link.key("cancelled"), 0, -1))
            if told:
                digests = frozenset(told)
                for key, task in tuple(self._running.items()):
                    if _digest(key) in digests and not task.cancelling():
                        task.cancel()
            await asyncio.sleep(LOOK_SECONDS)


def _digest(key: _Key) -> bytes:
    """Return what stands for a request in Redis, and tells nothing of its session."""
    return hashlib.blake2b(jsonrpc.encode(list(key)), digest_size=16).digest()
