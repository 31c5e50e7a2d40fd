"""What the gateways of a server tell each other of legacy sessions, where the server has a Redis.

A session's id says by itself what any replica has to know; but not that the session was deleted,
nor what it subscribed to, nor which messages it wants. Without a Redis, and while it is away, only
the process that was told knows. Ids stand in Redis as digests, and everything goes by itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Set as AbstractSet
from typing import Final, NamedTuple, cast

from mcp_operator.gateway.contract import LogLevel
from mcp_operator.gateway.protocol.log_levels import SEVERITY
from mcp_operator.gateway.protocol.subscriptions import MAX_SUBSCRIBED_URIS
from mcp_operator.gateway.redis.contract import HasLink, Link
from mcp_operator.gateway.redis.scripts import Script, unless_away

KEPT_SECONDS: Final = 3600
"""How long subscriptions are kept after a session last subscribed, or opened a stream."""

LOG_SECONDS: Final = 60
"""How long it is kept which sessions subscribed."""

OVERLAP_SECONDS: Final = 5
"""How far the log is read again: clocks of a Redis and of its successor differ."""

_SUBSCRIBE: Final = Script(
    """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
if ARGV[1] == 'SREM' or redis.call('SCARD', KEYS[1]) < tonumber(ARGV[4]) then
  redis.call(ARGV[1], KEYS[1], ARGV[2])
end
redis.call('EXPIRE', KEYS[1], ARGV[5])
redis.call('ZADD', KEYS[2], now, ARGV[3])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - ARGV[6])
redis.call('EXPIRE', KEYS[2], ARGV[6])
"""
)
"""Adds a URI to what a session subscribed to, or takes it away, and notes that in the log."""

_SUBSCRIBED: Final = Script(
    """
redis.call('EXPIRE', KEYS[1], ARGV[1])
return redis.call('SMEMBERS', KEYS[1])
"""
)

_CHANGED: Final = Script(
    """
local time = redis.call('TIME')
return redis.call('ZRANGEBYSCORE', KEYS[1], time[1] - ARGV[1], '+inf')
"""
)


class SessionState(NamedTuple):
    """What gateways told each other of a session.

    Attributes:
        ended: It was deleted.
        level: How severe a message must be to be sent; None if it is not known.
    """

    ended: bool = False
    level: LogLevel | None = None


class SharedSessions:
    """Sessions as all gateways of a server know them."""

    def __init__(self, redis: HasLink | None) -> None:
        """Set up.

        Args:
            redis: Has the link to the Redis of the server, where it has one.
        """
        self._redis = redis
        self._missed = True

    @property
    def link(self) -> Link | None:
        """The link to the Redis; None where the server has none."""
        return self._redis.link if self._redis else None

    async def end(self, session: str, seconds: float) -> None:
        """Tell all gateways that a session was deleted.

        Args:
            session: Its id.
            seconds: How long its signature may yet be good.
        """
        await self._set(session, "ended", "1", seconds)

    async def set_level(self, session: str, level: LogLevel, seconds: float) -> None:
        """Tell all gateways how severe a message must be for a session to be sent it.

        Args:
            session: Its id.
            level: The least severe level.
            seconds: How long the session may yet last.
        """
        await self._set(session, "level", level, seconds)

    async def state(self, session: str) -> SessionState:
        """Return what is known of a session."""
        link = self.link
        if link is None:
            return SessionState()
        keys = [link.key(f"session:{_digest(session)}:{name}") for name in ("ended", "level")]
        found = await unless_away(link.call("MGET", *keys))
        if not isinstance(found, list):
            return SessionState()
        ended, level = found
        text = level.decode("utf-8", "replace") if level else ""
        known = cast("LogLevel", text) if text in SEVERITY else None
        return SessionState(ended is not None, known)

    async def note(self, session: str, rules: str, uri: str, *, subscribed: bool) -> None:
        """Keep that a session subscribed to a resource, or that it no longer is.

        Args:
            session: Its id.
            rules: What stands for the rules by which it may.
            uri: The resource.
            subscribed: Whether it is.
        """
        link = self.link
        if link is not None:
            keys = link.key(_uris(session, rules)), link.key("session:log")
            told = "SADD" if subscribed else "SREM", uri, _digest(session)
            limits = MAX_SUBSCRIBED_URIS, KEPT_SECONDS, LOG_SECONDS
            await unless_away(_SUBSCRIBE.run(link, 2, *keys, *told, *limits))

    async def subscribed(self, session: str, rules: str) -> frozenset[str] | None:
        """Return what a session subscribed to; None where nobody can tell."""
        link = self.link
        if link is None:
            return None
        key = link.key(_uris(session, rules))
        found = await unless_away(_SUBSCRIBED.run(link, 1, key, KEPT_SECONDS))
        if not isinstance(found, list):
            return None
        return frozenset(uri.decode("utf-8", "replace") for uri in found)

    async def changed(self, sessions: AbstractSet[str]) -> tuple[AbstractSet[str], bool]:
        """Return which of some sessions have subscribed lately.

        Returns:
            Those sessions; and whether they are all, because Redis was away and what they did since
            then is not known to it, nor to this gateway.
        """
        link = self.link
        if link is None:
            return frozenset(), False
        found = await unless_away(_CHANGED.run(link, 1, link.key("session:log"), OVERLAP_SECONDS))
        missed, self._missed = self._missed, not isinstance(found, list)
        if self._missed:
            return frozenset(), False
        if missed:
            return sessions, True
        return {one for one in sessions if _digest(one).encode() in found}, False

    async def _set(self, session: str, name: str, value: str, seconds: float) -> None:
        link = self.link
        if link is not None:
            key = link.key(f"session:{_digest(session)}:{name}")
            await unless_away(link.call("SET", key, value, "EX", int(seconds) + 1))


def _uris(session: str, rules: str) -> str:
    return f"session:{_digest(session)}:uris:{rules}"


def _digest(session: str) -> str:
    return hashlib.blake2b(session.encode(), digest_size=16).hexdigest()
