"""The states of a task, and how they are described to its client."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_operator.api.catalog import JsonObject
from mcp_operator.gateway.contract import Job
from mcp_operator.gateway.exact import Encoded, encode
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


def test_task_ids_have_128_bits_and_do_not_repeat() -> None:
    ids = {new_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert {len(each) for each in ids} == {32}


def test_a_new_task_is_described_as_working() -> None:
    assert described(a_task(id="t")) == {
        "taskId": "t",
        "status": "working",
        "createdAt": "2026-12-01T00:00:00.000Z",
        "lastUpdatedAt": "2026-12-01T00:00:00.000Z",
        "ttlMs": round((600 + KEEP_SECONDS) * 1000),
        "pollIntervalMs": 5000,
    }


def test_a_task_shows_the_message_and_the_interval_of_its_job() -> None:
    task = a_task().accepted(Job("/jobs/7", 20.0, "Half done"), LATER)
    shown = described(task)
    assert (shown["statusMessage"], shown["pollIntervalMs"]) == ("Half done", 20000)
    assert shown["lastUpdatedAt"] == "2026-12-01T00:01:00.000Z"


def test_an_unchanged_job_does_not_update_its_task() -> None:
    task = a_task().accepted(JOB, BEGAN)
    assert task.accepted(JOB, LATER).updated == BEGAN


def test_the_keys_of_input_requests_contain_the_number_of_the_round() -> None:
    shown = detailed(asking(), None)
    assert shown["status"] == "input_required"
    assert shown["inputRequests"] == {"1.name": NAME_FORM}
    assert "requestState" not in shown


def test_input_requests_of_different_rounds_have_different_keys() -> None:
    first = asking()
    second = first.answered({"1.name": {}}, LATER).asking({"name": NAME_FORM}, None, LATER)
    assert set(second.asked) == {"2.name"}


def test_a_task_is_working_again_once_all_input_has_arrived() -> None:
    task = asking(a=NAME_FORM, b=NAME_FORM)
    one = task.answered({"1.a": 1}, LATER)
    assert (one.status, set(one.asked)) == ("input_required", {"1.b"})
    both = one.answered({"1.b": 2}, LATER)
    assert (both.status, both.answers, both.state) == ("working", {"a": 1, "b": 2}, "s")
    assert not both.begun


@pytest.mark.parametrize("responses", [{}, {"name": 1}, {"2.name": 1}, {"": 1}])
def test_input_that_was_not_requested_does_not_change_a_task(responses: dict[str, object]) -> None:
    task = asking()
    assert task.answered(responses, LATER) is task


def test_input_that_has_arrived_is_not_replaced() -> None:
    task = asking(a=NAME_FORM, b=NAME_FORM).answered({"1.a": 1}, LATER)
    assert task.answered({"1.a": 2}, LATER) is task


def test_a_backend_can_request_its_state_back_without_input() -> None:
    task = a_task().asking({}, "step 2", LATER)
    assert (task.status, task.state, task.asked) == ("working", "step 2", {})


def test_a_task_that_requests_input_too_many_times_fails() -> None:
    task = a_task()
    for _ in range(MAX_ROUNDS):
        task = task.asking({}, "again", LATER)
    assert task.status == "working"
    assert task.asking({}, "again", LATER).status == "failed"


def test_a_failed_task_shows_a_json_rpc_error() -> None:
    shown = detailed(a_task().failed(-32603, "Broken", LATER), None)
    assert shown["error"] == {"code": -32603, "message": "Broken"}
    assert shown["statusMessage"] == "Broken"


def test_a_completed_task_shows_its_result() -> None:
    shown = detailed(a_task().completed(LATER), {"content": []})
    assert (shown["status"], shown["result"]) == ("completed", {"content": []})


def test_a_task_is_kept_for_an_hour_after_its_end() -> None:
    ended = a_task().completed(LATER)
    assert ended.expires == LATER + KEEP_SECONDS
    assert described(ended)["ttlMs"] == round((60 + KEEP_SECONDS) * 1000)


def test_a_task_is_overdue_after_its_maximum_age() -> None:
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
def test_a_task_that_has_ended_does_not_change(ended: Task) -> None:
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


def test_a_task_that_has_ended_does_not_keep_the_data_of_its_call() -> None:
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
def test_a_task_is_decoded_as_it_was_encoded(arguments: dict[str, object], text: str) -> None:
    task = a_task(arguments=arguments, message=text, job=Job("/j", 1.0, text))
    assert decoded(encoded(task)) == task


def test_numbers_of_a_stored_request_to_the_client_keep_their_text() -> None:
    schema = {"maximum": Encoded(b"1e400"), "default": Encoded(b"0.50")}
    task = a_task().asking({"amount": {"params": schema}}, None, LATER)
    shown = encode(detailed(decoded(encoded(task)), None)["inputRequests"])
    assert shown == b'{"1.amount":{"params":{"maximum":1e400,"default":0.50}}}'


@pytest.mark.parametrize(
    "kept", [b"", b"[]", b"{}", b'{"job":{"target":1}}', b'{"job":3}', b"\xff"]
)
def test_stored_bytes_that_are_not_a_task_are_refused(kept: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        decoded(kept)
