"""Writes Kubernetes events about objects, without ever blocking the code that reports them.

Events are best-effort: one that cannot be written is dropped. If an event recurs within a few
minutes, the count of the first one increases.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from mcp_operator.core.clock import Clock, rfc3339_micro
from mcp_operator.core.errors import OperatorError
from mcp_operator.core.meta import Key, Object, Resource, key_of, uid_of
from mcp_operator.runtime.client import Client
from mcp_operator.runtime.errors import ApiError

EVENTS: Final = Resource("events.k8s.io", "v1", "events", "Event")

QUEUE_SIZE: Final = 1000
"""Events in the queue; client-go, tools/events/event_broadcaster.go, and the record package."""

SERIES_SECONDS: Final = 360.0
"""Seconds until a recurring event starts a new series; client-go, tools/events, finishTime."""

MAX_CACHED: Final = 4096
"""Series and buckets kept; client-go, tools/record/events_cache.go, maxLruCacheEntries."""

BURST: Final = 25
"""Events an object can have at once; client-go, tools/record/events_cache.go, defaultSpamBurst."""

SECONDS_PER_EVENT: Final = 300.0
"""Seconds until an object can have one more event after a burst; defaultSpamQPS in that file."""

_NOTE_LIMIT: Final = 1024
"""Bytes; Kubernetes, pkg/apis/core/validation/events.go, NoteLengthLimit."""

_NAME_LIMIT: Final = 230
"""Characters of an object's name kept in the event's name, which adds 17 and may have 253."""

_log = logging.getLogger(__name__)


class _Report(NamedTuple):
    """Identifies a series; equal reports belong to the same one."""

    api_version: str
    kind: str
    key: Key
    uid: str
    type: str
    reason: str
    note: str
    action: str


@dataclass(slots=True)
class _Series:
    """An event that was written, and how often it occurred."""

    key: Key
    count: int
    last: float


@dataclass(slots=True)
class _TokenBucket:
    """How many events an object can still have, as of a point in time."""

    tokens: float
    at: float


class EventRecorder:
    """Writes events about objects.

    Args:
        client: Writes the events.
        controller: The `reportingController`, such as `mcp-operator.dev/operator`.
        instance: The `reportingInstance`, such as the pod's name.
        clock: Provides the events' timestamps.
    """

    def __init__(self, client: Client, *, controller: str, instance: str, clock: Clock) -> None:
        self._client = client
        self._reporter = {"reportingController": controller, "reportingInstance": instance}
        self._clock = clock
        self._queue: asyncio.Queue[_Report] = asyncio.Queue(QUEUE_SIZE)
        self._series: OrderedDict[_Report, _Series] = OrderedDict()
        self._buckets: OrderedDict[tuple[str, Key], _TokenBucket] = OrderedDict()

    def event(
        self,
        obj: Object,
        *,
        type: Literal["Normal", "Warning"],  # noqa: A002  # the API's own name for it
        reason: str,
        note: str,
        action: str = "Reconcile",
    ) -> None:
        """Report an event about an object; `run` writes it later.

        The reason is one word for machines, such as `Created`; the note is a sentence for users,
        and is truncated to the API's limit.
        """
        note = note.encode()[:_NOTE_LIMIT].decode(errors="ignore")
        report = _Report(
            *(obj["apiVersion"], obj["kind"], key_of(obj), uid_of(obj)),
            *(type, reason, note, action),
        )
        if self._queue.full() or not self._allows(report):
            _log.debug("Event dropped", extra={"kind": report.kind, "reason": reason})
            return
        self._queue.put_nowait(report)

    async def run(self) -> None:
        """Write reported events until cancelled."""
        while True:
            report = await self._queue.get()
            try:
                await self._write(report)
            except OperatorError as error:
                _log.info(
                    "Cannot write an event",
                    extra={"kind": report.kind, "reason": report.reason, "error": str(error)},
                )

    def _allows(self, report: _Report) -> bool:
        """Take a token from the object's bucket, and return whether there was one."""
        now = asyncio.get_running_loop().time()
        bucket = self._buckets.pop((report.kind, report.key), None) or _TokenBucket(BURST, now)
        bucket.tokens = min(BURST, bucket.tokens + (now - bucket.at) / SECONDS_PER_EVENT)
        bucket.at = now
        allowed = bucket.tokens >= 1
        bucket.tokens -= allowed
        self._buckets[report.kind, report.key] = bucket
        if len(self._buckets) > MAX_CACHED:
            self._buckets.popitem(last=False)
        return allowed

    async def _write(self, report: _Report) -> None:
        now = asyncio.get_running_loop().time()
        series = self._series.pop(report, None)
        if series is None or now - series.last > SERIES_SECONDS or not await self._repeat(series):
            series = _Series(await self._create(report), 1, now)
        series.last = now
        self._series[report] = series
        if len(self._series) > MAX_CACHED:
            self._series.popitem(last=False)

    async def _repeat(self, series: _Series) -> bool:
        """Increase the count of an event; return False if the event no longer exists."""
        series.count += 1
        seen = {"count": series.count, "lastObservedTime": rfc3339_micro(self._clock.now())}
        try:
            await self._client.merge_patch(EVENTS, series.key, {"series": seen})
        except ApiError as error:
            if error.is_not_found:
                return False
            raise
        return True

    async def _create(self, report: _Report) -> Key:
        namespace = report.key.namespace or "default"  # for cluster-scoped objects
        name = f"{report.key.name[:_NAME_LIMIT]}.{secrets.token_hex(8)}"
        event = {
            "apiVersion": EVENTS.api_version,
            "kind": EVENTS.kind,
            "metadata": {"namespace": namespace, "name": name},
            "eventTime": rfc3339_micro(self._clock.now()),
            "type": report.type,
            "reason": report.reason,
            "note": report.note,
            "action": report.action,
            "regarding": {
                "apiVersion": report.api_version,
                "kind": report.kind,
                "namespace": report.key.namespace,
                "name": report.key.name,
                "uid": report.uid,
            },
            **self._reporter,
        }
        return key_of(await self._client.create(EVENTS, event))
