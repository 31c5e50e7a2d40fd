"""Elections in virtual time, on a lease that is held in memory."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from mcp_operator.core.clock import SystemClock
from mcp_operator.core.metrics import RuntimeMetrics, new_registry
from mcp_operator.runtime.errors import LeadershipLostError
from mcp_operator.runtime.leader import LEASES, LeaderElector
from support.elections import LEASE, LeaseClient, Worker, cancelled, elector, no_exit, spec
from support.fake_client import FakeClient

OLDER = {"resourceVersion": "50"}


class Exit:
    """Records when the process would end, without ending it.

    Attributes:
        at: The loop's time at which the process would have ended.
    """

    at: float | None = None

    def __call__(self) -> None:
        self.at = asyncio.get_running_loop().time()


@pytest.fixture
def client() -> LeaseClient:
    return LeaseClient()


@pytest.mark.looptime
async def test_the_first_candidate_leads_and_renews_the_lease(client: LeaseClient) -> None:
    worker, one = Worker(), elector(client)
    task = asyncio.create_task(one.run(worker.work))
    await asyncio.sleep(0.1)
    assert one.is_leader
    acquired = spec(client)
    assert acquired["holderIdentity"] == "one"
    assert acquired["leaseTransitions"] == 0
    assert acquired["renewTime"].endswith("Z")
    await asyncio.sleep(60)
    assert one.is_leader
    assert spec(client)["renewTime"] > acquired["renewTime"]
    assert spec(client)["acquireTime"] == acquired["acquireTime"]
    await cancelled(task)


@pytest.mark.looptime
async def test_the_leader_sets_its_annotations_on_the_lease_and_keeps_others(
    client: LeaseClient,
) -> None:
    client.objects[LEASES, LEASE] = {
        "metadata": {
            **LEASE._asdict(),
            "resourceVersion": "1",
            "annotations": {"owner": "ops", "scope": "old"},
        },
        "spec": {},
    }
    one = elector(client)
    one.annotations = {"scope": "new"}
    task = asyncio.create_task(one.run(Worker().work))
    await asyncio.sleep(60)
    metadata = client.objects[LEASES, LEASE]["metadata"]
    assert metadata["annotations"] == {"owner": "ops", "scope": "new"}
    await cancelled(task)


@pytest.mark.looptime
async def test_a_leader_with_an_expired_lease_is_stuck(client: LeaseClient) -> None:
    one = elector(client)
    assert one.stuck() == ""
    task = asyncio.create_task(one.run(Worker().work))
    await asyncio.sleep(60)
    assert one.stuck() == ""
    one._renewed_at = asyncio.get_running_loop().time() - 20
    assert one.stuck() == "the lease expired 5 s ago"
    await cancelled(task)


@pytest.mark.looptime
async def test_a_leader_that_stops_releases_the_lease_at_once(client: LeaseClient) -> None:
    first, second = Worker(stops_after=3.0), Worker()
    one = asyncio.create_task(elector(client).run(first.work))
    await first.working.wait()
    other = LeaseClient(client)
    two = asyncio.create_task(elector(other, "two").run(second.work))
    await asyncio.sleep(20)
    assert not second.working.is_set()
    await cancelled(one)
    await asyncio.wait_for(second.working.wait(), 5)
    assert spec(client)["leaseTransitions"] == 1
    await cancelled(two)
    assert first.spans[0][1] <= second.spans[0][0]
    sample = client.metrics.registry.get_sample_value
    assert sample("leader_election_master_status", {"name": "operator"}) == 0


@pytest.mark.parametrize("fault", ["refuses", "hangs"])
@pytest.mark.looptime
async def test_a_leader_that_cannot_renew_stops_before_another_begins(
    client: LeaseClient, fault: str
) -> None:
    first, second = Worker(stops_after=1.0), Worker()
    one = asyncio.create_task(elector(client).run(first.work))
    await first.working.wait()
    other = LeaseClient(client)
    two = asyncio.create_task(elector(other, "two").run(second.work))
    await asyncio.sleep(7)
    setattr(client, fault, True)
    with pytest.raises(LeadershipLostError, match="not renewed within 10 s"):
        await one
    await asyncio.wait_for(second.working.wait(), 30)
    await cancelled(two)
    assert first.spans[0][1] < second.spans[0][0]


@pytest.mark.looptime
async def test_a_leader_keeps_the_lease_through_a_short_fault(client: LeaseClient) -> None:
    worker, one = Worker(), elector(client)
    task = asyncio.create_task(one.run(worker.work))
    await worker.working.wait()
    client.hangs = True
    await asyncio.sleep(6)
    client.hangs = False
    await asyncio.sleep(60)
    assert one.is_leader
    await cancelled(task)


@pytest.mark.looptime
async def test_work_that_does_not_stop_before_the_lease_expires_ends_the_process(
    client: LeaseClient, caplog: pytest.LogCaptureFixture
) -> None:
    worker, exit_process = Worker(stops_after=100.0), Exit()
    task = asyncio.create_task(elector(client, exit_process=exit_process).run(worker.work))
    await worker.working.wait()
    client.refuses = True
    began = asyncio.get_running_loop().time()
    await asyncio.sleep(14.5)
    assert not task.done()
    assert exit_process.at is None
    await asyncio.sleep(60)
    assert exit_process.at is not None
    assert began + 14.5 < exit_process.at < began + 15.1
    assert "Work did not stop before the lease expired" in caplog.text
    await asyncio.wait({task})


@pytest.mark.looptime
async def test_a_leader_stops_when_another_holder_is_written_to_the_lease(
    client: LeaseClient,
) -> None:
    worker = Worker()
    task = asyncio.create_task(elector(client).run(worker.work))
    await worker.working.wait()
    lease = client.objects[LEASES, LEASE]
    taken = {**lease, "spec": {**lease["spec"], "holderIdentity": "thief"}}
    await client.replace(LEASES, taken)
    began = asyncio.get_running_loop().time()
    with pytest.raises(LeadershipLostError):
        await task
    assert asyncio.get_running_loop().time() - began < 5
    assert spec(client)["holderIdentity"] == "thief"


@pytest.mark.looptime
async def test_a_leader_reads_a_changed_lease_again_and_keeps_it(client: LeaseClient) -> None:
    worker, one = Worker(), elector(client)
    task = asyncio.create_task(one.run(worker.work))
    await worker.working.wait()
    await client.replace(LEASES, client.objects[LEASES, LEASE])
    await asyncio.sleep(10)
    assert one.is_leader
    await cancelled(task)


@pytest.mark.looptime
async def test_a_standby_waits_the_full_lease_duration_whatever_the_renew_time_says(
    client: LeaseClient,
) -> None:
    lease = {
        "metadata": {"namespace": "demo", "name": "operator"},
        "spec": {
            "holderIdentity": "dead",
            "leaseDurationSeconds": 40,
            "renewTime": "1999-01-01T00:00:00.000000Z",
        },
    }
    await client.create(LEASES, lease)
    worker = Worker()
    task = asyncio.create_task(elector(client).run(worker.work))
    await asyncio.sleep(39)
    assert not worker.working.is_set()
    await asyncio.wait_for(worker.working.wait(), 8)
    await cancelled(task)


@pytest.mark.looptime
async def test_a_lease_is_released_even_when_the_last_renewal_got_no_answer(
    client: LeaseClient,
) -> None:
    worker = Worker()
    task = asyncio.create_task(elector(client).run(worker.work))
    await worker.working.wait()
    lease = client.objects[LEASES, LEASE]
    await client.replace(LEASES, lease)  # the server applied it, and the answer was never read
    await cancelled(task)
    assert spec(client)["holderIdentity"] == ""


@pytest.mark.looptime
async def test_work_that_ends_by_itself_releases_the_lease(client: LeaseClient) -> None:
    async def brief() -> None:
        await asyncio.sleep(1)

    await elector(client).run(brief)
    assert spec(client)["holderIdentity"] == ""


@pytest.mark.looptime
async def test_an_error_of_the_work_is_raised_and_the_lease_is_released(
    client: LeaseClient,
) -> None:
    async def failing() -> None:
        raise LookupError("broken")

    with pytest.raises(LookupError, match="broken"):
        await elector(client).run(failing)
    assert spec(client)["holderIdentity"] == ""


@pytest.mark.looptime
@pytest.mark.parametrize("failure", ["refuses", "hangs"])
async def test_a_release_that_fails_is_logged(
    client: LeaseClient, caplog: pytest.LogCaptureFixture, failure: str
) -> None:
    worker = Worker()
    task = asyncio.create_task(elector(client).run(worker.work))
    await worker.working.wait()
    setattr(client, failure, True)
    await cancelled(task)
    assert "Cannot release the lease" in caplog.text


def test_a_lease_duration_that_is_too_short_raises_an_error() -> None:
    with pytest.raises(ValueError, match="must be longer"):
        LeaderElector(
            FakeClient(),
            namespace="demo",
            name="x",
            identity="one",
            lease_duration=10.0,
            clock=SystemClock(),
            metrics=RuntimeMetrics(new_registry()),
            exit_process=no_exit,
        )


@pytest.mark.looptime
@pytest.mark.parametrize("name", ["one", "two"])
async def test_leader_and_standby_detect_a_rollback_by_an_older_lease(
    client: LeaseClient, name: str
) -> None:
    told = list[str]()
    electors = {each: elector(client, each) for each in ("one", "two")}
    electors[name].on_rollback = lambda: told.append(name)
    tasks = []
    for each in electors.values():
        tasks.append(asyncio.create_task(each.run(Worker().work)))
        await asyncio.sleep(10)
    assert told == []
    lease = client.objects[LEASES, LEASE]
    client.objects[LEASES, LEASE] = {**lease, "metadata": lease["metadata"] | OLDER}
    client._versions = itertools.count(51)
    await asyncio.sleep(10)
    assert told == [name]
    for task in tasks:
        await cancelled(task)
