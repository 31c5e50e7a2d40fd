"""The status of a server reports children that cannot be written."""

from __future__ import annotations

import asyncio

import pytest

from mcp_operator.api.conditions import Condition
from mcp_operator.controllers.apply_problems import (
    REPORT_AFTER_SECONDS,
    REWORD_SECONDS,
    ApplyProblems,
)
from mcp_operator.controllers.children import Outcome
from mcp_operator.core.meta import Object
from mcp_operator.runtime.errors import ApiError

pytestmark = pytest.mark.looptime

DEPLOYMENT, SERVICE = "PATCH /deployments/mcp-server-shop", "PATCH /services/mcp-server-shop"
DOWN = ApiError(500, "InternalError", "webhook: connection refused", request=DEPLOYMENT)
LATE = ApiError(504, "Timeout", "webhook: no answer", request=DEPLOYMENT)
DENIED = ApiError(403, "Forbidden", "denied by policy", request=DEPLOYMENT)
RACE = ApiError(409, "Conflict", "it has been modified", request=DEPLOYMENT)


class Passes:
    """Reconciliations of one server, with outcomes that the test sets."""

    def __init__(self) -> None:
        self.problems = ApplyProblems()
        self.server: Object = {"metadata": {"name": "shop", "namespace": "demo", "generation": 1}}

    def fails(self, error: ApiError, *, after: float = 0.0) -> Condition | None:
        """Report a failed reconciliation that took this many seconds."""
        began = asyncio.get_running_loop().time() - after
        return self.problems.condition(self.server, Outcome(error=error), began)

    def succeeds(self) -> Condition | None:
        return self.problems.condition(self.server, Outcome(), asyncio.get_running_loop().time())

    async def said(self, error: ApiError) -> Condition:
        """Fail until the failure is reported."""
        self.fails(error)
        await asyncio.sleep(REPORT_AFTER_SECONDS)
        condition = self.fails(error)
        assert condition is not None
        return condition


@pytest.fixture
def passes() -> Passes:
    return Passes()


async def test_a_forbidden_write_is_reported_at_once(passes: Passes) -> None:
    condition = passes.fails(DENIED)
    assert condition is not None
    assert condition.reason == "ApplyFailed"
    assert condition.message.endswith(f"{DEPLOYMENT}: denied by policy")


@pytest.mark.parametrize("error", [DOWN, LATE, RACE])
async def test_a_transient_failure_is_reported_only_after_it_has_lasted(
    passes: Passes, error: ApiError
) -> None:
    assert passes.fails(error) is None
    await asyncio.sleep(REPORT_AFTER_SECONDS / 2)
    assert passes.fails(error) is None
    await asyncio.sleep(REPORT_AFTER_SECONDS / 2)
    condition = passes.fails(error)
    assert condition is not None
    assert (condition.status, condition.reason) == (False, "ApplyFailed")
    assert error.message in condition.message


async def test_a_failure_after_a_long_reconciliation_is_reported_at_once(passes: Passes) -> None:
    assert passes.fails(LATE, after=10.0) is not None


async def test_a_failure_with_a_long_retry_after_is_reported_at_once(passes: Passes) -> None:
    assert passes.fails(ApiError(503, "Unavailable", "later", retry_after=30.0)) is not None


async def test_a_success_resets_the_time_that_a_failure_has_lasted(passes: Passes) -> None:
    assert passes.fails(DOWN) is None
    await asyncio.sleep(REPORT_AFTER_SECONDS)
    assert passes.succeeds() is None
    assert passes.fails(DOWN) is None


async def test_the_first_success_removes_the_problem(passes: Passes) -> None:
    await passes.said(DOWN)
    assert passes.succeeds() is None


async def test_a_message_that_differs_only_in_numbers_does_not_change_the_condition(
    passes: Passes,
) -> None:
    def reset(port: int) -> ApiError:
        text = f"read tcp 10.0.0.1:{port}->10.0.0.2:443: connection reset"
        return ApiError(500, "InternalError", text, request=DEPLOYMENT)

    first = await passes.said(reset(40001))
    await asyncio.sleep(REWORD_SECONDS)
    assert passes.fails(reset(40002)) is first


async def test_a_new_message_for_the_same_failure_is_reported_after_a_minute(
    passes: Passes,
) -> None:
    first = await passes.said(DOWN)
    for _ in range(10):
        await asyncio.sleep(REWORD_SECONDS / 20)
        assert passes.fails(LATE) is first
    await asyncio.sleep(REWORD_SECONDS / 2)
    later = passes.fails(LATE)
    assert later is not None
    assert LATE.message in later.message


async def test_a_different_failure_is_reported_at_once(passes: Passes) -> None:
    await passes.said(DOWN)
    refused = passes.fails(DENIED)
    assert refused is not None
    assert DENIED.message in refused.message
    other = passes.fails(ApiError(500, "InternalError", "full", request=SERVICE))
    assert other is not None
    assert other.message.endswith(f"{SERVICE}: full")


async def test_a_failure_is_reported_at_once_after_a_change_of_the_spec(passes: Passes) -> None:
    await passes.said(DOWN)
    passes.server["metadata"]["generation"] = 2
    condition = passes.fails(LATE)
    assert condition is not None
    assert LATE.message in condition.message


async def test_the_problems_of_a_deleted_server_are_forgotten(passes: Passes) -> None:
    passes.fails(DOWN)
    await asyncio.sleep(REPORT_AFTER_SECONDS)
    passes.problems.forget(passes.problems._failing.copy().popitem()[0])
    assert passes.fails(DOWN) is None
