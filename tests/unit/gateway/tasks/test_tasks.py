"""Tasks as clients of a server use them, with a scripted backend."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from mcp_operator.gateway.contract import (
    NO_INPUT,
    ClientInput,
    InputRequired,
    Job,
    JobUnreachableError,
)
from mcp_operator.gateway.exact import Encoded
from mcp_operator.gateway.tasks import runner
from mcp_operator.gateway.tasks.store import MAX_BODY
from support.entries import backend, tool
from support.fake_executor import text_result
from support.mcp_http import legacy, modern
from support.serving_tasks import DONE, begin, call, look, report, serving, settled
from support.task_values import JOB, NAME_FORM, taking_tasks

pytestmark = pytest.mark.looptime


async def test_a_call_that_starts_a_job_returns_a_task() -> None:
    async with serving(report()) as server:
        server.executor.results["report"] = JOB
        result = await call(server)
    assert result["resultType"] == "task"
    assert (result["status"], result["pollIntervalMs"]) == ("working", 5000)
    assert not {"result", "error", "inputRequests", "content"} & result.keys()


async def test_a_call_that_starts_no_job_returns_its_result() -> None:
    async with serving(report()) as server:
        result = await call(server)
        assert (result["resultType"], result["content"]) == (
            "complete",
            [{"type": "text", "text": "report"}],
        )


async def test_a_tool_without_a_task_policy_creates_no_task() -> None:
    async with serving(tool("report")) as server:
        assert (await call(server, task={"ttl": 1}))["resultType"] == "complete"
        assert not server.executor.seen[0].takes_jobs


async def test_a_client_without_the_extension_waits_for_the_result() -> None:
    async with serving(report()) as server:
        result = await server.result(modern("tools/call", {"name": "report"}))
        assert result["resultType"] == "complete"
        assert not server.executor.seen[0].takes_jobs


async def test_a_job_is_polled_until_it_has_ended() -> None:
    async with serving(report()) as server:
        server.executor.results["report"] = JOB
        server.executor.looks = [Job("/jobs/7", 20, "Half done"), DONE]
        began = asyncio.get_running_loop().time()
        task_id = await begin(server)
        await asyncio.sleep(5.5)
        halfway = await look(server, task_id)
        assert (halfway["status"], halfway["statusMessage"]) == ("working", "Half done")
        assert halfway["pollIntervalMs"] == 20000
        await asyncio.sleep(20)
        done = await look(server, task_id)
        assert (done["status"], done["resultType"]) == ("completed", "complete")
        assert done["result"] == {"content": [{"type": "text", "text": "done"}]}
        assert [at - began for at, _ in server.executor.looked] == pytest.approx([5, 25], abs=0.1)
        assert server.observer.tools == [("report", "ok")]


async def test_a_task_that_has_ended_is_not_polled() -> None:
    async with serving(report()) as server:
        server.executor.results["report"], server.executor.looks = JOB, [DONE]
        await begin(server)
        await asyncio.sleep(1000)
        assert len(server.executor.looked) == 1
        assert not asyncio.all_tasks() - {asyncio.current_task()}


async def test_an_error_result_of_the_tool_completes_the_task() -> None:
    async with serving(report()) as server:
        server.executor.results["report"] = JOB
        server.executor.looks = [text_result("no luck", is_error=True)]
        task_id = await begin(server)
        await asyncio.sleep(6)
        done = await look(server, task_id)
        assert (done["status"], done["result"]["isError"]) == ("completed", True)
        assert server.observer.tools == [("report", "tool_error")]


async def test_a_backend_that_cannot_be_reached_is_polled_with_backoff() -> None:
    async with serving(report()) as server:
        server.executor.results["report"] = JOB
        server.executor.looks = [*[JobUnreachableError("away")] * 3, DONE]
        task_id = await begin(server)
        await asyncio.sleep(100)
        assert (await look(server, task_id))["status"] == "completed"
        times = [at for at, _ in server.executor.looked]
        gaps = [later - earlier for earlier, later in pairwise(times)]
        assert gaps == pytest.approx([5, 10, 20], abs=0.1)


async def test_a_backend_that_stays_unreachable_fails_the_task() -> None:
    async with serving(report()) as server:
        server.executor.results["report"] = JOB
        server.executor.looks = [JobUnreachableError("The backend refuses connections.")]
        task_id = await begin(server)
        await asyncio.sleep(590)
        failed = await look(server, task_id)
        assert failed["status"] == "failed"
        assert failed["error"]["code"] == -32603
        assert "refuses connections" in failed["error"]["message"]
        assert len(server.executor.looked) == runner.MAX_FAILURES
        assert server.observer.tools == [("report", "error")]


async def test_a_poll_that_gets_no_response_times_out() -> None:
    async with serving(report()) as server:
        server.executor.results["report"], server.executor.looks = JOB, [None, DONE]
        task_id = await begin(server)
        await asyncio.sleep(60)
        assert (await look(server, task_id))["status"] == "completed"


async def test_a_task_over_its_maximum_age_fails_and_its_job_is_dropped() -> None:
    async with serving(report()) as server:
        server.executor.results["report"], server.executor.looks = JOB, [JOB]
        task_id = await begin(server)
        await asyncio.sleep(599)
        assert (await look(server, task_id))["status"] == "working"
        await asyncio.sleep(2)
        failed = await look(server, task_id)
        assert (failed["status"], failed["error"]["message"]) == ("failed", runner.LATE)
        assert server.executor.dropped == [JOB.target]


async def test_a_task_is_deleted_an_hour_after_its_end() -> None:
    async with serving(report()) as server:
        server.executor.results["report"], server.executor.looks = JOB, [DONE]
        task_id = await begin(server)
        await asyncio.sleep(3600)
        done = await look(server, task_id)
        assert done["ttlMs"] == pytest.approx(3605_000, abs=100)
        await asyncio.sleep(10)
        code, error = await server.error(taking_tasks("tasks/get", {"taskId": task_id}))
        assert (code, error["code"]) == (200, -32602)


async def test_a_cancelled_task_stays_cancelled_and_its_job_is_dropped() -> None:
    async with serving(report()) as server:
        server.executor.results["report"], server.executor.looks = JOB, [DONE]
        task_id = await begin(server)
        for _ in range(2):  # the second has no effect
            ack = await server.result(taking_tasks("tasks/cancel", {"taskId": task_id}))
            assert set(ack) == {"resultType", "_meta"}
        await asyncio.sleep(60)
        assert (await look(server, task_id))["status"] == "cancelled"
        assert server.executor.dropped == [JOB.target]
        assert not server.executor.looked
        assert server.observer.tools == [("report", "cancelled")]


async def test_a_poll_in_progress_ends_when_its_task_is_cancelled() -> None:
    async with serving(report()) as server:
        server.executor.results["report"], server.executor.looks = JOB, [None]
        task_id = await begin(server)
        await asyncio.sleep(6)
        await server.result(taking_tasks("tasks/cancel", {"taskId": task_id}))
        await settled()
        assert not asyncio.all_tasks() - {asyncio.current_task()}


async def test_with_the_mode_always_every_call_creates_a_task() -> None:
    async with serving(report("Always")) as server:
        server.executor.gate.clear()
        task_id = await begin(server, n=1)
        await asyncio.sleep(20)
        assert (await look(server, task_id))["status"] == "working"
        assert server.executor.calls == [("report", {"n": 1})]
        server.executor.gate.set()
        await settled()
        done = await look(server, task_id)
        assert done["result"]["content"] == [{"type": "text", "text": "report"}]


async def test_a_call_that_runs_as_a_task_can_start_a_job() -> None:
    async with serving(report("Always")) as server:
        server.executor.results["report"], server.executor.looks = JOB, [DONE]
        task_id = await begin(server)
        await asyncio.sleep(6)
        assert (await look(server, task_id))["status"] == "completed"
        assert len(server.executor.calls) == 1


async def test_clients_without_the_extension_cannot_call_a_tool_with_the_mode_always() -> None:
    async with serving(report("Always")) as server:
        status, error = await server.error(modern("tools/call", {"name": "report"}))
        assert (status, error["code"]) == (400, -32021)
        assert error["data"] == {
            "requiredCapabilities": {"extensions": {"io.modelcontextprotocol/tasks": {}}}
        }
        session = await server.initialize()
        request = legacy("tools/call", {"name": "report"}, mcp_session_id=session)
        assert (await server.result(request))["isError"]
        assert not server.executor.calls


async def test_cancelling_a_task_cancels_its_call() -> None:
    async with serving(report("Always")) as server:
        server.executor.gate.clear()
        task_id = await begin(server)
        await server.executor.started.wait()
        await server.result(taking_tasks("tasks/cancel", {"taskId": task_id}))
        await server.executor.stopped.wait()
        assert (await look(server, task_id))["status"] == "cancelled"
        assert server.endpoint.in_flight == 0


async def test_calls_that_run_as_tasks_wait_while_the_concurrency_limit_is_reached() -> None:
    async with serving(report("Always"), max_concurrent_requests=2) as server:
        server.executor.gate.clear()
        tasks = [await begin(server, n=number) for number in range(5)]
        await asyncio.sleep(10)
        assert len(server.executor.calls) == 2, "a single client can use the whole limit"
        server.executor.gate.set()
        await asyncio.sleep(10)
        assert {(await look(server, each))["status"] for each in tasks} == {"completed"}


async def test_calls_that_run_as_tasks_count_toward_the_limit_of_their_client() -> None:
    settings = {"max_concurrent_requests_per_client": 1}
    async with serving(report("Always"), tool("other"), **settings) as server:
        server.executor.gate.clear()
        await begin(server)
        await server.executor.started.wait()
        other = asyncio.create_task(server.respond(modern("tools/call", {"name": "other"})))
        await settled()
        server.executor.gate.set()
        assert (await other).status == 429


async def test_a_single_client_can_use_the_whole_limit_for_tasks_and_other_calls() -> None:
    async with serving(report("Always"), tool("other"), max_concurrent_requests=4) as server:
        server.executor.gate.clear()
        for _ in range(2):
            await begin(server)
        await settled()
        others = [
            asyncio.create_task(server.respond(modern("tools/call", {"name": "other"})))
            for _ in range(2)
        ]
        await settled()
        assert server.endpoint.in_flight == 4
        server.executor.gate.set()
        assert [(await each).status for each in others] == [200, 200]


async def test_calls_that_run_as_tasks_count_toward_the_limit_of_their_tool() -> None:
    limited = report("Always", max_concurrent_requests=1)
    async with serving(limited) as server:
        server.executor.gate.clear()
        tasks = [await begin(server, n=number) for number in range(3)]
        await asyncio.sleep(10)
        assert len(server.executor.calls) == 1
        status, _ = await server.error(taking_tasks("tools/call", {"name": "report"}))
        assert status == 429
        server.executor.gate.set()
        await asyncio.sleep(10)
        assert {(await look(server, each))["status"] for each in tasks} == {"completed"}


async def test_a_task_requests_input_and_continues_with_it() -> None:
    async with serving(report()) as server:
        server.executor.results["report"] = JOB
        server.executor.looks = [InputRequired({"a": NAME_FORM, "b": NAME_FORM}, "s"), DONE]
        task_id = await begin(server)
        await asyncio.sleep(60)
        asking = await look(server, task_id)
        assert asking["inputRequests"] == {"1.a": NAME_FORM, "1.b": NAME_FORM}
        assert len(server.executor.looked) == 1, "no poll while the task waits for input"
        for key in ("1.a", "1.b"):
            answers = {key: {"action": "accept", "content": {"name": key}}, "other": 1}
            params = {"taskId": task_id, "inputResponses": answers}
            ack = await server.result(taking_tasks("tasks/update", params))
            assert set(ack) == {"resultType", "_meta"}
        await settled()
        answered = {
            each: {"action": "accept", "content": {"name": f"1.{each}"}} for each in ("a", "b")
        }
        given = ClientInput(answered, "s")
        assert [each for _, each in server.executor.looked] == [NO_INPUT, given]
        assert (await look(server, task_id))["status"] == "completed"


async def test_a_call_that_runs_as_a_task_is_repeated_with_the_requested_input() -> None:
    async with serving(report("Always")) as server:
        server.executor.results["report"] = InputRequired({"name": NAME_FORM}, "s")
        task_id = await begin(server, n=1)
        await settled()
        assert (await look(server, task_id))["status"] == "input_required"
        server.executor.results["report"] = DONE
        params = {"taskId": task_id, "inputResponses": {"1.name": {"action": "decline"}}}
        await server.result(taking_tasks("tasks/update", params))
        await settled()
        assert (await look(server, task_id))["status"] == "completed"
        assert server.executor.calls == [("report", {"n": 1})] * 2
        assert server.executor.seen[1].input == ClientInput({"name": {"action": "decline"}}, "s")


async def test_invalid_input_is_requested_again() -> None:
    async with serving(report()) as server:
        server.executor.results["report"] = JOB
        server.executor.looks = [InputRequired({"a": NAME_FORM}), DONE]
        task_id = await begin(server)
        await asyncio.sleep(6)
        for wrong in ({}, "x", {"action": "accept", "content": {"name": 7}}):
            params = {"taskId": task_id, "inputResponses": {"1.a": wrong}}
            await server.result(taking_tasks("tasks/update", params))
            assert (await look(server, task_id))["inputRequests"] == {"1.a": NAME_FORM}


@pytest.mark.parametrize(
    ("required", "code"),
    [
        (
            InputRequired({"a": {"method": "sampling/createMessage", "params": {"messages": []}}}),
            -32021,
        ),
        (InputRequired({"a": {"method": "tools/call", "params": {}}}), -32603),
        (InputRequired({"a": {"method": "elicitation/create"}}), -32603),
    ],
)
async def test_a_task_fails_if_it_requests_input_that_the_client_cannot_give(
    required: InputRequired, code: int
) -> None:
    async with serving(report()) as server:
        server.executor.results["report"], server.executor.looks = JOB, [required]
        task_id = await begin(server)
        await asyncio.sleep(6)
        failed = await look(server, task_id)
        assert (failed["status"], failed["error"]["code"]) == ("failed", code)


async def test_numbers_in_input_requests_keep_their_value() -> None:
    params = {"messages": [], "temperature": Encoded(b"0.50")}
    asked = InputRequired({"a": {"method": "sampling/createMessage", "params": params}})
    async with serving(report()) as server:
        server.executor.results["report"], server.executor.looks = JOB, [asked]
        call = {"name": "report", "arguments": {}}
        created = await server.result(taking_tasks("tools/call", call, {"sampling": {}}))
        await asyncio.sleep(6)
        shown = await look(server, created["taskId"])
        assert shown["inputRequests"]["1.a"]["params"] == {"messages": [], "temperature": 0.5}


async def test_arguments_too_large_for_a_task_get_429_or_wait_for_the_result() -> None:
    params = {"name": "report", "arguments": {"text": "x" * MAX_BODY}}
    async with serving(report("Always")) as server:
        status, error = await server.error(taking_tasks("tools/call", params))
        assert (status, "is too large" in error["message"]) == (429, True)
        assert not server.executor.calls
    async with serving(report()) as server:
        server.executor.results["report"] = JOB
        result = await server.result(taking_tasks("tools/call", params))
        assert result["content"][0]["text"] == f"waited for {JOB.target}"


async def test_headers_that_are_not_valid_text_are_not_stored() -> None:
    forwarding = report("Always", to=backend(forward_headers=("X-Tenant",)))
    async with serving(forwarding) as server:
        params = {"name": "report", "arguments": {}}
        headers = {"x_tenant": "\udcff", "traceparent": "\udcff"}
        await server.result(taking_tasks("tools/call", params, None, **headers))
        await settled()
        assert (server.executor.seen[0].headers, server.executor.seen[0].trace) == ({}, {})


async def test_a_task_that_waits_for_input_fails_when_it_is_overdue() -> None:
    async with serving(report()) as server:
        server.executor.results["report"] = JOB
        server.executor.looks = [InputRequired({"a": NAME_FORM})]
        task_id = await begin(server)
        await asyncio.sleep(601)
        assert (await look(server, task_id))["status"] == "failed"
