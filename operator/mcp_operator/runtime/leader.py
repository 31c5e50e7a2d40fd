"""Lets one of several processes lead, by a Lease; client-go's tools/leaderelection.

Durations are measured with the loop's own clock. Timestamps of other processes are only compared
for being different, so wrong clocks do no harm.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
from collections.abc import Awaitable, Callable
from dataclasses import KW_ONLY, dataclass
from typing import Final

from mcp_operator.core.clock import Clock, rfc3339_micro
from mcp_operator.core.meta import Key, Object, Resource
from mcp_operator.core.metrics import RuntimeMetrics
from mcp_operator.runtime.client import Client
from mcp_operator.runtime.errors import ApiError, LeadershipLostError

LEASES: Final = Resource("coordination.k8s.io", "v1", "leases", "Lease")

REQUEST_TIMEOUT: Final = 5.0
"""Seconds. A request for the lease that takes longer is tried again while there is time."""

RELEASED: Final = 1
"""The duration, in seconds, of a lease that was given back; client-go, release."""

Write = Callable[[Resource, Object], Awaitable[Object]]

_log = logging.getLogger(__name__)


@dataclass(eq=False)
class LeaderElector:
    """Takes part in the election of a leader.

    The leader stops leading `renew_deadline` after it sent its last successful renewal. Others wait
    for `lease_duration` from when they saw it, so there is time in between for work to stop.
    One that has never seen the lease takes it at once if there is none, as in client-go.

    Args:
        client: Reads and writes the lease; one of its own, so that no other request is in the way.
        namespace: The lease's namespace.
        name: The lease's name.
        identity: Names this process; no two may have the same.
        lease_duration: Seconds that others wait for a leader they do not hear from.
        renew_deadline: Seconds that the leader goes on without a successful renewal.
        retry_period: Seconds between renewals. Others look three to five times as often.
        clock: Tells the time that is written into the lease.
        metrics: Shows who leads.
        exit_process: Ends the process at once. Called if the lease runs out before the work has
            stopped, because two leaders at a time are worse than none.

    Raises:
        ValueError: The times do not grow from `retry_period` to `lease_duration`.
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

    def __post_init__(self) -> None:
        if not self.retry_period < self.renew_deadline < self.lease_duration:
            raise ValueError(
                f"lease_duration {self.lease_duration:g} must be longer than renew_deadline "
                f"{self.renew_deadline:g}, and that longer than retry_period {self.retry_period:g}"
            )
        self._key = Key(self.namespace, self.name)
        self._gauge = self.metrics.leader.labels(self.name)
        self._slow_path = self.metrics.leader_slow_path.labels(self.name)
        self._observed: Object = {}
        self._written: Object | None = None
        self._free_at = self._renewed_at = 0.0
        self._leads = False

    @property
    def is_leader(self) -> bool:
        """Whether this process leads now, by a lease that it may rely on."""
        return self._leads and self._left() > 0

    def guard(self) -> None:
        """Refuse a write unless this process leads; to be asked at the moment of writing.

        A process that was frozen and goes on has an old lease, and no timer has told it yet.
        """
        if not self.is_leader:
            raise LeadershipLostError(
                f"nothing is written without the lease {self._key}, which another may hold now"
            )

    def stuck(self) -> str:
        """Say so if this process still leads though its lease has run out; else say nothing.

        It cannot happen unless there is a mistake here, and a restart mends it; client-go,
        tools/leaderelection/healthzadaptor.go.
        """
        late = self._now() - self._renewed_at - self.lease_duration
        return f"the lease ran out {late:.0f} s ago" if self._leads and late > 0 else ""

    async def run(self, lead: Callable[[], Awaitable[None]]) -> None:
        """Wait for the lease, then run `lead` for as long as the lease is held.

        `lead` is cancelled when the lease is lost or this coroutine is cancelled; the lease is
        released once it has stopped.

        Raises:
            LeadershipLostError: The lease was lost. `lead` has stopped.
        """
        await self._acquire()
        self._set_leads(leads=True)
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
        _log.info("Waiting for the lease", extra=self._who())
        while not await self._try(self.lease_duration):
            # More often than it is renewed: what is seen late is taken over late.
            pause = self.retry_period * random.uniform(0.2, 0.4)  # noqa: S311  # no secret
            left = round(self._free_at - self._now(), 3)
            await asyncio.sleep(min(pause, left) if left > 0 else pause)
        _log.info("Leading", extra=self._who())

    async def _renew(self) -> None:
        """Renew until the deadline passes without success, or another process holds the lease."""
        await asyncio.sleep(self.retry_period)
        while (left := round(self._left(), 3)) > 0:  # a timer may be a trifle early
            await self._try(left)
            await asyncio.sleep(min(self.retry_period, self._left()))

    async def _stop(self, work: asyncio.Future[None], renewing: asyncio.Task[None]) -> None:
        """Stop working, then renewing, then let others lead; all before the lease runs out."""
        work.cancel()
        left = self._renewed_at + self.lease_duration - self._now()
        if not (await asyncio.wait({work}, timeout=max(0.0, left)))[0]:
            _log.error("Work has not stopped while the lease was held: exit", extra=self._who())
            self.exit_process()
            await asyncio.wait({work})
        held = not renewing.done()
        renewing.cancel()
        await asyncio.wait({renewing})
        self._set_leads(leads=False)
        if held:
            await self._release()

    async def _try(self, seconds: float) -> bool:
        """Try once to get or to keep the lease, within a time; log why it failed."""
        try:
            async with asyncio.timeout(min(seconds, REQUEST_TIMEOUT)):
                return await self._try_fast() or await self._try_slow()
        except (ApiError, TimeoutError) as error:
            text = str(error) or "the API server did not answer in time"
            _log.warning("No success with the lease", extra={**self._who(), "error": text})
            return False

    async def _try_fast(self) -> bool:
        """Renew from what was written last, without reading it again."""
        if self._leads:
            try:
                return await self._take(self.client.replace, self._observed)
            except ApiError as error:
                if not error.is_conflict:
                    raise
        return False

    async def _try_slow(self) -> bool:
        """Read the lease, and take it if nobody has it."""
        self._slow_path.inc()
        write: Write = self.client.replace
        try:
            lease = await self.client.get(LEASES, self._key)
            self._observe(lease)
        except ApiError as error:
            if not error.is_not_found:
                raise
            write, lease = self.client.create, {"metadata": self._key._asdict()}
        known = self._leads or lease.get("spec", {}) == self._written
        ours = known and self._holder() in {"", self.identity}
        return (ours or self._now() >= self._free_at) and await self._take(write, lease)

    async def _take(self, write: Write, lease: Object) -> bool:
        sent = self._now()
        self._written = self._spec(lease.get("spec", {}))
        self._observe(await write(LEASES, {**lease, "spec": self._written}))
        self._renewed_at = sent
        return True

    async def _release(self) -> None:
        """Let the next leader begin at once; if that fails, it begins when the lease runs out.

        The lease is read first, because a renewal may have been cut off before its answer came.
        """
        try:
            await asyncio.wait_for(self._hand_over(), REQUEST_TIMEOUT)  # see Manager._drain
        except (ApiError, TimeoutError) as error:
            _log.warning("Lease not released", extra={**self._who(), "error": str(error)})

    async def _hand_over(self) -> None:
        lease = await self.client.get(LEASES, self._key)
        if lease["spec"].get("holderIdentity") == self.identity:
            now = rfc3339_micro(self.clock.now())
            released = {"holderIdentity": "", "leaseDurationSeconds": RELEASED}
            spec = {**lease["spec"], **released, "renewTime": now, "acquireTime": now}
            await self.client.replace(LEASES, {**lease, "spec": spec})

    def _spec(self, old: Object) -> Object:
        """Return the spec of a lease that is ours from now on, or still."""
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
        """Note a lease, and until when it has to be waited for, from when it was first seen so.

        That it was released shows in its duration. If it is gone, or names nobody for another
        reason, its holder may not have noticed yet, and has as much time as it had before.
        """
        spec = lease.get("spec", {})
        if spec != self._observed.get("spec", {}):
            seconds = float(spec.get("leaseDurationSeconds", self.lease_duration))
            released = not spec.get("holderIdentity") and seconds == RELEASED
            self._free_at = self._now() + (0.0 if released else seconds)
        self._observed = lease

    def _holder(self) -> str:
        return str(self._observed.get("spec", {}).get("holderIdentity", ""))

    def _left(self) -> float:
        """Return the seconds for which the lease can be relied on, if it is not renewed."""
        held = self._holder() in {"", self.identity}
        return self._renewed_at + self.renew_deadline - self._now() if held else 0.0

    def _set_leads(self, *, leads: bool) -> None:
        self._leads = leads
        self._gauge.set(leads)

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _who(self) -> Object:
        return {"lease": str(self._key), "holder": self.identity}
