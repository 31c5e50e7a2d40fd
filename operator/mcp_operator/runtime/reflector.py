"""Mirrors one selection of a resource into a sink: lists once, then watches, and never gives up.

Its only state is a resourceVersion. Without one, it lists; with one, it resumes the watch after it.
Before it resumes, it checks that the API server has reached this version. After a restore of etcd
the server may not have reached it, and a watch would not report that.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable
from contextlib import aclosing
from typing import Final, Protocol

from mcp_operator.core.meta import Key, Object, Resource, annotations_of, key_of
from mcp_operator.core.metrics import RuntimeMetrics
from mcp_operator.core.tasks import STEP_SECONDS, in_steps
from mcp_operator.runtime.client import Client
from mcp_operator.runtime.errors import LOST, MALFORMED, NO_ANSWER, ApiError
from mcp_operator.runtime.retry import Backoff
from mcp_operator.runtime.selection import ListOptions
from mcp_operator.runtime.sources import Channel
from mcp_operator.runtime.wire import WatchEvent

INITIAL_EVENTS_END: Final = "k8s.io/initial-events-end"
"""The annotation of the bookmark that ends a streaming list, a list within a watch (KEP-3157)."""

ABSENT_KIND_RETRY: Final = 30.0
"""Seconds between checks for an optional resource that the cluster does not serve."""

SHORT_WATCH: Final = 1.0
"""Seconds. A watch that ends sooner without an event has failed; client-go, VeryShortWatchError."""

LONG_WATCH: Final = 5.0
"""Seconds after which a watch counts as successful, even without an event."""

_TRANSIENT: Final = frozenset({NO_ANSWER, 401, 403, 404})
"""Statuses that say nothing about whether a server supports streaming lists."""

_log = logging.getLogger(__name__)


class Sink(Protocol):
    """Receives what the reflector observes, one object at a time; client-go's ReflectorStore."""

    def upsert(self, obj: Object) -> Key:
        """Process an object that exists, in this or a newer state; return its key."""

    def remove(self, obj: Object) -> None:
        """Process the last state of a deleted object."""

    def advance(self, resource_version: str) -> None:
        """Record that all changes up to a version have been reported."""

    def complete(self, present: set[Key], resource_version: str) -> None:
        """Record that a list is complete: there were no other objects at this version."""


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
        availability: Channel | None = None,
        on_rollback: Callable[[], None],
    ) -> None:
        self.settled = asyncio.Event()
        """Set once the first list is complete, or is refused for lack of permission."""
        self.refused = False
        """Whether the last list or watch was refused for lack of permission."""
        self.problem = ""
        """The last error, as a sentence; empty while the watch is healthy."""
        self.served = True
        """Whether the cluster serves the resource; only an optional one may be missing."""
        self.missing = False
        """Whether the cluster has answered that it does not know the resource."""
        self.availability = availability or Channel(f"availability of {resource}")
        """Sends an event whenever `missing` changes."""
        self.active_at = math.inf
        """When it was last active, in the loop's time; infinite before it runs."""
        self._client = client
        self._resource = resource
        self._options = options
        self._sink = sink
        self._optional = optional
        self._on_rollback = on_rollback
        self._version = ""
        self._resuming = False
        self._patience: asyncio.Timeout | None = None
        self._logged = ""
        self._lost = False
        self._relisted = False
        self._use_watch_list = True
        self._backoff = Backoff()
        kind = resource.kind
        self._relists = {
            reason: metrics.informer_relists.labels(kind, reason)
            for reason in ("expired", "malformed", "not_found", "rolled_back", "error")
        }
        self._restarts = {
            reason: metrics.informer_watch_restarts.labels(kind, reason)
            for reason in ("ended", "short", "error")
        }

    async def run(self) -> None:
        """List and watch until cancelled."""
        while True:
            self.active_at = asyncio.get_running_loop().time()
            patience = self._patience = asyncio.timeout(None)
            try:
                async with patience:
                    await asyncio.sleep(await self._step())
            except TimeoutError:
                if not patience.expired():
                    raise
                self._version = ""
            finally:
                self._patience = None

    def distrust(self) -> None:
        """Stop the current watch and list at once, because the data was rolled back."""
        self._version = ""
        self._relists["rolled_back"].inc()
        if self._patience is not None and not self._patience.expired():
            self._patience.reschedule(asyncio.get_running_loop().time())

    async def _step(self) -> float:
        """List, or follow one watch to its end; return the seconds to wait before the next step."""
        try:
            if self._version and self._resuming and await self._is_rolled_back():
                self._on_rollback()
                return 0.0
            if self._version or self._use_watch_list:
                return await self._watch()
            return await self._list()
        except ApiError as error:
            return self._recover(error)

    async def _is_rolled_back(self) -> bool:
        """Compare the version to resume from with the newest one there is.

        A list is a consistent read, so it cannot be older unless the data was rolled back. A watch
        would stay silent until the versions have caught up, and then report only later changes.
        """
        newest = await self._client.current_version(self._resource, **self._options)
        comparable = newest.isdecimal() and self._version.isdecimal()
        return comparable and int(newest) < int(self._version)

    async def _list(self) -> float:
        present: set[Key] = set()
        version = ""
        pages = self._client.list_pages(self._resource, **self._options)
        async with aclosing(pages):
            async for page in pages:
                async for obj in in_steps(page.items):
                    present.add(self._sink.upsert(obj))
                version = page.resource_version
        self._completed(present, version)
        return 0.0

    async def _watch(self) -> float:
        """Follow one watch to its end, and return the seconds to wait before the next."""
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
        until = time.monotonic()
        try:
            async with aclosing(events):
                async for event in events:
                    count += 1
                    self.active_at = loop.time()
                    if present is None:
                        self._follow(event)
                        followed = True
                    elif self._collect_initial(event, present):
                        present = None
                    if time.monotonic() > until:  # many came at once: let other tasks run
                        await asyncio.sleep(0)
                        until = time.monotonic() + STEP_SECONDS
        finally:
            self._resuming = True
            # A list alone is not enough: its version may have expired when the watch starts.
            lived = loop.time() - began
            if followed or lived > SHORT_WATCH:
                self._relisted = False
            if followed or lived > LONG_WATCH:
                self._backoff.reset()
        if present is not None:
            raise ApiError(NO_ANSWER, LOST, "the watch ended before its initial list was complete")
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

    def _collect_initial(self, event: WatchEvent, present: set[Key]) -> bool:
        """Process an event of a streaming list; return whether the list is complete."""
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
        self._resuming = self.refused = False
        self.served = True
        self._sink.complete(present, version)
        self.problem = self._logged = ""
        self._lost = False
        self.settled.set()
        self._known(missing=False)

    def _ended(self, count: int, lived: float) -> float:
        if count == 0 and lived < SHORT_WATCH:
            self._restarts["short"].inc()
            return self._backoff.next()
        self.problem = ""
        self._lost = False
        self._restarts["ended"].inc()
        return 0.0

    def _recover(self, error: ApiError) -> float:
        """Decide how to continue after an error, and return the seconds to wait."""
        self.problem = str(error)
        self.refused = error.is_forbidden
        if self.refused:
            self.settled.set()
        if error.is_not_found:
            self.problem = (
                f"the API server does not serve {self._resource}: install its "
                f"CustomResourceDefinition ({error})"
            )
            self._known(missing=True)
        relist = _relist_reason(error)
        if relist and self._version:
            self._version = ""
            self._relists[relist].inc()
        elif self._version:
            self._restarts["error"].inc()
        elif self._use_watch_list and (error.status not in _TRANSIENT or error.reason == LOST):
            # Older servers reject a streaming list, or never end it; paging always works.
            self._use_watch_list = False
            self._relists["error"].inc()
            return error.retry_after or 0.0
        if error.is_not_found and self._optional:
            self.served = False
            self._sink.complete(set(), "")
            self.settled.set()
            return ABSENT_KIND_RETRY
        # The transport logs once that the API server cannot be reached. A lost connection is
        # reopened at once, so it is logged only if it is lost a second time in a row.
        quiet = error.is_unreachable or (error.reason == LOST and not self._lost)
        self._lost = error.reason == LOST
        if not quiet and self.problem != self._logged:  # not again for each retry
            self._logged = self.problem
            _log.warning(
                "Watch failed, retrying", extra={"kind": self._resource.kind, "error": self.problem}
            )
        if error.is_expired and not self._relisted:
            self._relisted = True
            return 0.0
        longest = Backoff.LONGEST_REFUSED if error.is_unreachable else Backoff.LONGEST
        delay = self._backoff.next(longest)
        return error.retry_after or delay

    def _known(self, *, missing: bool) -> None:
        if missing != self.missing:
            self.missing = missing
            self.availability.send(Key("", str(self._resource)))


def _relist_reason(error: ApiError) -> str:
    """Return why a watch cannot resume from the current version; empty if it can."""
    if error.is_expired:
        return "expired"
    if error.reason == MALFORMED:
        return "malformed"
    return "not_found" if error.is_not_found else ""
