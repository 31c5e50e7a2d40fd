"""What the management port shows: of this process, or of several that serve as one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from prometheus_client import CollectorRegistry, generate_latest

from mcp_operator.api.catalog import JsonObject
from mcp_operator.core.clock import rfc3339_micro
from mcp_operator.gateway.redis.server import RedisOfServer
from mcp_operator.gateway.root_key import RootKey
from mcp_operator.gateway.table import Changes, Current


class Pages(Protocol):
    """The pages of the management port."""

    async def dead(self) -> str:
        """Say why this should be restarted; empty where it should not."""
        ...

    async def unready(self) -> str:
        """Say why no traffic should come here; empty where it should."""
        ...

    async def metrics(self) -> bytes:
        """Return the metrics in the Prometheus text format."""
        ...

    async def catalog(self, digest: str, wait: float) -> JsonObject:
        """Report which catalog is served.

        Args:
            digest: The one that is waited for.
            wait: For how many seconds at most.
        """
        ...


class OwnPages:
    """What one gateway says of itself; `Pages`."""

    def __init__(
        self,
        current: Current,
        registry: CollectorRegistry,
        unready: Callable[[], str],
        root: RootKey,
        redis: RedisOfServer | None = None,
    ) -> None:
        """Set up.

        Args:
            current: Holds the table in service.
            registry: What `/metrics` exposes.
            unready: Says why no traffic should come here; empty where it should.
            root: What all replicas share.
            redis: The Redis of the server, where it has one.
        """
        self._redis = redis
        self._current = current
        self._registry = registry
        self._unready = unready
        self._root = root

    async def dead(self) -> str:
        """Say nothing: who answers is alive."""
        return ""

    async def unready(self) -> str:
        """Say why no traffic should come here."""
        return self._unready()

    async def metrics(self) -> bytes:
        """Return the registry's metrics."""
        return generate_latest(self._registry)

    async def catalog(self, digest: str, wait: float) -> JsonObject:
        """Report which catalog is served, as soon as it is the one that is waited for."""
        if wait > 0:
            await self._wait_for(digest, wait)
        table, loaded_at = self._current.table, self._current.loaded_at
        if table is None or loaded_at is None:
            return {"digest": "", "generation": 0}
        problem = self._redis.problem if self._redis is not None else None
        return {
            **({} if problem is None else {"redis": problem}),
            "digest": table.digest,
            "generation": self._current.generation,
            "tools": len(table.tools),
            "prompts": len(table.prompts),
            "resources": len(table.resources) + len(table.templates),
            "shards": table.shards,
            "loadedAt": rfc3339_micro(loaded_at),
            "rejected": dict(table.rejected),
            "lacks": self._root.problem,
        }

    async def _wait_for(self, digest: str, seconds: float) -> None:
        """Return as soon as a digest is served, and at the latest after `seconds`."""
        served = asyncio.Event()

        def check(_: Changes | None = None) -> None:
            if self._current.table is not None and self._current.table.digest == digest:
                served.set()

        unsubscribe = self._current.subscribe(check)
        try:
            check()
            async with asyncio.timeout(seconds):
                await served.wait()
        except TimeoutError:
            return  # the report says which catalog is served instead
        finally:
            unsubscribe()
