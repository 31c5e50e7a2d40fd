"""Tasks in Redis, which every gateway of the server finds, and which outlive each gateway.

All keys of a server are in one hash slot. `tasks:due` orders the tasks that have not ended by the
time, on the clock of Redis, when they can be claimed. To claim a task, a gateway moves that time
forward. So no two gateways work on the same task, and if a gateway stops, another takes over its
tasks. `tasks:held` counts what each client uses, and `tasks:expire` says when to stop counting it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from contextlib import nullcontext
from typing import Any, Final

from mcp_operator.core.clock import Clock
from mcp_operator.gateway.redis.contract import HasLink, Link
from mcp_operator.gateway.redis.errors import RedisAwayError
from mcp_operator.gateway.redis.scripts import Script
from mcp_operator.gateway.tasks.store import (
    LEASE_SECONDS,
    MAX_KEPT,
    MAX_RUNNING,
    NO_PLACE,
    NO_ROOM,
    Claimed,
    FullError,
    StoreAwayError,
    Stored,
    body_of,
    size_of,
)
from mcp_operator.gateway.tasks.task import Task, decoded

LARGE: Final = 64 * 1024
"""Bytes that take Redis and the network noticeable time."""

COUNTS_SECONDS: Final = 8 * 24 * 3600.0
"""How long the counts are kept after the last new task: longer than any task."""

_COMMON: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local held, expire, due = KEYS[1], KEYS[2], KEYS[3]
local function count(name, change)
  local value = redis.call('HINCRBY', held, name, change)
  if value <= 0 then redis.call('HDEL', held, name) end
  return value
end
local function has(name) return tonumber(redis.call('HGET', held, name) or '0') end
local function release(id, client)
  if redis.call('ZREM', due, id) == 1 then
    count('running', -1)
    count('running:' .. client, -1)
  end
end
local function fits(client, size)
  return has('bytes') + size <= tonumber(ARGV[1]) and
    has('bytes:' .. client) + size <= tonumber(ARGV[1]) / 2
end
local function keep(client, size)
  count('bytes', size)
  count('bytes:' .. client, size)
end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', expire, '-inf', now, 'LIMIT', 0, 100)) do
  local of, size = string.match(redis.call('HGET', held, 'task:' .. id) or ':0', '^(.*):(%d+)$')
  release(id, of)
  keep(of, -size)
  redis.call('HDEL', held, 'task:' .. id)
  redis.call('ZREM', expire, id)
end
"""
"""The beginning of each script that counts: it releases tasks that have expired."""

_ADD: Final = Script(
    _COMMON
    + """
local id, client, size, limit = ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
if redis.call('EXISTS', KEYS[4]) == 1 then return 'ok' end
if has('running') >= limit or has('running:' .. client) >= limit / 2 then return 'place' end
if not fits(client, size) then return 'room' end
keep(client, size)
count('running', 1)
count('running:' .. client, 1)
redis.call('HSET', held, 'task:' .. id, client .. ':' .. size)
redis.call('ZADD', due, now + ARGV[6], id)
redis.call('ZADD', expire, now + ARGV[7], id)
redis.call('HSET', KEYS[4], 'revision', 1, 'body', ARGV[8])
redis.call('PEXPIRE', KEYS[4], ARGV[7])
for index = 1, 3 do redis.call('PEXPIRE', KEYS[index], ARGV[9]) end
return 'ok'
"""
)

_SAVE: Final = Script(
    _COMMON
    + """
local id, client, size = ARGV[2], ARGV[3], tonumber(ARGV[4])
if redis.call('HGET', KEYS[4], 'revision') ~= ARGV[5] then return 'other' end
local before = tonumber(string.match(redis.call('HGET', held, 'task:' .. id) or ':0', '(%d+)$'))
if size > before and not fits(client, size - before) then return 'room' end
keep(client, size - before)
redis.call('HSET', held, 'task:' .. id, client .. ':' .. size)
if ARGV[6] == '' then
  release(id, client)
else
  redis.call('ZADD', due, now + ARGV[6], id)
end
redis.call('ZADD', expire, now + ARGV[7], id)
redis.call('HSET', KEYS[4], 'body', ARGV[8])
if ARGV[9] ~= '' then redis.call('HSET', KEYS[4], 'result', ARGV[9]) end
redis.call('PEXPIRE', KEYS[4], ARGV[7])
return tostring(redis.call('HINCRBY', KEYS[4], 'revision', 1))
"""
)

_DUE: Final = Script(
    """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local found = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[1])
local following = redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. now, '+inf', 'WITHSCORES',
  'LIMIT', 0, 1)
table.insert(found, 1, following[2] and tostring(math.ceil(following[2] - now)) or '')
return found
"""
)
"""Returns the milliseconds until the next task is due, and the ids of due tasks."""

_TAKE: Final = Script(
    """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local at = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not at or tonumber(at) > now then return {} end
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
if redis.call('EXISTS', KEYS[2]) == 0 then return {} end
redis.call('HINCRBY', KEYS[2], 'revision', 1)
if redis.call('HSTRLEN', KEYS[2], 'body') > tonumber(ARGV[3]) then
  return {'', redis.call('HGET', KEYS[2], 'revision')}
end
return redis.call('HMGET', KEYS[2], 'body', 'revision')
"""
)
"""Claims one task, unless another gateway did; a large body must be read separately."""

_GET: Final = Script(
    """
if redis.call('HSTRLEN', KEYS[1], 'body') > tonumber(ARGV[1]) then return {'', ''} end
return redis.call('HMGET', KEYS[1], 'body', 'revision')
"""
)
"""Returns a task; a large body must be read separately."""


class RedisStore:  # a `Store`
    """Stores tasks in the Redis of the server."""

    def __init__(self, redis: HasLink, clock: Clock) -> None:
        """Set up.

        Args:
            redis: Holds the connection to Redis.
            clock: For the remaining lifetime of tasks.
        """
        self._redis = redis
        self._clock = clock
        self._large = asyncio.Semaphore(1)
        """Large values are transferred one at a time, so that they do not delay other replies."""

    async def add(self, task: Task, due: float) -> None:
        """Store a new task."""
        body = body_of(task)
        lasting = _milliseconds(COUNTS_SECONDS)
        given = (MAX_RUNNING, _milliseconds(due), self._left(task), body, lasting)
        reply = await self._counted(_ADD, task, size_of(body, b""), *given)
        if reply == b"place":
            raise FullError(NO_PLACE)
        if reply == b"room":
            raise FullError(NO_ROOM)

    async def get(self, task_id: str) -> Stored | None:
        """Return a task, or None if it is unknown or has expired."""
        link = self._link()
        record = _record(link, task_id)
        stored = await self._read(link, record, await self._run(link, _GET, 1, record, LARGE))
        if stored is None or stored.task.status != "completed":
            return stored
        async with self._large:
            result = await self._call(link, "HGET", record, "result")
        return stored._replace(result=result) if result else None

    async def save(self, task: Task, revision: int, due: float, result: bytes = b"") -> int | None:
        """Replace a task, unless another version was saved since it was read."""
        body = body_of(task)
        at = "" if task.has_ended else _milliseconds(due)
        given = (revision, at, self._left(task), body, result)
        reply = await self._counted(_SAVE, task, size_of(body, result), *given)
        if reply == b"room":
            raise FullError(NO_ROOM)
        return None if reply == b"other" else int(reply)

    async def claim(self, limit: int) -> Claimed:
        """Claim tasks that are due."""
        link = self._link()
        due = link.key("tasks:due")
        wait, *found = await self._run(link, _DUE, 1, due, limit)
        lease = _milliseconds(LEASE_SECONDS)
        records = [_record(link, each.decode()) for each in found]
        taken = await asyncio.gather(
            *(
                self._run(link, _TAKE, 2, due, record, each, lease, LARGE)
                for record, each in zip(records, found, strict=True)
            )
        )
        read = [
            await self._read(link, record, reply)
            for record, reply in zip(records, taken, strict=True)
        ]
        tasks = [stored for stored in read if stored is not None]
        return Claimed(tasks, int(wait) / 1000 if wait else None)

    async def changed(self, known: Mapping[str, int]) -> frozenset[str]:
        """Return the ids of the tasks that have another version, or that no longer exist."""
        link = self._link()
        replies = await asyncio.gather(
            *(self._call(link, "HGET", _record(link, each), "revision") for each in known)
        )
        pairs = zip(known.items(), replies, strict=True)
        return frozenset(
            each for (each, revision), reply in pairs if reply is None or int(reply) != revision
        )

    async def _read(self, link: Link, record: str, reply: Any) -> Stored | None:
        """Return the task in a reply; a large one is read with another command."""
        if isinstance(reply, list) and reply and reply[0] == b"":
            async with self._large:
                reply = await self._call(link, "HMGET", record, "body", "revision")
        return _stored(reply)

    def _left(self, task: Task) -> int:
        return _milliseconds(task.expires - self._clock.now().timestamp())

    def _link(self) -> Link:
        if self._redis.link is None:
            raise StoreAwayError("this server no longer has a Redis")
        return self._redis.link

    async def _counted(self, script: Script, task: Task, size: int, *given: Any) -> bytes:
        link = self._link()
        keys = [link.key(f"tasks:{name}") for name in ("held", "expire", "due")]
        keys.append(_record(link, task.id))
        command = (script, len(keys), *keys, MAX_KEPT, task.id, task.client, size, *given)
        async with self._large if size > LARGE else nullcontext():
            reply = await self._run(link, *command)
        if not isinstance(reply, bytes):
            raise StoreAwayError("it does not run Lua scripts as Redis does")
        return reply

    async def _run(self, link: Link, script: Script, *given: Any) -> Any:
        return await _kept(script.run(link, *given))

    async def _call(self, link: Link, *command: Any) -> Any:
        return await _kept(link.call(*command))


async def _kept(reply: Awaitable[Any]) -> Any:
    """Return the reply of Redis.

    Raises:
        StoreAwayError: Redis does not reply.
    """
    try:
        return await reply
    except RedisAwayError as error:
        raise StoreAwayError(str(error)) from error


def _record(link: Link, task_id: str) -> str:
    return link.key(f"task:{task_id}")


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))


def _stored(reply: Any) -> Stored | None:
    """Decode the fields of a task; None if it does not exist, or a different release wrote it."""
    if not isinstance(reply, list) or not reply or reply[0] is None:
        return None
    body, revision = reply
    try:
        return Stored(decoded(body), int(revision))
    except ValueError:
        return None
