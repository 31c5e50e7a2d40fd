"""Keeps a copy of what the API server has: lists once, then follows, and never gives up.

The state is one resourceVersion. Without one, everything is listed; with one, the watch goes on
after it. What the objects are for is the sink's business.
"""

from __future__ import annotations

import asyncio
import logging
import math
from contextlib import aclosing
from typing import Final, Protocol

from mcp_operator.core.meta import Key, Object, Resource, annotations_of, key_of
from mcp_operator.core.metrics import RuntimeMetrics
from mcp_operator.runtime.client import Client
from mcp_operator.runtime.errors import LOST, MALFORMED, NO_ANSWER, REFUSED, ApiError
from mcp_operator.runtime.retry import Backoff
from mcp_operator.runtime.selection import ListOptions
from mcp_operator.runtime.wire import WatchEvent

INITIAL_EVENTS_END: Final = "k8s.io/initial-events-end"
"""The annotation of the bookmark that ends the list within a watch (KEP-3157)."""

ABSENT_KIND_RETRY: Final = 30.0
"""Seconds between looks for an optional kind that the cluster does not serve."""

SHORT_WATCH: Final = 1.0
"""A watch that ends sooner and brought nothing is a fault; client-go, VeryShortWatchError."""

LONG_WATCH: Final = 5.0
"""Seconds of life after which a watch was a success, even if nothing happened in it."""

_YIELD_EVERY: Final = 500
"""Events after which other tasks get their turn, should so many come at once."""

_TRANSIENT: Final = frozenset({NO_ANSWER, 401, 403, 404})
"""Statuses that say nothing about whether a server can list within a watch."""

_log = logging.getLogger(__name__)


class Sink(Protocol):
    """Takes what the reflector sees, one object at a time."""

    def upsert(self, obj: Object) -> Key:
        """Take an object that exists in this or a newer state."""

    def remove(self, obj: Object) -> None:
        """Take the last state of an object that was deleted."""

    def advance(self, resource_version: str) -> None:
        """Take note that every change up to a version has been told."""

    def complete(self, present: set[Key], resource_version: str) -> None:
        """Take note that a list is complete: at this version there was nothing else."""


class Reflector:
    """Feeds a sink with one selection of one resource."""

    def __init__(
        self,
        client: Client,
        resource: Resource,
        options: ListOptions,
        sink: Sink,
        *,
        optional: bool,
        metrics: RuntimeMetrics,
    ) -> None:
        self.problem = ""
        """What went wrong last, as a sentence; empty while all is well."""
        self.served = True
        """Whether the cluster has the kind at all; only an optional one may be missing."""
        self.active_at = math.inf
        """When it last did anything, in the loop's time; infinite before it runs."""
        self._client = client
        self._resource = resource
        self._options = options
        self._sink = sink
        self._optional = optional
        self._version = ""
        self._told = ""
        self._relisted = False
        self._streams_lists = True
        self._backoff = Backoff()
        kind = resource.kind
        self._relists = {
            reason: metrics.informer_relists.labels(kind, reason)
            for reason in ("expired", "malformed", "not_found", "error")
        }
        self._restarts = {
            reason: metrics.informer_watch_restarts.labels(kind, reason)
            for reason in ("ended", "short", "error")
        }

    async def run(self) -> None:
        """List and watch until cancelled."""
        while True:
            self.active_at = asyncio.get_running_loop().time()
            try:
                if self._version or self._streams_lists:
                    delay = await self._watch()
                else:
                    delay = await self._list()
            except ApiError as error:
                delay = self._recover(error)
            await asyncio.sleep(delay)

    async def _list(self) -> float:
        present: set[Key] = set()
        version = ""
        pages = self._client.list_pages(self._resource, **self._options)
        async with aclosing(pages):
            async for page in pages:
                for obj in page.items:
                    present.add(self._sink.upsert(obj))
                version = page.resource_version
                await asyncio.sleep(0)
        self._completed(present, version)
        return 0.0

    async def _watch(self) -> float:
        """Follow one stream to its end and return how long to wait before the next."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        present: set[Key] | None = None if self._version else set()
        count = 0
        events = self._client.watch(
            self._resource,
            resource_version=self._version,
            send_initial_events=present is not None,
            **self._options,
        )
        followed = False
        try:
            async with aclosing(events):
                async for event in events:
                    count += 1
                    self.active_at = loop.time()
                    if present is None:
                        self._follow(event)
                        followed = True
                    elif self._collect(event, present):
                        present = None
                    if count % _YIELD_EVERY == 0:
                        await asyncio.sleep(0)
        finally:
            # A list is no success yet: its version may have expired when the watch begins.
            lived = loop.time() - began
            if followed or lived > SHORT_WATCH:
                self._relisted = False
            if followed or lived > LONG_WATCH:
                self._backoff.reset()
        if present is not None:
            raise ApiError(NO_ANSWER, LOST, "the watch ended before its list was complete")
        return self._ended(count, lived)

    def _follow(self, event: WatchEvent) -> None:
        kind, obj = event
        if kind == "DELETED":
            self._sink.remove(obj)
        elif kind != "BOOKMARK":
            self._sink.upsert(obj)
        self.problem = ""
        self._version = obj["metadata"]["resourceVersion"]
        self._sink.advance(self._version)

    def _collect(self, event: WatchEvent, present: set[Key]) -> bool:
        """Take an event of the list within a watch; tell whether the list is complete."""
        kind, obj = event
        if kind == "BOOKMARK":
            if annotations_of(obj).get(INITIAL_EVENTS_END) != "true":
                return False
            self._completed(present, obj["metadata"]["resourceVersion"])
            return True
        if kind == "DELETED":
            self._sink.remove(obj)
            present.discard(key_of(obj))
        else:
            present.add(self._sink.upsert(obj))
        return False

    def _completed(self, present: set[Key], version: str) -> None:
        self._version = version
        self.served = True
        self._sink.complete(present, version)
        self.problem = self._told = ""

    def _ended(self, count: int, lived: float) -> float:
        if count == 0 and lived < SHORT_WATCH:
            self._restarts["short"].inc()
            return self._backoff.next()
        self.problem = ""
        self._restarts["ended"].inc()
        return 0.0

    def _recover(self, error: ApiError) -> float:
        """Decide where to go on after an error, and return how long to wait before."""
        self.problem = str(error)
        if error.is_not_found:
            self.problem = (
                f"the API server does not serve {self._resource}: install its "
                f"CustomResourceDefinition ({error})"
            )
        relist = _relist_reason(error)
        if relist and self._version:
            self._version = ""
            self._relists[relist].inc()
        elif self._version:
            self._restarts["error"].inc()
        elif self._streams_lists and (error.status not in _TRANSIENT or error.reason == LOST):
            # Older servers refuse, or never end, a list within a watch; pages always work.
            self._streams_lists = False
            self._relists["error"].inc()
            return error.retry_after or 0.0
        if error.is_not_found and self._optional:
            self.served = False
            self._sink.complete(set(), "")
            return ABSENT_KIND_RETRY
        if self.problem != self._told:  # it is tried again for as long as it takes
            self._told = self.problem
            _log.warning(
                "Watch failed; it is opened again",
                extra={"kind": self._resource.kind, "error": self.problem},
            )
        if error.is_expired and not self._relisted:
            self._relisted = True
            return 0.0
        refused = error.reason == REFUSED
        delay = self._backoff.next(Backoff.LONGEST_REFUSED if refused else Backoff.LONGEST)
        return error.retry_after or delay


def _relist_reason(error: ApiError) -> str:
    """Tell why the present version is of no more use, or return nothing if it still is."""
    if error.is_expired:
        return "expired"
    if error.reason == MALFORMED:
        return "malformed"
    return "not_found" if error.is_not_found else ""
