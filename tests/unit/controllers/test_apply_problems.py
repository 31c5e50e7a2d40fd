"""When a server is told that its children cannot be written, and in which words."""

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
    """Passes of one server, whose outcomes a test chooses."""

    def __init__(self) -> None:
        self.problems = ApplyProblems()
        self.server: Object = {"metadata": {"name": "shop", "namespace": "demo", "generation": 1}}

    def fails(self, error: ApiError, *, after: float = 0.0) -> Condition | None:
        """Judge a pass that took so many seconds."""
        began = asyncio.get_running_loop().time() - after
        return self.problems.condition(self.server, Outcome(error=error), began)

    def succeeds(self) -> Condition | None:
        return self.problems.condition(self.server, Outcome(), asyncio.get_running_loop().time())

    async def said(self, error: ApiError) -> Condition:
        """Fail until that is said."""
        self.fails(error)
        await asyncio.sleep(REPORT_AFTER_SECONDS)
        condition = self.fails(error)
        assert condition is not None
        return condition


@pytest.fixture
def passes() -> Passes:
    return Passes()


async def test_what_the_api_server_forbids_is_said_at_once(passes: Passes) -> None:
    condition = passes.fails(DENIED)
    assert condition is not None
    assert condition.reason == "ApplyFailed"
    assert condition.message.endswith(f"{DEPLOYMENT}: denied by policy")


@pytest.mark.parametrize("error", [DOWN, LATE, RACE])
async def test_a_failure_that_may_pass_by_itself_is_said_once_it_has_lasted(
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


async def test_a_pass_that_hung_for_long_has_lasted(passes: Passes) -> None:
    assert passes.fails(LATE, after=10.0) is not None


async def test_a_failure_that_is_not_to_be_retried_soon_is_said_before(passes: Passes) -> None:
    assert passes.fails(ApiError(503, "Unavailable", "later", retry_after=30.0)) is not None


async def test_failures_with_a_success_between_them_have_not_lasted(passes: Passes) -> None:
    assert passes.fails(DOWN) is None
    await asyncio.sleep(REPORT_AFTER_SECONDS)
    assert passes.succeeds() is None
    assert passes.fails(DOWN) is None


async def test_what_was_said_is_taken_back_with_the_first_success(passes: Passes) -> None:
    await passes.said(DOWN)
    assert passes.succeeds() is None


async def test_numbers_that_differ_do_not_change_the_words(passes: Passes) -> None:
    def reset(port: int) -> ApiError:
        text = f"read tcp 10.0.0.1:{port}->10.0.0.2:443: connection reset"
        return ApiError(500, "InternalError", text, request=DEPLOYMENT)

    first = await passes.said(reset(40001))
    await asyncio.sleep(REWORD_SECONDS)
    assert passes.fails(reset(40002)) is first


async def test_other_words_for_the_same_failure_wait_for_a_minute(passes: Passes) -> None:
    first = await passes.said(DOWN)
    for _ in range(10):
        await asyncio.sleep(REWORD_SECONDS / 20)
        assert passes.fails(LATE) is first
    await asyncio.sleep(REWORD_SECONDS / 2)
    later = passes.fails(LATE)
    assert later is not None
    assert LATE.message in later.message


async def test_another_failure_is_said_at_once(passes: Passes) -> None:
    await passes.said(DOWN)
    refused = passes.fails(DENIED)
    assert refused is not None
    assert DENIED.message in refused.message
    other = passes.fails(ApiError(500, "InternalError", "full", request=SERVICE))
    assert other is not None
    assert other.message.endswith(f"{SERVICE}: full")


async def test_a_changed_spec_is_told_what_became_of_it(passes: Passes) -> None:
    await passes.said(DOWN)
    passes.server["metadata"]["generation"] = 2
    condition = passes.fails(LATE)
    assert condition is not None
    assert LATE.message in condition.message


async def test_nothing_is_remembered_of_a_server_that_is_gone(passes: Passes) -> None:
    passes.fails(DOWN)
    await asyncio.sleep(REPORT_AFTER_SECONDS)
    passes.problems.forget(passes.problems._failing.copy().popitem()[0])
    assert passes.fails(DOWN) is None
