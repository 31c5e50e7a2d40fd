"""How a task goes from one state to the next, and what its client is told."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_operator.api.catalog import JsonObject
from mcp_operator.gateway.contract import Job
from mcp_operator.gateway.tasks.task import (
    KEEP_SECONDS,
    MAX_ROUNDS,
    Task,
    decoded,
    described,
    detailed,
    encoded,
    new_id,
)
from support.task_values import BEGAN, JOB, NAME_FORM, a_task

LATER = BEGAN + 60


def asking(**requests: JsonObject) -> Task:
    return a_task(arguments={"n": 1}).asking(requests or {"name": NAME_FORM}, "s", LATER)


def test_ids_are_of_128_bits_and_never_repeat() -> None:
    ids = {new_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert {len(each) for each in ids} == {32}


def test_a_new_task_works() -> None:
    assert described(a_task(id="t")) == {
        "taskId": "t",
        "status": "working",
        "createdAt": "2026-12-01T00:00:00.000Z",
        "lastUpdatedAt": "2026-12-01T00:00:00.000Z",
        "ttlMs": round((600 + KEEP_SECONDS) * 1000),
        "pollIntervalMs": 5000,
    }


def test_what_the_backend_says_of_a_job_is_told() -> None:
    task = a_task().accepted(Job("/jobs/7", 20.0, "Half done"), LATER)
    shown = described(task)
    assert (shown["statusMessage"], shown["pollIntervalMs"]) == ("Half done", 20000)
    assert shown["lastUpdatedAt"] == "2026-12-01T00:01:00.000Z"


def test_a_job_that_goes_on_without_news_is_no_update() -> None:
    task = a_task().accepted(JOB, BEGAN)
    assert task.accepted(JOB, LATER).updated == BEGAN


def test_a_task_shows_what_it_asks_for_under_keys_of_its_round() -> None:
    shown = detailed(asking(), None)
    assert shown["status"] == "input_required"
    assert shown["inputRequests"] == {"1.name": NAME_FORM}
    assert "requestState" not in shown


def test_no_key_is_used_twice() -> None:
    first = asking()
    second = first.answered({"1.name": {}}, LATER).asking({"name": NAME_FORM}, None, LATER)
    assert set(second.asked) == {"2.name"}


def test_a_task_works_again_once_everything_is_answered() -> None:
    task = asking(a=NAME_FORM, b=NAME_FORM)
    one = task.answered({"1.a": 1}, LATER)
    assert (one.status, set(one.asked)) == ("input_required", {"1.b"})
    both = one.answered({"1.b": 2}, LATER)
    assert (both.status, both.answers, both.state) == ("working", {"a": 1, "b": 2}, "s")
    assert not both.begun


@pytest.mark.parametrize("responses", [{}, {"name": 1}, {"2.name": 1}, {"": 1}])
def test_answers_that_were_not_asked_for_change_nothing(responses: dict[str, object]) -> None:
    task = asking()
    assert task.answered(responses, LATER) is task


def test_an_answer_that_came_before_is_not_replaced() -> None:
    task = asking(a=NAME_FORM, b=NAME_FORM).answered({"1.a": 1}, LATER)
    assert task.answered({"1.a": 2}, LATER) is task


def test_a_backend_may_want_its_state_back_without_input() -> None:
    task = a_task().asking({}, "step 2", LATER)
    assert (task.status, task.state, task.asked) == ("working", "step 2", {})


def test_a_backend_that_asks_without_end_fails() -> None:
    task = a_task()
    for _ in range(MAX_ROUNDS):
        task = task.asking({}, "again", LATER)
    assert task.status == "working"
    assert task.asking({}, "again", LATER).status == "failed"


def test_a_failure_is_a_json_rpc_error() -> None:
    shown = detailed(a_task().failed(-32603, "Broken", LATER), None)
    assert shown["error"] == {"code": -32603, "message": "Broken"}
    assert shown["statusMessage"] == "Broken"


def test_a_result_is_told_with_the_task() -> None:
    shown = detailed(a_task().completed(LATER), {"content": []})
    assert (shown["status"], shown["result"]) == ("completed", {"content": []})


def test_a_task_is_kept_for_an_hour_after_its_end() -> None:
    ended = a_task().completed(LATER)
    assert ended.expires == LATER + KEEP_SECONDS
    assert described(ended)["ttlMs"] == round((60 + KEEP_SECONDS) * 1000)


def test_a_task_is_overdue_after_its_longest_age() -> None:
    task = a_task()
    assert not task.is_overdue(BEGAN + 599)
    assert task.is_overdue(BEGAN + 600)


@pytest.mark.parametrize(
    "ended",
    [
        asking().completed(LATER),
        asking().failed(-32603, "Broken", LATER),
        asking().cancelled(LATER),
    ],
)
def test_a_task_that_has_ended_stays_as_it_is(ended: Task) -> None:
    for step in (
        ended.accepted(JOB, LATER + 1),
        ended.unreachable(1.0),
        ended.starting(),
        ended.asking({"name": NAME_FORM}, None, LATER + 1),
        ended.answered({"1.name": 1}, LATER + 1),
        ended.completed(LATER + 1),
        ended.failed(-1, "Other", LATER + 1),
        ended.cancelled(LATER + 1),
    ):
        assert step is ended


def test_a_task_that_has_ended_holds_nothing_of_its_call() -> None:
    task = replace(asking(), headers={"x-tenant": "a"}, trace={"traceparent": "t"})
    ended = task.cancelled(LATER)
    assert (ended.arguments, ended.headers, ended.trace, ended.asked) == ({}, {}, {}, {})
    assert ended.state is None


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=8), VALUES, max_size=3), st.text(max_size=40))
def test_a_task_is_read_as_it_was_written(arguments: dict[str, object], text: str) -> None:
    task = a_task(arguments=arguments, message=text, job=Job("/j", 1.0, text))
    assert decoded(encoded(task)) == task


@pytest.mark.parametrize(
    "kept", [b"", b"[]", b"{}", b'{"job":{"target":1}}', b'{"job":3}', b"\xff"]
)
def test_what_another_release_kept_is_no_task(kept: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        decoded(kept)
