from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from mcp_operator.api.catalog import RetryPolicy, ToolEntry
from mcp_operator.gateway.contract import Call, ToolResult
from mcp_operator.gateway.execute import HttpExecutor
from mcp_operator.gateway.table import Current, Table
from mcp_operator.gateway.upstream.answer import Answer
from mcp_operator.gateway.upstream.client import HttpUpstream, UpstreamError
from mcp_operator.gateway.upstream.mapping import Request
from mcp_operator.gateway.upstream.retries import MAX_BUDGETS, RESERVE, Budget, Budgets, Retrying
from support.backend_peer import answer
from support.entries import backend, catalog, tool
from support.fake_upstream import FakeSecrets
from support.raw_server import LOCAL, OK, Peer, RawServer
from support.results import completed

POLICY = RetryPolicy(attempts=2, on=("connect-failure", "reset", "503"), backoff_seconds=0.1)
QUICK = RetryPolicy(attempts=2, on=("connect-failure", "reset", "503"), backoff_seconds=0.001)
HALF = answer("Content-Length: 10", body="half")
BUSY = answer("Content-Length: 0", status="503 Service Unavailable")


class Scripted:
    """Returns outcomes in order, repeats the last one, and records when it was called."""

    def __init__(self, *outcomes: Answer | Exception) -> None:
        self._outcomes = list(outcomes)
        self.asked: list[float] = []

    async def __call__(self, _: Request) -> Answer:
        self.asked.append(asyncio.get_running_loop().time())
        outcome = self._outcomes.pop(0) if len(self._outcomes) > 1 else self._outcomes[0]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


REQUEST = Request("GET", "http", "orders.demo.svc", 80, "/")
FINE = Answer(200, "", b"fine")


def status(code: int, retry_after: str = "") -> Answer:
    return Answer(code, "", b"", (("retry-after", retry_after),) if retry_after else ())


async def outcome_of(
    send: Scripted, policy: RetryPolicy | None = POLICY, deadline: float = 30.0
) -> Answer | UpstreamError:
    retrying = Retrying(send, policy, Budget(), deadline, "search")
    try:
        return await retrying(REQUEST)
    except UpstreamError as error:
        return error


@pytest.mark.looptime
@pytest.mark.parametrize(
    ("first", "tries"),
    [
        (UpstreamError("connect", "no"), 2),
        (UpstreamError("closed", "no"), 2),
        (status(503), 2),
        (status(500), 1),
        (status(429), 1),
        (status(200), 1),
        (UpstreamError("tls", "no"), 1),
        (UpstreamError("protocol", "no"), 1),
        (UpstreamError("too_large", "no"), 1),
        (UpstreamError("forbidden", "no"), 1),
        (UpstreamError("credentials", "no"), 1),
    ],
)
async def test_only_declared_failures_are_retried(
    first: Answer | UpstreamError, tries: int
) -> None:
    send = Scripted(first, FINE)
    assert await outcome_of(send) == (FINE if tries == 2 else first)
    assert len(send.asked) == tries


@pytest.mark.looptime
async def test_nothing_is_retried_without_a_policy() -> None:
    send = Scripted(status(503))
    assert await outcome_of(send, None) == status(503)
    assert len(send.asked) == 1


@pytest.mark.looptime
async def test_pauses_double_and_the_last_failure_is_returned() -> None:
    send = Scripted(status(503))
    assert await outcome_of(send) == status(503)
    assert send.asked == pytest.approx([0, 0.1, 0.3])


@pytest.mark.looptime
async def test_the_retry_limit_applies_to_all_requests_of_a_call_together() -> None:
    send = Scripted(status(503), FINE, status(503), FINE, status(503), FINE)
    retrying = Retrying(send, POLICY, Budget(), 30.0, "search")
    assert [await retrying(REQUEST) for _ in range(3)] == [FINE, FINE, status(503)]


@pytest.mark.looptime
async def test_a_retry_waits_for_the_retry_after_of_the_backend() -> None:
    send = Scripted(status(503, "7"), FINE)
    assert await outcome_of(send) == FINE
    assert send.asked == pytest.approx([0, 7])


@pytest.mark.looptime
async def test_retry_after_can_be_a_date() -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    send = Scripted(status(503, later), FINE)
    assert await outcome_of(send, deadline=7200) == FINE
    assert send.asked[1] > 1800  # the pause is shorter on a slow machine


@pytest.mark.looptime
@pytest.mark.parametrize(
    "nonsense",
    [
        *("soon", "-1", "Sun, 06 Nov 1994 08:49:37 GMT", "1e9", "0"),
        f"Sun, 06 Nov {10**20} 08:49:37 GMT",
        f"Sun, 06 Nov 2094 08:49:37 +{10**18}",
    ],
)
async def test_an_invalid_or_past_retry_after_is_ignored(nonsense: str) -> None:
    send = Scripted(status(503, nonsense), FINE)
    assert await outcome_of(send) == FINE
    assert send.asked == pytest.approx([0, 0.1])


@pytest.mark.looptime
@pytest.mark.parametrize("asked", ["30", "999999999999", "9" * 5000])
async def test_nothing_is_retried_after_the_deadline(asked: str) -> None:
    send = Scripted(status(503, asked), FINE)
    assert await outcome_of(send) == status(503, asked)
    assert asyncio.get_running_loop().time() == 0  # and there was no pause


@pytest.mark.looptime
async def test_the_retry_budget_of_a_backend_applies_to_all_calls() -> None:
    send, budget = Scripted(status(503)), Budget()
    calls = 200
    for _ in range(calls):
        await Retrying(send, POLICY, budget, 1e6, "search")(REQUEST)
    assert calls * 1.15 < len(send.asked) <= calls * 1.2 + RESERVE


def test_a_budget_saves_at_most_its_reserve() -> None:
    budget = Budget()
    for _ in range(1000):
        budget.earn()
    assert [budget.spend() for _ in range(int(RESERVE) + 1)].count(True) == RESERVE


def test_each_backend_has_its_own_budget_and_their_number_is_bounded() -> None:
    budgets = Budgets()
    first = budgets.of("a", 80)
    assert budgets.of("a", 80) is first
    assert budgets.of("a", 81) is not first
    for number in range(MAX_BUDGETS):
        budgets.of("b", number)
    assert budgets.of("a", 80) is not first


class Counting:
    """A backend that sends raw bytes, or none, and counts complete requests."""

    def __init__(self, server: RawServer, data: bytes) -> None:
        self.requests = Counter[str]()
        self._server = server
        self._data = data

    async def serve(self) -> None:
        async with asyncio.TaskGroup() as group:
            while True:
                peer = await self._server.accept()
                group.create_task(self._speak(peer))

    async def _speak(self, peer: Peer) -> None:
        try:
            while True:
                head = await peer.receive()
                self.requests[head.split(b" ")[0].decode()] += 1
                peer.send(self._data)
                if self._data in {b"", HALF}:
                    peer.close()
                    return
        except asyncio.IncompleteReadError:
            return


@asynccontextmanager
async def counting(
    data: bytes,
) -> AsyncIterator[tuple[Counting, Callable[[ToolEntry], Awaitable[ToolResult]]]]:
    server = RawServer()
    await server.start()
    counted = Counting(server, data)
    serving = asyncio.create_task(counted.serve())
    async with HttpUpstream({"demo/orders:80": f"{LOCAL}:{server.port}"}, user_agent="t") as up:
        current = Current()
        executor = HttpExecutor(current, up, FakeSecrets())

        async def call(entry: ToolEntry) -> ToolResult:
            current.swap(Table(catalog(entry), "d"))
            return await completed(executor.call_tool(entry, {}, Call()))

        yield counted, call
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
    await server.stop()


METHODS = ["GET", "HEAD", "OPTIONS", "DELETE", "PUT", "POST", "PATCH"]


@pytest.mark.parametrize(
    ("method", "data"),
    [
        *itertools.product(METHODS, [BUSY, b""]),
        *(
            (method, HALF) for method in METHODS if method != "HEAD"
        ),  # which has no body to truncate
    ],
)
@pytest.mark.parametrize(("policy", "tries"), [(None, 1), (QUICK, 3)], ids=["never", "twice"])
async def test_a_failing_backend_gets_as_many_requests_as_the_policy_allows(
    method: str, data: bytes, policy: RetryPolicy | None, tries: int
) -> None:
    async with counting(data) as (counted, call):
        entry = tool(to=backend("/", method=method)).model_copy(update={"retries": policy})
        assert (await call(entry)).is_error
        assert counted.requests == {method: tries}


async def test_a_backend_that_responds_gets_one_request_per_call() -> None:
    async with counting(OK) as (counted, call):
        entry = tool(to=backend("/")).model_copy(update={"retries": QUICK})
        for _ in range(3):
            assert not (await call(entry)).is_error
        assert counted.requests == {"GET": 3}


async def test_retries_to_a_failing_backend_add_at_most_a_fifth() -> None:
    async with counting(BUSY) as (counted, call):
        entry = tool(to=backend("/")).model_copy(update={"retries": QUICK})
        for _ in range(100):
            await call(entry)
        assert 100 < counted.requests["GET"] <= 120 + RESERVE
