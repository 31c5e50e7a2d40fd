"""The state of legacy sessions that the gateways of a server share in Redis.

A session's id contains what every replica must know, except that the session was deleted, what it
subscribed to, and its log level. Without a Redis, or while it cannot be reached, only the process
that got the request knows these. Redis stores digests of the ids, and all keys expire.
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
"""How long subscriptions are kept after the session last subscribed or opened a stream."""

LOG_SECONDS: Final = 60
"""How long the log keeps which sessions changed their subscriptions."""

OVERLAP_SECONDS: Final = 5
"""Seconds of the log that are read again, as the clock can differ after a failover of Redis."""

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
"""Adds or removes a subscription of a session, and records the session in the log."""

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
    """The shared state of a session.

    Attributes:
        ended: Whether it was deleted.
        level: The lowest severity of log messages that it gets; None if unknown.
    """

    ended: bool = False
    level: LogLevel | None = None


class SharedSessions:
    """The state of sessions that all gateways of a server share."""

    def __init__(self, redis: HasLink | None) -> None:
        """Set up.

        Args:
            redis: Holds the connection to the Redis of the server, if the server has one.
        """
        self._redis = redis
        self._missed = True

    @property
    def link(self) -> Link | None:
        """The connection to Redis, or None if the server has no Redis."""
        return self._redis.link if self._redis else None

    async def end(self, session: str, seconds: float) -> None:
        """Record for all gateways that a session was deleted.

        Args:
            session: Its id.
            seconds: How long its signature can still be valid.
        """
        await self._set(session, "ended", "1", seconds)

    async def set_level(self, session: str, level: LogLevel, seconds: float) -> None:
        """Record for all gateways the lowest severity of log messages that a session gets.

        Args:
            session: Its id.
            level: The lowest severity.
            seconds: How long the session can still last.
        """
        await self._set(session, "level", level, seconds)

    async def state(self, session: str) -> SessionState:
        """Return the shared state of a session."""
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
        """Record that a session subscribed to or unsubscribed from a resource.

        Args:
            session: Its id.
            rules: A digest of the rules that allow it.
            uri: The resource.
            subscribed: Whether it is subscribed now.
        """
        link = self.link
        if link is not None:
            keys = link.key(_uris(session, rules)), link.key("session:log")
            told = "SADD" if subscribed else "SREM", uri, _digest(session)
            limits = MAX_SUBSCRIBED_URIS, KEPT_SECONDS, LOG_SECONDS
            await unless_away(_SUBSCRIBE.run(link, 2, *keys, *told, *limits))

    async def subscribed(self, session: str, rules: str) -> frozenset[str] | None:
        """Return what a session subscribed to, or None if Redis cannot tell."""
        link = self.link
        if link is None:
            return None
        key = link.key(_uris(session, rules))
        found = await unless_away(_SUBSCRIBED.run(link, 1, key, KEPT_SECONDS))
        if not isinstance(found, list):
            return None
        return frozenset(uri.decode("utf-8", "replace") for uri in found)

    async def changed(self, sessions: AbstractSet[str]) -> tuple[AbstractSet[str], bool]:
        """Return which of these sessions have recently changed their subscriptions.

        Returns:
            The sessions, and whether Redis was unavailable before. Then all sessions are returned,
            because neither Redis nor this gateway knows what changed in the meantime.
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
