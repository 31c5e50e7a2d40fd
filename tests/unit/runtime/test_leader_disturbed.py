"""When leases, clocks or time are changed, there are never two leaders, and no late writes."""

from __future__ import annotations

import asyncio
import functools
from datetime import timedelta

import pytest

from mcp_operator.runtime.errors import LeadershipLostError
from mcp_operator.runtime.leader import LEASES, LeaderElector
from support.elections import (
    LEASE,
    LeaderHistory,
    LeaseClient,
    SteppedClock,
    Worker,
    cancelled,
    elector,
    spec,
)

pytestmark = pytest.mark.looptime


class Contest:
    """Two candidates for a lease: "one" leads, and "two" waits."""

    def __init__(self, client: LeaseClient) -> None:
        self.history = LeaderHistory()
        self.clocks = SteppedClock(), SteppedClock()
        self.electors = (
            elector(client, "one", self.clocks[0]),
            elector(LeaseClient(client), "two", self.clocks[1]),
        )
        self.tasks: list[asyncio.Task[None]] = []

    async def begin(self) -> None:
        for each in self.electors:
            work = functools.partial(self.history.work, each.identity)
            self.tasks.append(asyncio.create_task(each.run(work)))
            await asyncio.sleep(1)
        assert self.history.leaders == ["one"]

    async def end(self) -> None:
        for task in self.tasks:
            await cancelled(task)


@pytest.fixture
def client() -> LeaseClient:
    return LeaseClient()


@pytest.fixture
async def contest(client: LeaseClient) -> Contest:
    return Contest(client)


async def deleted(client: LeaseClient) -> None:
    client.objects.pop((LEASES, LEASE), None)


async def emptied(client: LeaseClient) -> None:
    await client.edit(holderIdentity="")


async def wiped(client: LeaseClient) -> None:
    await client.edit(**dict.fromkeys(spec(client)))


async def outdated(client: LeaseClient) -> None:
    await client.edit(renewTime="1999-01-01T00:00:00.000000Z")


@pytest.mark.parametrize("disturb", [deleted, emptied, wiped, outdated])
async def test_a_leader_keeps_a_lease_that_is_edited_by_hand(
    client: LeaseClient, contest: Contest, disturb: object
) -> None:
    assert callable(disturb)
    await contest.begin()
    for number in range(30):
        await asyncio.sleep(2 + number * 0.73 % 8)
        await disturb(client)
    await asyncio.sleep(10)
    assert contest.history.leaders == ["one"]
    assert spec(client)["holderIdentity"] == "one"
    await contest.end()


@pytest.mark.parametrize("holder", ["two", "thief"])
@pytest.mark.parametrize("seconds", [0.1, 1.1, 1.9])
async def test_a_lease_given_to_another_holder_by_hand_is_taken_after_it_expires(
    client: LeaseClient, contest: Contest, holder: str, seconds: float
) -> None:
    await contest.begin()
    await asyncio.sleep(seconds)
    await client.edit(holderIdentity=holder)
    given = asyncio.get_running_loop().time()
    with pytest.raises(LeadershipLostError):
        await contest.tasks[0]
    assert asyncio.get_running_loop().time() - given <= 2
    await asyncio.sleep(12)
    assert contest.history.leaders == ["one"]
    await asyncio.sleep(5)
    assert contest.history.leaders == ["one", "two"]
    assert contest.history.most == 1
    await contest.end()


@pytest.mark.parametrize("whose", [0, 1], ids=["the leader's", "the standby's"])
@pytest.mark.parametrize("hours", [1, -2])
async def test_changing_a_clock_does_not_change_the_leader(
    client: LeaseClient, contest: Contest, whose: int, hours: int
) -> None:
    await contest.begin()
    for number in range(20):
        await asyncio.sleep(number * 7.3 % 20)
        contest.clocks[whose].offset += timedelta(hours=hours)
    await asyncio.sleep(60)
    assert contest.history.leaders == ["one"]
    await cancelled(contest.tasks[0])
    await asyncio.sleep(0.9)
    assert contest.history.leaders == ["one", "two"]
    assert contest.history.most == 1
    await contest.end()


async def test_a_standby_takes_over_soon_after_the_lease_of_a_dead_leader_expires(
    client: LeaseClient, contest: Contest
) -> None:
    await contest.begin()
    await asyncio.sleep(11)
    client.hangs = True
    left = contest.electors[0]._renewed_at - asyncio.get_running_loop().time()
    await asyncio.sleep(left + 14.9)
    assert contest.history.leaders == ["one"]
    await asyncio.sleep(1.8)
    assert contest.history.leaders == ["one", "two"]
    await contest.end()


async def test_a_candidate_leads_at_once_when_the_acquisition_got_no_answer(
    client: LeaseClient,
) -> None:
    await client.create(LEASES, {"metadata": {"namespace": "demo", "name": "operator"}})
    client.loses_next_answer = True
    worker = Worker()
    task = asyncio.create_task(elector(client).run(worker.work))
    await asyncio.wait_for(worker.working.wait(), 0.9)
    await cancelled(task)


def may_write(elector: LeaderElector) -> bool:
    try:
        elector.guard()
    except LeadershipLostError:
        return False
    return True


async def test_only_the_leader_can_write_and_only_until_it_stops(contest: Contest) -> None:
    one, two = contest.electors
    with pytest.raises(LeadershipLostError, match="without the lease demo/operator"):
        one.guard()
    await contest.begin()
    assert (may_write(one), may_write(two)) == (True, False)
    await cancelled(contest.tasks[0])
    assert not may_write(one)
    await asyncio.sleep(0.9)
    assert (may_write(one), may_write(two)) == (False, True)
    await contest.end()


async def test_a_leader_that_was_frozen_cannot_write_even_before_its_timers_run(
    contest: Contest,
) -> None:
    one, _ = contest.electors
    await contest.begin()
    one._renewed_at -= 7  # as if these seconds had passed at once
    assert may_write(one)
    one._renewed_at -= 3
    assert not may_write(one)
    assert not one.is_leader
    await contest.end()


async def test_a_leader_that_lost_its_lease_cannot_write_while_its_work_stops(
    client: LeaseClient,
) -> None:
    one = elector(client)
    worker = Worker(stops_after=5.0)
    task = asyncio.create_task(one.run(worker.work))
    await worker.working.wait()
    await client.edit(holderIdentity="thief")
    await asyncio.sleep(3)
    assert not worker.spans  # the work is still stopping
    assert not may_write(one)
    with pytest.raises(LeadershipLostError):
        await task
