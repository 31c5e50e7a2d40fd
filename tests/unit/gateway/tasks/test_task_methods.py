"""Which clients can use a task, and which requests the methods of tasks refuse."""

from __future__ import annotations

import asyncio

import pytest

from mcp_operator.api.catalog import ToolEntry
from mcp_operator.gateway.tasks import runner
from mcp_operator.gateway.tasks.store import MAX_RESULT
from support.entries import backend, tool
from support.fake_executor import text_result
from support.identity import API_KEYS, Clients
from support.mcp_http import modern, table
from support.serving_tasks import DONE, begin, call, look, report, serving, settled
from support.task_values import JOB, taking_tasks

pytestmark = pytest.mark.looptime


@pytest.mark.parametrize("method", ["tasks/get", "tasks/update", "tasks/cancel"])
@pytest.mark.parametrize("task_id", ["unknown", "0" * 32, "", "0" * 3200, "\n", 7, None, {}])
async def test_an_unknown_task_id_gets_error_32602(method: str, task_id: object) -> None:
    async with serving(report()) as server:
        params = {"taskId": task_id, "inputResponses": {}}
        headers = {"mcp_name": task_id} if task_id == "\n" else {}
        status, error = await server.error(taking_tasks(method, params, None, **headers))
        assert (status, error["code"]) == (200, -32602)


@pytest.mark.parametrize("responses", [None, [], "x"])
async def test_input_responses_must_be_an_object(responses: object) -> None:
    async with serving(report()) as server:
        params = {"taskId": "0" * 32, "inputResponses": responses}
        _, error = await server.error(taking_tasks("tasks/update", params))
        assert (error["code"], "inputResponses" in error["message"]) == (-32602, True)


@pytest.mark.parametrize("method", ["tasks/get", "tasks/update", "tasks/cancel"])
async def test_task_methods_get_error_32021_from_clients_without_the_extension(method: str) -> None:
    async with serving(report()) as server:
        status, error = await server.error(modern(method, {"taskId": "x"}))
        assert (status, error["code"]) == (400, -32021)


@pytest.mark.parametrize("method", ["tasks/list", "tasks/result"])
async def test_methods_of_experimental_tasks_get_404(method: str) -> None:
    async with serving(report()) as server:
        status, error = await server.error(taking_tasks(method, {"taskId": "x"}))
        assert (status, error["code"]) == (404, -32601)


async def test_a_name_header_that_differs_from_the_task_id_gets_error_32020() -> None:
    async with serving(report()) as server:
        server.executor.results["report"] = JOB
        task_id = await begin(server)
        for name in ("other", task_id.upper()):
            params = {"taskId": task_id}
            status, error = await server.error(taking_tasks("tasks/get", params, mcp_name=name))
            assert (status, error["code"]) == (400, -32020)


async def test_the_extension_is_advertised_only_if_a_tool_can_create_tasks() -> None:
    async with serving(report()) as server:
        offered = (await server.result(modern("server/discover")))["capabilities"]
        assert offered["extensions"] == {"io.modelcontextprotocol/tasks": {}}
        server.current.swap(table(tool("report")))
        offered = (await server.result(modern("server/discover")))["capabilities"]
        assert "extensions" not in offered


async def test_several_pods_without_redis_do_not_support_tasks() -> None:
    async with serving(report(), several_pods=True) as server:
        assert "extensions" not in (await server.result(modern("server/discover")))["capabilities"]
        assert (await call(server))["resultType"] == "complete"
        assert not server.executor.seen[0].takes_jobs
    async with serving(report("Always"), several_pods=True) as server:
        _, error = await server.error(taking_tasks("tools/call", {"name": "report"}))
        assert "needs a Redis to store tasks" in error["message"]


async def test_only_the_client_that_created_a_task_can_use_it() -> None:
    keys = Clients(ann="ann-0123456789abcdef", bob="bob-0123456789abcdef")
    async with serving(report(), auth=API_KEYS, secrets=keys) as server:
        server.executor.results["report"], server.executor.looks = JOB, [JOB]
        ann, bob = ({"x_api_key": f"{name}-0123456789abcdef"} for name in ("ann", "bob"))
        created = await server.result(taking_tasks("tools/call", {"name": "report"}, None, **ann))
        params = {"taskId": created["taskId"], "inputResponses": {}}
        for method in ("tasks/get", "tasks/update", "tasks/cancel"):
            _, error = await server.error(taking_tasks(method, params, None, **bob))
            assert error["code"] == -32602
        found = await server.result(taking_tasks("tasks/get", params, None, **ann))
        assert found["status"] == "working"


async def test_a_result_that_is_too_large_becomes_an_error_result() -> None:
    async with serving(report()) as server:
        server.executor.results["report"] = JOB
        server.executor.looks = [text_result("x" * MAX_RESULT)]
        task_id = await begin(server)
        await asyncio.sleep(6)
        done = await look(server, task_id)
        assert done["result"]["isError"]
        assert "too large for a task" in done["result"]["content"][0]["text"]


@pytest.mark.parametrize(
    "changed",
    [tool("other"), tool("report"), report(to=backend(host="elsewhere.demo.svc"))],
)
async def test_a_job_is_not_polled_at_another_backend(changed: ToolEntry) -> None:
    async with serving(report()) as server:
        server.executor.results["report"], server.executor.looks = JOB, [DONE]
        task_id = await begin(server)
        server.current.swap(table(changed))
        await asyncio.sleep(6)
        assert (await look(server, task_id))["error"]["message"] == runner.GONE
        assert not server.executor.looked


async def test_a_call_that_has_started_is_never_repeated() -> None:
    async with serving(report("Always", to=backend(timeout_seconds=40))) as server:
        server.executor.gate.clear()
        task_id = await begin(server)
        await server.executor.started.wait()
        for step in [each for each in asyncio.all_tasks() if each.get_name().startswith("task ")]:
            step.cancel()  # as if this gateway had died
        await asyncio.sleep(40 + runner.GRACE_SECONDS + 1)
        assert (await look(server, task_id))["error"]["message"] == runner.LOST
        assert len(server.executor.calls) == 1


async def test_the_call_of_a_task_has_only_the_headers_that_its_tool_forwards() -> None:
    forwarding = report("Always", to=backend(forward_headers=("X-Tenant",)))
    async with serving(forwarding) as server:
        params = {"name": "report", "arguments": {}}
        await server.result(taking_tasks("tools/call", params, x_tenant="a", x_other="b"))
        await settled()
        assert server.executor.seen[0].headers == {"x-tenant": "a"}
        assert server.executor.seen[0].takes_jobs


async def test_a_task_fails_if_its_call_is_in_progress_when_the_server_has_stopped() -> None:
    async with serving(report("Always")) as server:
        server.executor.gate.clear()
        task_id = await begin(server)
        await server.executor.started.wait()
        server.endpoint.close_streams()
        assert server.endpoint.in_flight == 1, "calls can end until the drain timeout"
        await server.endpoint.close()
        assert (await look(server, task_id))["error"]["message"] == runner.LOST
