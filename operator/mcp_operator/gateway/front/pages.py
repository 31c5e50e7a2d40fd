"""The pages of the management port: of one process, or of several that serve together."""

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
        """Return why this should be restarted, or nothing."""
        ...

    async def unready(self) -> str:
        """Return why this should not get traffic, or nothing."""
        ...

    async def metrics(self) -> bytes:
        """Return the metrics in the Prometheus text format."""
        ...

    async def catalog(self, digest: str, wait: float) -> JsonObject:
        """Report which catalog is served.

        Args:
            digest: The digest to wait for.
            wait: The longest time to wait, in seconds.
        """
        ...


class OwnPages:
    """The `Pages` of one gateway process."""

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
            registry: The metrics that `/metrics` exposes.
            unready: Returns why this should not get traffic, or nothing.
            root: The key that all replicas share.
            redis: The Redis of the server, if it has one.
        """
        self._redis = redis
        self._current = current
        self._registry = registry
        self._unready = unready
        self._root = root

    async def dead(self) -> str:
        """Return nothing: a process that answers is alive."""
        return ""

    async def unready(self) -> str:
        """Return why this should not get traffic, or nothing."""
        return self._unready()

    async def metrics(self) -> bytes:
        """Return the registry's metrics."""
        return generate_latest(self._registry)

    async def catalog(self, digest: str, wait: float) -> JsonObject:
        """Report which catalog is served, as soon as it is the requested one."""
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
        """Return as soon as the digest is served, or after `seconds`."""
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
