"""Admits calls within the limits of the catalog in service."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager

from mcp_operator.api.catalog import JsonObject
from mcp_operator.gateway.limits.buckets import Bucket, LocalBuckets, Verdict
from mcp_operator.gateway.limits.errors import LimitedError, too_many
from mcp_operator.gateway.limits.plan import Plan
from mcp_operator.gateway.limits.polls import Polls
from mcp_operator.gateway.limits.shared import SharedBuckets
from mcp_operator.gateway.redis.contract import HasLink
from mcp_operator.gateway.redis.errors import RedisAwayError
from mcp_operator.gateway.shares import digest_of
from mcp_operator.gateway.table import Current, Named, Table


class Limiter:
    """Counts the calls of one gateway.

    Attributes:
        plan: The limits; None if there are none, so that callers can skip the check.
    """

    def __init__(self, current: Current, redis: HasLink | None = None) -> None:
        """Follow the catalog in service.

        Args:
            current: Holds the catalog.
            redis: The Redis in which the gateways of the server count, if the server has one.
        """
        self.plan: Plan | None = None
        self._polls = Polls()
        self._current = current
        self._redis = redis
        self._local = LocalBuckets()
        self._shared = SharedBuckets(self._local)
        self._running: dict[str, int] = {}
        current.subscribe(lambda _: self._follow())
        self._follow()

    def _follow(self) -> None:
        table = self._current.table
        plan = Plan(table.catalog) if table else None
        self.plan = None if plan is None or plan.is_empty else plan

    def named(self, table: Table, method: str, params: JsonObject) -> Named | None:
        """Return the tool, prompt or resource that a call is for.

        If it does not exist or is not served to the client, the call counts, but not towards the
        limits of a name. So clients cannot use up the limit of a tool that they cannot use.

        Args:
            table: The entries that are served to the client.
            method: The MCP method.
            params: Its parameters, not validated.
        """
        if method == "resources/read" and not (self.plan and self.plan.counts_resources):
            return None  # it makes no difference, and spares matching every template
        return table.named(method, params)

    @asynccontextmanager
    async def admitted(self, named: Named | None, client: str) -> AsyncIterator[None]:
        """Admit a call, which is in progress until the context exits.

        Args:
            named: What the call is for.
            client: The client that calls.

        Raises:
            LimitedError: The call exceeds a limit.
        """
        plan = self.plan
        if plan is None:
            yield
            return
        with self._place(plan, named.name if named and named.kind == "tools" else ""):
            await self._count(plan.buckets(named, client))
            yield

    def note_interval(self, digest: str, task_id: str, seconds: float) -> None:
        """Note the polling interval that a client was told for a task.

        Args:
            digest: The digest of the client.
            task_id: The task.
            seconds: The polling interval.
        """
        if self.plan is not None:
            self._polls.told(digest, task_id, seconds)

    async def count_poll(self, client: str, task_id: object) -> None:
        """Count a request for the state of a task, unless it respects the polling interval.

        Args:
            client: The client.
            task_id: The task, not validated.

        Raises:
            LimitedError: The request exceeds the limit.
        """
        if not self._polls.take(digest_of(client), task_id):
            await self.count_for_task(client)

    async def count_for_task(self, client: str) -> None:
        """Count a request for a task as one call of its client.

        Only the client's own limit counts it, because it calls no tool and delays no other client.

        Raises:
            LimitedError: The request exceeds the limit.
        """
        if self.plan is not None:
            await self._count(self.plan.of_client(client))

    async def _count(self, buckets: Sequence[Bucket]) -> None:
        verdict = await self._take(buckets) if buckets else None
        if verdict is not None:
            raise too_many(verdict.bucket.limit, verdict.wait)

    async def _take(self, buckets: Sequence[Bucket]) -> Verdict | None:
        settings = self._current.server.redis
        if settings is None:
            return self._local.take(buckets, asyncio.get_running_loop().time())
        link = self._redis.link if self._redis else None
        if link is not None:
            try:
                return await self._shared.take(link, buckets)
            except RedisAwayError:
                if settings.failure_mode == "Open":
                    return self._shared.take_share(link, buckets)
        raise LimitedError(
            "redis", "This server cannot check rate limits now; try again", 1, status=503
        )

    @contextmanager
    def place_of(self, tool: str) -> Iterator[None]:
        """Hold a place of a tool for a background call, whose request was already counted.

        Raises:
            LimitedError: The tool has a limit on concurrent calls, and all places are taken.
        """
        if self.plan is None:
            yield
            return
        with self._place(self.plan, tool):
            yield

    @contextmanager
    def _place(self, plan: Plan, tool: str) -> Iterator[None]:
        """Hold one of the places of a tool, if it has a limit on concurrent calls."""
        limit = plan.places.get(tool)
        if limit is None:
            yield
            return
        running = self._running.get(tool, 0)
        if running >= limit:
            raise LimitedError("toolConcurrency", "Too many calls to this tool are in progress", 1)
        self._running[tool] = running + 1
        try:
            yield
        finally:
            self._running[tool] -= 1
            if not self._running[tool]:
                del self._running[tool]
