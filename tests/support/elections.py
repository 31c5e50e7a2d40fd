"""Leader elections in memory: a lease, electors, and the work of a leader."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from mcp_operator.core.clock import Clock, SystemClock
from mcp_operator.core.meta import Key, Object
from mcp_operator.runtime.errors import LOST, NO_ANSWER, REFUSED, ApiError
from mcp_operator.runtime.leader import LEASES, LeaderElector
from support.fake_client import FakeClient

LEASE = Key("demo", "operator")


class LeaseClient(FakeClient):
    """A client of a shared lease whose requests can fail or get no response.

    As with a real server, the renewal of a deleted lease is a conflict.
    """

    def __init__(self, shared: FakeClient | None = None) -> None:
        super().__init__()
        if shared is not None:
            self.objects = shared.objects
            self._versions = shared._versions
        self.refuses = False
        self.hangs = False
        self.loses_next_answer = False

    def _record(self, verb: str, obj: Object) -> None:
        super()._record(verb, obj)
        if self.refuses:
            raise ApiError(NO_ANSWER, REFUSED, "connection refused")

    async def replace(self, *args: object, **kwargs: object) -> Object:
        if self.hangs:
            await asyncio.Event().wait()
        if (LEASES, LEASE) not in self.objects:
            raise ApiError(409, "Conflict", "Precondition failed: UID in precondition")
        stored = await super().replace(*args, **kwargs)  # type: ignore[arg-type]  # passed on
        if self.loses_next_answer:
            self.loses_next_answer = False
            raise ApiError(NO_ANSWER, LOST, "connection reset")
        return stored

    async def edit(self, **change: object) -> None:
        """Change or remove fields of the lease's spec, as a manual edit does."""
        lease = self.objects[LEASES, LEASE]
        spec = {k: v for k, v in {**lease["spec"], **change}.items() if v is not None}
        await FakeClient.replace(self, LEASES, {**lease, "spec": spec})


class Worker:
    """The work of a leader; records when it ran."""

    def __init__(self, *, stops_after: float = 0.0) -> None:
        self.spans: list[tuple[float, float]] = []
        self.working = asyncio.Event()
        self._stops_after = stops_after

    async def work(self) -> None:
        began = asyncio.get_running_loop().time()
        self.working.set()
        try:
            await asyncio.Event().wait()
        finally:
            if self._stops_after:
                await asyncio.sleep(self._stops_after)
            self.spans.append((began, asyncio.get_running_loop().time()))


class LeaderHistory:
    """Records which processes led, in order, and the most that led at one time."""

    def __init__(self) -> None:
        self.leaders: list[str] = []
        self.most = 0
        self._inside = 0

    async def work(self, name: str) -> None:
        self.leaders.append(name)
        self._inside += 1
        self.most = max(self.most, self._inside)
        try:
            await asyncio.Event().wait()
        finally:
            self._inside -= 1


class SteppedClock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.offset = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.offset


def no_exit() -> None:
    """Do not exit: this is the process of the tests."""


def elector(
    client: FakeClient,
    identity: str = "one",
    clock: Clock | None = None,
    exit_process: Callable[[], object] = no_exit,
) -> LeaderElector:
    return LeaderElector(
        client,
        namespace=LEASE.namespace,
        name=LEASE.name,
        identity=identity,
        clock=clock or SystemClock(),
        metrics=client.metrics,
        exit_process=exit_process,
    )


def spec(client: FakeClient) -> Object:
    found: Object = client.objects[LEASES, LEASE]["spec"]
    return found


async def cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait({task})
