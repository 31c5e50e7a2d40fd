"""The running requests of legacy sessions, and their cancellation from any replica.

A client posts `notifications/cancelled` on any connection, and a Service routes it to any replica.
A replica that does not run the request records the cancellation in the server's Redis, which all
replicas with running requests poll. Without a Redis, or while it cannot be reached, a cancellation
works only at the replica that runs the request. MCP allows servers to ignore the others
(2025-11-25, basic/utilities/cancellation).
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
"""Seconds between two polls for cancellations at other replicas, while any request runs."""

LOG_SECONDS: Final = 10
"""How long a cancellation is kept: longer than polling takes, even if Redis stalls in between."""

MAX_LOGGED: Final = 1000
"""Cancellations that are kept. Further ones are dropped, and their requests run to their end."""

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
    """The requests that run in this process, by session and id."""

    def __init__(self, redis: HasLink | None) -> None:
        """Set up.

        Args:
            redis: Holds the connection to the Redis of the server, if the server has one.
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
            work: Produces the response.

        Returns:
            The task, which the client can cancel.
        """
        key = (session, request_id)
        task = asyncio.create_task(work, name="legacy request")
        self._running[key] = task
        task.add_done_callback(lambda done: self._finished(key, done))
        if self._link is not None and not self._tasks:
            self._tasks.start("look for cancellations", self._look())
        return task

    async def cancel(self, session: str, request_id: Any) -> None:
        """Cancel a request, in this replica or in the one that runs it.

        Args:
            session: The id of the session that it was sent in.
            request_id: The id of the request, according to the client.
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
        """Stop polling."""
        await self._tasks.close()

    def _finished(self, key: _Key, task: asyncio.Task[HttpResponse]) -> None:
        if self._running.get(key) is task:
            del self._running[key]
        if not task.cancelled():
            task.exception()  # marks a refusal as retrieved, even if the client has disconnected

    async def _look(self) -> None:
        """Cancel requests whose cancellation reached other replicas, while any request runs."""
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
    """Return the name of a request in Redis, which does not reveal its session."""
    return hashlib.blake2b(jsonrpc.encode(list(key)), digest_size=16).digest()
