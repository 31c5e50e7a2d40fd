"""Polls backends for changes of resources that have subscribers.

Backends do not report changes. If a resource has a polling interval, its content is read again and
compared while a stream of this process subscribes to it. Streams with equal requests to the backend
share one read. Each process polls for its own streams.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from mcp_operator.api.catalog import ResourceEntry
from mcp_operator.api.uritemplates import Variables
from mcp_operator.gateway import exact
from mcp_operator.gateway.background import TaskSet
from mcp_operator.gateway.contract import Call, Executor, ResourceUnavailable, Validators
from mcp_operator.gateway.policy.principal import Principal
from mcp_operator.gateway.protocol.subscriptions import Hub
from mcp_operator.gateway.shares import Shares
from mcp_operator.gateway.table import Changes, Current, Table

log = logging.getLogger(__name__)

MAX_POLLED: Final = 256
"""Resources that one process polls, half of which one client can use. Subscribers to further ones
get no notifications."""

MAX_AT_ONCE: Final = 8
"""Reads in progress at the same time."""

TICK_SECONDS: Final = 1.0
"""Seconds between two checks of the subscriptions and of the reads that are due."""

MAX_BACKOFF_SECONDS: Final = 300.0
"""The longest pause after failures, unless the interval is longer."""

PORTION: Final = 500
"""URIs that are processed before the event loop gets a turn."""

_Asked: TypeAlias = tuple[str, tuple[tuple[str, str], ...]]
"""A URI, and the client's headers that are forwarded with it."""

_CLIENT: Final = "subscriptions"
"""The client that all polling counts as, when clients share a backend."""


@dataclass(slots=True)
class _Polled:
    """A resource that is polled.

    Attributes:
        digest: A digest of the last content; empty before the first read.
        due: When it is read next, in the loop's time.
        failures: The number of consecutive failures.
        reading: Whether a read is in progress.
    """

    entry: ResourceEntry
    variables: Variables
    digest: str = ""
    validators: Validators = field(default_factory=Validators)
    due: float = 0.0
    failures: int = 0
    reading: bool = False


class Poller:
    """Polls resources while they have subscribers."""

    def __init__(
        self,
        current: Current,
        hub: Hub,
        executor: Executor,
        visible: Callable[[Principal, str], bool],
    ) -> None:
        """Set up.

        Args:
            current: Holds the catalog.
            hub: Holds the streams.
            executor: Reads the content.
            visible: Tells whether the resource of a URI is served to a client.
        """
        self._current = current
        self._hub = hub
        self._executor = executor
        self._visible = visible
        self._polled: dict[_Asked, _Polled] = {}
        self._running = False
        self._tasks = TaskSet()
        self._reads = TaskSet()
        current.subscribe(lambda _: self.wake())

    async def close(self) -> None:
        """Cancel all reads."""
        await self._tasks.close()
        await self._reads.close()

    def forwarded(self, headers: Mapping[str, str]) -> dict[str, str]:
        """Return the client's headers that its stream must keep, because backends get them."""
        table = self._current.table
        names = {
            name.lower()
            for entry in (_polled_of(table) if table else ())
            if entry.backend is not None
            for name in entry.backend.forward_headers
        }
        return {name: headers[name] for name in names if name in headers}

    def wake(self) -> None:
        """Start to poll, if there are streams and resources to poll."""
        table = self._current.table
        if table is not None and self._hub.streams and _polled_of(table) and not self._running:
            self._running = True
            self._tasks.start("poll resources", self._run())

    async def _run(self) -> None:
        try:
            await self._poll()
        finally:
            self._polled, self._running = {}, False

    async def _poll(self) -> None:
        while (table := self._current.table) is not None and _polled_of(table):
            if not self._hub.streams:
                break
            self._polled = await self._collect(table)
            now = asyncio.get_running_loop().time()
            for asked, polled in self._polled.items():
                if not polled.reading and polled.due <= now and len(self._reads) < MAX_AT_ONCE:
                    polled.reading = True
                    self._reads.start(f"poll {polled.entry.name}", self._read(asked, polled))
            await asyncio.sleep(TICK_SECONDS)

    async def _collect(self, table: Table) -> dict[_Asked, _Polled]:
        """Return what to poll, and keep the state of what is already polled."""
        found: dict[_Asked, _Polled] = {}
        seen, shares = 0, Shares(MAX_POLLED)
        for stream in tuple(self._hub.streams):
            for uri in tuple(stream.uris):
                seen += 1
                if not seen % PORTION:
                    await asyncio.sleep(0)
                matched = table.match(uri)
                if matched is None or matched[0].poll_seconds is None:
                    continue
                entry, variables = matched
                asked = uri, _sent(entry, stream.headers)
                if asked not in found:
                    if not shares.take(stream.client):
                        continue
                    known = self._polled.get(asked)
                    if known is None or known.entry != entry:
                        known = _Polled(entry, variables)
                    found[asked] = known
        return found

    async def _read(self, asked: _Asked, polled: _Polled) -> None:
        loop = asyncio.get_running_loop()
        interval = polled.entry.poll_seconds or TICK_SECONDS
        try:
            changed = await self._changed(asked, polled)
        except ResourceUnavailable as error:
            polled.failures += 1
            pause = interval * 2 ** min(polled.failures, 16)
            polled.due = loop.time() + min(pause, max(interval, MAX_BACKOFF_SECONDS))
            log.info(
                "Cannot read a resource with subscribers",
                extra={"entry": polled.entry.name, "error": str(error)},
            )
            return
        finally:
            polled.reading = False
        polled.failures, polled.due = 0, loop.time() + interval
        if changed:
            self._tell(asked, polled.entry)

    def _tell(self, asked: _Asked, entry: ResourceEntry) -> None:
        """Notify all current subscribers of a change, including those that came during the read."""
        uri, headers = asked
        changes = Changes(resource_uris=frozenset({uri}))
        for stream in tuple(self._hub.streams):
            is_meant = uri in stream.uris and _sent(entry, stream.headers) == headers
            if is_meant and self._visible(stream.principal, uri):
                stream.offer(changes)

    async def _changed(self, asked: _Asked, polled: _Polled) -> bool:
        """Read the content; return whether it has changed.

        Raises:
            ResourceUnavailable: The content could not be read.
        """
        uri, headers = asked
        seconds = self._current.server.seconds_of(polled.entry.backend)
        deadline = asyncio.get_running_loop().time() + seconds
        call = Call(dict(headers), deadline, client=_CLIENT, validators=polled.validators)
        polled.validators.unchanged = False
        contents = await self._executor.read_resource(polled.entry, uri, polled.variables, call)
        if polled.validators.unchanged:
            return False
        before = polled.digest
        polled.digest = hashlib.blake2b(exact.encode(contents), digest_size=16).hexdigest()
        return before not in ("", polled.digest)


def _polled_of(table: Table) -> list[ResourceEntry]:
    return [
        entry
        for entry in (*table.resources.values(), *table.templates)
        if entry.poll_seconds is not None
    ]


def _sent(entry: ResourceEntry, headers: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    names = sorted(
        {name.lower() for name in entry.backend.forward_headers} if entry.backend else ()
    )
    return tuple((name, headers[name]) for name in names if name in headers)
