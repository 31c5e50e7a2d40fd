"""The catalog and the Secrets of a gateway in a cluster, read from the API server.

The index ConfigMap is watched, and everything else is read by name. So the gateway needs only a
Role with `resourceNames`. Objects that cannot be read or verified change nothing: the last good
catalog stays in service.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge

from mcp_operator.api.catalog import SecretKey
from mcp_operator.api.keys import KEYS_TYPE
from mcp_operator.api.shards import Index, ShardError, decode, index_of, shard_of
from mcp_operator.core.errors import OperatorError
from mcp_operator.core.meta import Key, Object, Resource
from mcp_operator.gateway.background import TaskSet
from mcp_operator.gateway.table import Current, Table
from mcp_operator.gateway.upstream.secret_values import SecretUnavailable, decode_secret
from mcp_operator.runtime.errors import ApiError
from mcp_operator.runtime.informer import Informer, InformerSet
from mcp_operator.runtime.notification import Event
from mcp_operator.runtime.sources import Source

log = logging.getLogger(__name__)

CONFIGMAPS: Final = Resource("", "v1", "configmaps", "ConfigMap")
SECRETS: Final = Resource("", "v1", "secrets", "Secret")

RETRY_SECONDS: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
"""Delays between attempts to follow an index; the last one repeats. A new index is followed at
once."""

LISTED_TOOLS: Final = 20
"""How many tools a log line names; a catalog can have thousands."""

SECRET_SECONDS: Final = 60.0
"""How long the values of a Secret are used before they are read again."""

SECRET_RETRY_SECONDS: Final = 5.0
"""How soon a Secret is read again after it could not be read or a backend refused its value."""

SECRET_WAIT_SECONDS: Final = 2.0
"""How long a call waits for a new value if there is an old one, so that tools keep working during
an outage of the API server."""

SECRET_UNUSED_SECONDS: Final = 600.0
"""How long unused values stay in memory after they have expired."""


class ObjectReader(Protocol):
    """Reads single objects: the part of `runtime.client.Client` that is needed here."""

    async def get(self, resource: Resource, key: Key) -> Object:
        """Read one object."""
        ...


def index_informer(informers: InformerSet, index: Key) -> Informer:
    """Return an informer of a single ConfigMap, which a Role can grant with `resourceNames`."""
    return informers.informer(
        CONFIGMAPS, namespace=index.namespace, field_selector=f"metadata.name={index.name}"
    )


class _UnusableError(OperatorError):
    """The catalog of the index cannot be put in service now."""


class CatalogSource:
    """Keeps `current` in sync with the catalog that the index ConfigMap describes.

    Attributes:
        state: Why the catalog of the newest index is not served; empty while it is.
    """

    def __init__(
        self,
        reader: ObjectReader,
        informer: Source,
        current: Current,
        *,
        index: Key,
        registry: CollectorRegistry,
    ) -> None:
        """Follow an index.

        Args:
            reader: Reads the shards beyond the first.
            informer: Watches the index ConfigMap (see `index_informer`).
            current: Receives verified catalogs.
            index: The index ConfigMap; shard N is in the ConfigMap of the same name and `-N`.
            registry: Receives this source's metrics.
        """
        self._reader = reader
        self._current = current
        self._index = index
        self._newest: Object | None = None
        self._changed = asyncio.Event()
        self._failures = Counter(
            "mcp_catalog_load_failures_total",
            "Failures to read or verify a catalog; the last valid one is still served.",
            registry=registry,
        )
        self._stale = Gauge(
            "mcp_catalog_stale",
            "1 while the gateway does not serve the newest catalog, 0 otherwise.",
            registry=registry,
        )
        self.state = f"ConfigMap {index} has not been seen yet"
        self._stale.set(1)
        informer.add_handler(self._notice)

    def _notice(self, event: Event) -> None:
        if event.object["metadata"]["name"] == self._index.name:
            self._newest = event.new
            self._changed.set()

    async def run(self) -> None:
        """Follow the index until cancelled."""
        failed = 0
        while True:
            if await self._index_changed(failed):
                failed = 0
            try:
                await self._follow(self._newest)
            except (_UnusableError, ShardError, ApiError) as error:
                self._failed(error, first=not failed)
                failed += 1
            else:
                failed = 0
                self.state = ""
                self._stale.set(0)

    async def _index_changed(self, failed: int) -> bool:
        """Wait for a new index, or until it is time to retry the same one."""
        retry = failed and self._newest is not None
        wait = RETRY_SECONDS[min(failed, len(RETRY_SECONDS)) - 1] if retry else None
        try:
            async with asyncio.timeout(wait):
                await self._changed.wait()
        except TimeoutError:
            return False
        self._changed.clear()
        return True

    async def _follow(self, obj: Object | None) -> None:
        """Put the catalog of the index in service, if it is not already.

        Raises:
            _UnusableError: There is no index.
            ShardError: The index is not valid, or the shards do not match it.
            ApiError: A shard could not be read.
        """
        if obj is None:
            raise _UnusableError(f"ConfigMap {self._index} does not exist")
        index = index_of(obj)
        old = self._current.table
        if old is not None and old.digest == index.digest:
            return
        others = [self._reader.get(CONFIGMAPS, key) for key in self._shard_keys(index)]
        shards = [obj, *await asyncio.gather(*others)]
        table = await asyncio.to_thread(_build, index, shards)
        self._current.swap(table)
        self._log(table, lost=sorted(old.tools.keys() - table.tools.keys()) if old else ())

    @staticmethod
    def _log(table: Table, lost: Sequence[str]) -> None:
        """Log that a new table is in service, and the tools that clients no longer see."""
        for entry, reason in table.rejected.items():
            log.warning("An entry is not served", extra={"entry": entry, "error": reason})
        log.info(
            "Serving a new catalog",
            extra={
                "digest": table.digest,
                "tools": len(table.tools),
                "prompts": len(table.prompts),
                "resources": len(table.resources) + len(table.templates),
            },
        )
        if lost:
            log.info(
                "Tools are no longer served",
                extra={"lost": len(lost), "left": len(table.tools), "entries": lost[:LISTED_TOOLS]},
            )

    def _shard_keys(self, index: Index) -> list[Key]:
        namespace, name = self._index
        return [Key(namespace, f"{name}-{number}") for number in range(1, len(index.shards))]

    def _failed(self, error: OperatorError | ShardError, *, first: bool) -> None:
        self.state = str(error)
        self._stale.set(1)
        self._failures.inc()
        log.log(
            logging.WARNING if first else logging.DEBUG,
            "The catalog cannot be loaded; the last good one stays in service",
            extra={"error": str(error), "serving": getattr(self._current.table, "digest", "")},
        )


def _build(index: Index, shards: list[Object]) -> Table:
    """Verify and compile a catalog; runs in a thread, because large catalogs take long."""
    return Table(decode(index, [shard_of(obj) for obj in shards]), index.digest, len(shards))


@dataclass(slots=True)
class _Secret:
    """The values of a Secret, or why there are none.

    Attributes:
        read_at: When it was read, in the loop's time.
        expires_at: When it must be read again, in the loop's time.
    """

    read_at: float
    expires_at: float
    values: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    problem: str = ""


class ClusterSecrets:
    """Reads Secrets with GET and the gateway's own Role, and never lists; a `SecretSource`."""

    def __init__(self, reader: ObjectReader) -> None:
        self._reader = reader
        self._known: dict[Key, _Secret] = {}
        self._reading: dict[Key, asyncio.Future[None]] = {}
        self._tasks = TaskSet()

    async def close(self) -> None:
        """Cancel reads in progress."""
        await self._tasks.close()

    async def value(self, key: SecretKey) -> bytes:
        """Return a value, at most a minute old while the API server is available.

        Raises:
            SecretUnavailable: The Secret or the key does not exist, or cannot be read.
        """
        name = Key(key.namespace, key.name)
        values = await self.values(name)
        if key.key not in values:
            raise SecretUnavailable(f"Secret {name} has no key {key.key!r}")
        return values[key.key]

    async def values(self, secret: Key) -> Mapping[str, bytes]:
        """Return all values of a Secret, at most a minute old while the API server is available.

        Raises:
            SecretUnavailable: The Secret does not exist, or cannot be read.
        """
        known = self._known.get(secret)
        if known is None or known.expires_at <= asyncio.get_running_loop().time():
            known = await self._renewed(secret, known)
        if known.problem:
            raise SecretUnavailable(known.problem)
        return known.values

    def distrust(self, key: SecretKey) -> None:
        """Read a Secret again before its next use, unless it has just been read."""
        known = self._known.get(Key(key.namespace, key.name))
        if known is not None:
            known.expires_at = min(known.expires_at, known.read_at + SECRET_RETRY_SECONDS)

    async def _renewed(self, name: Key, old: _Secret | None) -> _Secret:
        """Read a Secret once for all callers; limit the wait if there is an old value."""
        reading = self._reading.get(name)
        if reading is None:
            reading = self._reading[name] = asyncio.get_running_loop().create_future()
            self._tasks.start(f"read Secret {name}", self._read(name, reading))
        try:
            async with asyncio.timeout(SECRET_WAIT_SECONDS if old and old.values else None):
                await asyncio.shield(reading)
        except TimeoutError:
            log.info("Using a Secret that may be out of date", extra={"secret": str(name)})
        known = self._known.get(name)
        if known is None:
            raise SecretUnavailable(f"Secret {name} was not read: this process is stopping")
        return known

    async def _read(self, name: Key, done: asyncio.Future[None]) -> None:
        try:
            self._known[name] = await self._fetch(name)
            self._forget_unused()
        finally:
            del self._reading[name]
            done.set_result(None)

    def _forget_unused(self) -> None:
        """Drop Secrets that expired long ago; they are read again if they are needed."""
        limit = asyncio.get_running_loop().time() - SECRET_UNUSED_SECONDS
        for name in [name for name, known in self._known.items() if known.expires_at < limit]:
            del self._known[name]

    async def _fetch(self, name: Key) -> _Secret:
        """Read a Secret. A deletion takes effect at once; during an outage, old values stay."""
        old = self._known.get(name)
        try:
            values = _usable_values(await self._reader.get(SECRETS, name))
        except (ApiError, SecretUnavailable) as error:
            now = asyncio.get_running_loop().time()
            log.warning("A Secret cannot be read", extra={"secret": str(name), "error": str(error)})
            if old and old.values and isinstance(error, ApiError) and error.is_retryable:
                return _Secret(old.read_at, now + SECRET_RETRY_SECONDS, old.values)
            problem = f"Secret {name} cannot be read: {error}"
            return _Secret(now, now + SECRET_RETRY_SECONDS, problem=problem)
        now = asyncio.get_running_loop().time()
        return _Secret(now, now + SECRET_SECONDS, values)


def _usable_values(secret: Object) -> dict[str, bytes]:
    """Return the values that a spec can refer to.

    Raises:
        SecretUnavailable: A spec cannot refer to this Secret, or it cannot be decoded.
    """
    if secret.get("type") == KEYS_TYPE:
        raise SecretUnavailable(
            "it contains the key of a gateway, and must not be used for anything else"
        )
    return decode_secret(secret)
