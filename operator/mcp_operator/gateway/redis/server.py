"""The Redis of the server whose catalog is in service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, Gauge

from mcp_operator.gateway.background import TaskSet
from mcp_operator.gateway.redis.contract import Link
from mcp_operator.gateway.redis.dial import Dialer
from mcp_operator.gateway.table import Current
from mcp_operator.gateway.upstream.secret_values import SecretSource

if TYPE_CHECKING:
    from mcp_operator.gateway.redis.link import RedisLink


TOLD_SECONDS: Final = 10.0
"""How long Redis must be unavailable before the operator is told, as a failover takes less."""


class RedisOfServer:
    """Keeps the connection in line with `spec.redis`."""

    def __init__(
        self,
        current: Current,
        dialer: Dialer,
        source: SecretSource,
        registry: CollectorRegistry,
    ) -> None:
        """Set up; `start` connects.

        Args:
            current: Holds the catalog.
            dialer: Opens connections.
            source: Provides passwords and certificates.
            registry: Receives the metric while there is a Redis.
        """
        self._link: RedisLink | None = None
        self._current = current
        self._dialer = dialer
        self._source = source
        self._registry = registry
        self._up: Gauge | None = None
        self._stopping = TaskSet()

    @property
    def link(self) -> Link | None:
        """The connection to Redis, or None if the server has no Redis."""
        return self._link

    @property
    def problem(self) -> str | None:
        """Why Redis has been unavailable for a while; empty if it is not, None without a Redis."""
        link = self._link
        if link is None:
            return None
        return link.problem if link.away_seconds > TOLD_SECONDS else ""

    def start(self) -> None:
        """Connect, and follow changes of the settings."""
        self._current.subscribe(lambda _: self._follow())
        self._follow()

    async def close(self) -> None:
        """Disconnect."""
        link, self._link = self._link, None
        if link is not None:
            await link.stop()
        await self._stopping.close()
        await self._dialer.close()

    def _follow(self) -> None:
        settings = self._current.server.redis
        old = self._link
        if (old.settings if old else None) == settings:
            return
        self._link = None
        if old is not None:
            self._stopping.start("leave a Redis", old.stop())
        if settings is not None:
            # Imported only here: the library takes 10 MB of memory.
            from mcp_operator.gateway.redis.link import RedisLink  # noqa: PLC0415

            self._link = RedisLink(settings, self._dialer, self._source)
            self._link.start()
        self._expose()

    def _expose(self) -> None:
        """Expose the metric only while there is a Redis, because without one it has no meaning."""
        if self._link is None and self._up is not None:
            self._registry.unregister(self._up)
            self._up = None
        if self._link is not None and self._up is None:
            self._up = Gauge(
                "mcp_redis_up",
                "1 while the Redis of spec.redis is available, 0 otherwise.",
                registry=self._registry,
            )
            self._up.set_function(lambda: float(self._link is not None and self._link.is_up))
