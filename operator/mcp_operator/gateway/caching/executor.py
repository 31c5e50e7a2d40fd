"""An executor that caches the responses of another executor, which calls backends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, TypeAlias, TypeVar

from prometheus_client import CollectorRegistry, Counter

from mcp_operator.api.caching import CachePolicy
from mcp_operator.api.catalog import JsonObject, ResourceEntry, ToolEntry
from mcp_operator.api.uritemplates import Variables
from mcp_operator.gateway.caching import shared
from mcp_operator.gateway.caching.key import resource_key, tool_key
from mcp_operator.gateway.caching.store import ENTRY_BYTES, Kept, Store
from mcp_operator.gateway.contract import (
    NO_INPUT,
    Call,
    Executor,
    InputRequired,
    Job,
    ToolResult,
    Validators,
)
from mcp_operator.gateway.redis.contract import HasLink, Link
from mcp_operator.gateway.table import Current

STALE_SECONDS: Final = 3600.0
"""How long after expiry a response can be revalidated with its backend."""

Outcome: TypeAlias = Literal["hit", "miss", "revalidated"]

_Answer = TypeVar("_Answer", ToolResult | InputRequired | Job, tuple[JsonObject, ...])


@dataclass(slots=True)
class _Flight:
    """A call in flight, and the number of requests that wait for it."""

    task: asyncio.Task[Any]
    waiting: int = 0


class CachingExecutor:
    """`Executor` that caches the responses of tools and resources that have a `cache`."""

    def __init__(
        self,
        inner: Executor,
        current: Current,
        registry: CollectorRegistry,
        redis: HasLink | None = None,
        store: Store | None = None,
    ) -> None:
        """Set up.

        Args:
            inner: Calls the backends.
            current: Holds the catalog.
            registry: Receives the metric.
            redis: The state that the gateways of the server share, if the server has a Redis.
            store: Holds the responses; defaults to one of the usual size.
        """
        self._inner = inner
        self._current = current
        self._redis = redis
        self._store = store or Store()
        self._flights: dict[str, _Flight] = {}
        self._outcomes = Counter(
            "mcp_response_cache_total",
            "Calls and reads that have a cache, by the source of their answer.",
            ["outcome"],
            registry=registry,
        )
        for outcome in ("hit", "miss", "revalidated"):
            self._outcomes.labels(outcome)

    async def call_tool(
        self, tool: ToolEntry, arguments: JsonObject, call: Call
    ) -> ToolResult | InputRequired | Job:
        """Call a tool, or return a cached result. Tools that can become tasks are never cached."""
        policy = tool.cache
        if policy is None or tool.task is not None or call.input is not NO_INPUT:
            return await self._inner.call_tool(tool, arguments, call)
        key = tool_key(self._current.server, tool, policy, arguments, call)
        return await self._answered(
            key, policy, call, lambda asked: self._inner.call_tool(tool, arguments, asked)
        )

    async def look_at(
        self, tool: ToolEntry, job: Job, call: Call
    ) -> ToolResult | InputRequired | Job:
        """Request the state of a job once.

        Raises:
            JobUnreachableError: The backend did not report the state.
        """
        return await self._inner.look_at(tool, job, call)

    async def wait_for(self, tool: ToolEntry, job: Job, call: Call) -> ToolResult:
        """Poll a job until it ends or the call reaches its deadline."""
        return await self._inner.wait_for(tool, job, call)

    async def drop(self, tool: ToolEntry, job: Job, call: Call) -> None:
        """Tell the backend that nobody needs a job any longer."""
        await self._inner.drop(tool, job, call)

    async def read_resource(
        self, entry: ResourceEntry, uri: str, variables: Variables, call: Call
    ) -> tuple[JsonObject, ...]:
        """Read a resource, or return its cached content; sets on `call` how long it stays fresh.

        Raises:
            ResourceUnavailable: The content could not be read.
        """
        policy = entry.cache
        if call.validators is not None:  # the caller wants to know whether it has changed
            return await self._inner.read_resource(entry, uri, variables, call)
        if policy is None:
            hints = self._current.server.cache.resources if self._current.server.cache else None
            if hints is not None:
                call.fresh_seconds, call.is_public = hints.ttl_seconds, self._is_public(hints)
            return await self._inner.read_resource(entry, uri, variables, call)
        key = resource_key(self._current.server, entry, policy, uri, call)
        return await self._answered(
            key,
            policy,
            call,
            lambda asked: self._inner.read_resource(entry, uri, variables, asked),
        )

    def _is_public(self, policy: CachePolicy) -> bool:
        """Tell whether a downstream cache can give a response to every client."""
        return policy.shared and self._current.server.auth is None

    @property
    def _link(self) -> Link | None:
        settings = self._current.server.cache
        in_redis = settings is not None and settings.in_redis
        return self._redis.link if in_redis and self._redis is not None else None

    async def _answered(
        self,
        key: str,
        policy: CachePolicy,
        call: Call,
        ask: Callable[[Call], Awaitable[_Answer]],
    ) -> _Answer:
        now = asyncio.get_running_loop().time
        kept = self._store.get(key)
        if kept is not None and kept.until > now():
            self._outcomes.labels("hit").inc()
            answer: _Answer = kept.value
        else:
            answer = await self._joined(key, lambda: self._asked(key, policy, call, ask))
            kept = self._store.get(key)
        if kept is not None and kept.value is answer:
            call.fresh_seconds = max(0.0, kept.until - now())
            call.is_public = self._is_public(policy)
        return answer

    async def _joined(self, key: str, begin: Callable[[], Awaitable[_Answer]]) -> _Answer:
        """Wait for a call in flight, or start one.

        The call continues for as long as any request waits for it, not only the one that started
        it. When none is left, it is cancelled.
        """
        flight = self._flights.get(key)
        if flight is None:
            task = asyncio.ensure_future(begin())
            flight = self._flights[key] = _Flight(task)
            task.add_done_callback(lambda done: self._landed(key, done))
        flight.waiting += 1
        try:
            answer: _Answer = await asyncio.shield(flight.task)
        finally:
            flight.waiting -= 1
            if not flight.waiting and not flight.task.done():
                self._flights.pop(key, None)
                flight.task.cancel()
        return answer

    def _landed(self, key: str, task: asyncio.Task[Any]) -> None:
        flight = self._flights.get(key)
        if flight is not None and flight.task is task:
            del self._flights[key]
        if not task.cancelled():
            task.exception()  # every request that waits gets it; this marks it as retrieved

    async def _asked(
        self,
        key: str,
        policy: CachePolicy,
        call: Call,
        ask: Callable[[Call], Awaitable[_Answer]],
    ) -> _Answer:
        """Get a response from Redis or the backend, and cache it."""
        link, now = self._link, asyncio.get_running_loop().time
        if link is not None and (found := await shared.fetch(link, key)) is not None:
            self._outcomes.labels("hit").inc()
            self._keep(key, found._replace(seconds=min(found.seconds, policy.ttl_seconds)), call)
            kept: _Answer = found.value
            return kept
        old = self._store.get(key)
        if old is not None and old.until + STALE_SECONDS < now():
            old = None
        validators = replace(old.validators) if old is not None else Validators()
        answer = await ask(replace(call, validators=validators))
        if validators.unchanged and old is not None:
            self._outcomes.labels("revalidated").inc()
            answer = old.value
        else:
            self._outcomes.labels("miss").inc()
        if _is_good(answer):
            data = shared.encoded(answer, validators)
            found = shared.Found(answer, validators, policy.ttl_seconds, len(data))
            self._keep(key, found, call)
            if link is not None:
                await shared.keep(link, key, data, policy.ttl_seconds)
        else:
            self._store.discard(key)
        return answer

    def _keep(self, key: str, found: shared.Found, call: Call) -> None:
        until = asyncio.get_running_loop().time() + found.seconds
        size = ENTRY_BYTES + found.size
        self._store.put(key, Kept(found.value, until, found.validators, size, call.client))


def _is_good(answer: Any) -> bool:
    return not isinstance(answer, InputRequired) and not getattr(answer, "is_error", False)
