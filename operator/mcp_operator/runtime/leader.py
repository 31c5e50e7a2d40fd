"""Leader election with a Lease, as in client-go's tools/leaderelection.

Durations are measured with the event loop's clock. Timestamps of other processes are only compared
for equality, so clock skew does no harm.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Final

from mcp_operator.core.clock import Clock, rfc3339_micro
from mcp_operator.core.meta import Key, Object, Resource, annotations_of, resource_version_of
from mcp_operator.core.metrics import RuntimeMetrics
from mcp_operator.runtime.client import Client
from mcp_operator.runtime.errors import ApiError, LeadershipLostError

LEASES: Final = Resource("coordination.k8s.io", "v1", "leases", "Lease")

REQUEST_TIMEOUT: Final = 5.0
"""Seconds. A slower request for the lease is retried while there is time."""

RELEASED: Final = 1
"""Seconds, the duration of a released lease; client-go, release."""

Write = Callable[[Resource, Object], Awaitable[Object]]

_log = logging.getLogger(__name__)


def _nothing() -> None:
    """Do nothing; the default callback."""


@dataclass(eq=False)
class LeaderElector:
    """Takes part in a leader election.

    The leader stops leading `renew_deadline` after it sent its last successful renewal. Candidates
    wait for `lease_duration` from when they observed it, which leaves time for work to stop.
    A candidate that has never seen the lease takes a missing one at once, as in client-go.

    Args:
        client: Reads and writes the lease. A separate client, which other requests cannot delay.
        namespace: The lease's namespace.
        name: The lease's name.
        identity: The unique identity of this process.
        lease_duration: Seconds that candidates wait for a leader that does not renew.
        renew_deadline: Seconds that the leader keeps leading without a successful renewal.
        retry_period: Seconds between renewals. Candidates check three to five times as often.
        clock: Provides the timestamps in the lease.
        metrics: Exposes who leads.
        on_rollback: Called when the lease has an older version than before, because the API
            server's data was rolled back.
        exit_process: Ends the process at once. Called if the lease expires before the work has
            stopped, because two active leaders are worse than none.
        annotations: The annotations that the leader sets on the lease.

    Raises:
        ValueError: Not `retry_period` < `renew_deadline` < `lease_duration`.
    """

    client: Client
    _: KW_ONLY
    namespace: str
    name: str
    identity: str
    lease_duration: float = 15.0
    renew_deadline: float = 10.0
    retry_period: float = 2.0
    clock: Clock
    metrics: RuntimeMetrics
    exit_process: Callable[[], object]
    on_rollback: Callable[[], object] = _nothing
    annotations: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.retry_period < self.renew_deadline < self.lease_duration:
            raise ValueError(
                f"lease_duration {self.lease_duration:g} must be longer than renew_deadline "
                f"{self.renew_deadline:g}, which must be longer than retry_period "
                f"{self.retry_period:g}"
            )
        self._key = Key(self.namespace, self.name)
        self._fields = {"lease": str(self._key), "holder": self.identity}
        self._gauge = self.metrics.leader.labels(self.name)
        self._slow_path = self.metrics.leader_slow_path.labels(self.name)
        self._observed: Object = {}
        self._written: Object | None = None
        self._expires_at = self._renewed_at = 0.0
        self._leading = False
        self._problem = ""

    @property
    def is_leader(self) -> bool:
        """Whether this process leads and can still rely on its lease."""
        return self._leading and self._remaining() > 0

    def guard(self) -> None:
        """Raise unless this process leads; call this immediately before each write.

        When a frozen process resumes, its lease may have expired before any timer has fired.
        """
        if not self.is_leader:
            raise LeadershipLostError(
                f"not writing without the lease {self._key}, which another process may hold"
            )

    def stuck(self) -> str:
        """Report if this process still leads although its lease has expired; empty if not.

        That would be a bug, which a restart fixes; client-go,
        tools/leaderelection/healthzadaptor.go.
        """
        late = self._now() - self._renewed_at - self.lease_duration
        return f"the lease expired {late:.0f} s ago" if self._leading and late > 0 else ""

    async def run(self, lead: Callable[[], Awaitable[None]]) -> None:
        """Acquire the lease, then run `lead` while the lease is held.

        `lead` is cancelled when the lease is lost or this coroutine is cancelled. The lease is
        released once `lead` has stopped.

        Raises:
            LeadershipLostError: The lease was lost, and `lead` has stopped.
        """
        await self._acquire()
        self._set_leading(leading=True)
        work = asyncio.ensure_future(lead())
        renewing = asyncio.create_task(self._renew(), name=f"renew lease {self._key}")
        try:
            await asyncio.wait({work, renewing}, return_when=asyncio.FIRST_COMPLETED)
            lost = renewing.done() and not work.done()
        finally:
            await self._stop(work, renewing)
        if lost:
            raise LeadershipLostError(
                f"the lease {self._key} was not renewed within {self.renew_deadline:g} s: "
                "this process stops, so that another can lead"
            ) from renewing.exception()
        work.result()

    async def _acquire(self) -> None:
        _log.info("Waiting for the lease", extra=self._fields)
        while not await self._try_acquire_or_renew(self.lease_duration):
            # More often than renewals, because late detection means a late takeover.
            pause = self.retry_period * random.uniform(0.2, 0.4)  # noqa: S311  # no secret
            left = round(self._expires_at - self._now(), 3)
            await asyncio.sleep(min(pause, left) if left > 0 else pause)
        _log.info("Acquired the lease", extra=self._fields)

    async def _renew(self) -> None:
        """Renew until the deadline passes without success or another process holds the lease."""
        await asyncio.sleep(self.retry_period)
        while (left := round(self._remaining(), 3)) > 0:  # timers can fire slightly early
            await self._try_acquire_or_renew(left)
            await asyncio.sleep(min(self.retry_period, self._remaining()))

    async def _stop(self, work: asyncio.Future[None], renewing: asyncio.Task[None]) -> None:
        """Stop the work, then the renewals, then release the lease, all before it expires."""
        work.cancel()
        left = self._renewed_at + self.lease_duration - self._now()
        if not (await asyncio.wait({work}, timeout=max(0.0, left)))[0]:
            _log.error("Work did not stop before the lease expired, exiting", extra=self._fields)
            self.exit_process()
            await asyncio.wait({work})
        held = not renewing.done()
        renewing.cancel()
        await asyncio.wait({renewing})
        self._set_leading(leading=False)
        if held:
            await self._release()

    async def _try_acquire_or_renew(self, seconds: float) -> bool:
        """Try once to acquire or renew the lease, within some seconds; log a failure."""
        try:
            async with asyncio.timeout(min(seconds, REQUEST_TIMEOUT)):
                held = await self._try_fast() or await self._try_slow()
        except (ApiError, TimeoutError) as error:
            text = str(error) or "the API server did not respond in time"
            is_away = isinstance(error, ApiError) and error.is_unreachable
            if not self._problem and not is_away:  # once; the transport logs an unreachable server
                extra = {**self._fields, "error": text}
                _log.warning("Cannot acquire or renew the lease, retrying", extra=extra)
                self._problem = text
            return False
        if self._problem:
            _log.info("The lease can be read and written again", extra=self._fields)
            self._problem = ""
        return held

    async def _try_fast(self) -> bool:
        """Renew the lease that was written last, without reading it again."""
        if self._leading:
            try:
                return await self._update(self.client.replace, self._observed)
            except ApiError as error:
                if not error.is_conflict:
                    raise
        return False

    async def _try_slow(self) -> bool:
        """Read the lease, and acquire or renew it unless another process holds it."""
        self._slow_path.inc()
        write: Write = self.client.replace
        try:
            lease = await self.client.get(LEASES, self._key)
            self._observe(lease)
        except ApiError as error:
            if not error.is_not_found:
                raise
            write, lease = self.client.create, {"metadata": self._key._asdict()}
        known = self._leading or lease.get("spec", {}) == self._written
        ours = known and self._holder() in {"", self.identity}
        return (ours or self._now() >= self._expires_at) and await self._update(write, lease)

    async def _update(self, write: Write, lease: Object) -> bool:
        sent = self._now()
        self._written = self._spec(lease.get("spec", {}))
        metadata = lease["metadata"]
        if self.annotations:
            metadata = {**metadata, "annotations": {**annotations_of(lease), **self.annotations}}
        self._observe(await write(LEASES, {**lease, "metadata": metadata, "spec": self._written}))
        self._renewed_at = sent
        return True

    async def _release(self) -> None:
        """Let the next leader start at once; if that fails, it starts when the lease expires.

        The lease is read first, because a renewal may have been cancelled before its response.
        """
        try:
            await asyncio.wait_for(self._clear_holder(), REQUEST_TIMEOUT)  # see Manager._drain
        except (ApiError, TimeoutError) as error:
            _log.warning("Cannot release the lease", extra={**self._fields, "error": str(error)})

    async def _clear_holder(self) -> None:
        lease = await self.client.get(LEASES, self._key)
        if lease["spec"].get("holderIdentity") == self.identity:
            now = rfc3339_micro(self.clock.now())
            released = {"holderIdentity": "", "leaseDurationSeconds": RELEASED}
            spec = {**lease["spec"], **released, "renewTime": now, "acquireTime": now}
            await self.client.replace(LEASES, {**lease, "spec": spec})

    def _spec(self, old: Object) -> Object:
        """Return the spec of the lease that this process acquires or renews."""
        now = rfc3339_micro(self.clock.now())
        kept = old.get("holderIdentity") == self.identity
        return {
            **old,
            "holderIdentity": self.identity,
            "leaseDurationSeconds": math.ceil(self.lease_duration),
            "acquireTime": old.get("acquireTime", now) if kept else now,
            "renewTime": now,
            "leaseTransitions": int(old.get("leaseTransitions", 0)) + bool(old and not kept),
        }

    def _observe(self, lease: Object) -> None:
        """Record a lease, and when it expires, counted from when this state was first observed.

        Its duration shows whether it was released. If it was deleted, or has no holder for another
        reason, the last holder may not have noticed yet, so candidates wait for the full duration.
        """
        if self._observed and resource_version_of(lease) < resource_version_of(self._observed):
            self.on_rollback()
        spec = lease.get("spec", {})
        if spec != self._observed.get("spec", {}):
            seconds = float(spec.get("leaseDurationSeconds", self.lease_duration))
            released = not spec.get("holderIdentity") and seconds == RELEASED
            self._expires_at = self._now() + (0.0 if released else seconds)
        self._observed = lease

    def _holder(self) -> str:
        return str(self._observed.get("spec", {}).get("holderIdentity", ""))

    def _remaining(self) -> float:
        """Return the seconds for which the lease can be relied on without a renewal."""
        held = self._holder() in {"", self.identity}
        return self._renewed_at + self.renew_deadline - self._now() if held else 0.0

    def _set_leading(self, *, leading: bool) -> None:
        self._leading = leading
        self._gauge.set(leading)

    def _now(self) -> float:
        return asyncio.get_running_loop().time()
