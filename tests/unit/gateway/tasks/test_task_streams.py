"""Streams that notify clients of their tasks."""

from __future__ import annotations

import asyncio

import pytest

from mcp_operator.api.access import AccessRule
from mcp_operator.api.catalog import Auth, JsonObject
from mcp_operator.gateway.contract import Job
from mcp_operator.gateway.protocol.message import KEEP_ALIVE, Frames, HttpRequest
from mcp_operator.gateway.protocol.task_calls import MAX_LISTENED
from mcp_operator.gateway.tasks.watch import MAX_WATCHED
from support.identity import API_KEYS, Clients
from support.mcp_http import Server, message_of, modern, table
from support.serving_tasks import DONE, begin, report, serving
from support.task_values import JOB, taking_tasks

pytestmark = pytest.mark.looptime

TAG = "io.modelcontextprotocol/subscriptionId"


def listen(*task_ids: object, **headers: str) -> HttpRequest:
    asked: JsonObject = {"notifications": {"taskIds": list(task_ids)}}
    return taking_tasks("subscriptions/listen", asked, None, **headers)


async def read(frames: Frames) -> JsonObject:
    """Return the next message."""
    while (frame := await anext(aiter(frames))) == KEEP_ALIVE:
        pass
    return message_of(frame)


def watched(server: Server) -> int:
    return server.endpoint._core.tasks.watch.watched


async def test_a_client_is_notified_of_the_state_of_its_task_and_of_each_change() -> None:
    async with serving(report()) as server:
        server.executor.results["report"] = JOB
        server.executor.looks = [Job("/jobs/7", 5, "Half done"), DONE]
        task_id = await begin(server)
        frames = (await server.stream(listen(task_id, "0" * 32))).frames
        acknowledged = await read(frames)
        assert acknowledged["params"]["notifications"] == {"taskIds": [task_id]}
        told = [await read(frames) for _ in range(3)]
        assert {each["method"] for each in told} == {"notifications/tasks"}
        assert {each["params"]["taskId"] for each in told} == {task_id}
        assert [each["params"]["_meta"][TAG] for each in told] == [1, 1, 1]
        assert [each["params"].get("statusMessage") for each in told] == [None, "Half done", None]
        assert told[2]["params"]["status"] == "completed"
        assert told[2]["params"]["result"] == {"content": [{"type": "text", "text": "done"}]}
        await frames.aclose()
        assert watched(server) == 0


async def test_an_unchanged_task_sends_no_notification() -> None:
    async with serving(report()) as server:
        server.executor.results["report"], server.executor.looks = JOB, [JOB]
        task_id = await begin(server)
        frames = (await server.stream(listen(task_id))).frames
        for _ in range(2):
            await read(frames)
        for _ in range(5):
            assert await anext(aiter(frames)) == KEEP_ALIVE
        assert len(server.executor.looked) > 5
        await frames.aclose()


async def test_a_client_without_the_extension_cannot_subscribe_to_tasks() -> None:
    async with serving(report()) as server:
        asked = {"notifications": {"taskIds": ["0" * 32]}}
        status, error = await server.error(modern("subscriptions/listen", asked))
        assert (status, error["code"]) == (400, -32021)


@pytest.mark.parametrize("ids", ["x", {}, [7], [None], ["0" * 32] * (MAX_LISTENED + 1)])
async def test_invalid_task_ids_are_refused(ids: object) -> None:
    async with serving(report()) as server:
        asked = {"notifications": {"taskIds": ids}}
        _, error = await server.error(taking_tasks("subscriptions/listen", asked))
        assert error["code"] == -32602
        assert watched(server) == 0


async def test_a_client_cannot_subscribe_to_the_task_of_another_client() -> None:
    keys = Clients(ann="ann-0123456789abcdef", bob="bob-0123456789abcdef")
    async with serving(report(), auth=API_KEYS, secrets=keys) as server:
        server.executor.results["report"] = JOB
        ann, bob = ({"x_api_key": f"{name}-0123456789abcdef"} for name in ("ann", "bob"))
        created = await server.result(taking_tasks("tools/call", {"name": "report"}, None, **ann))
        frames = (await server.stream(listen(created["taskId"], **bob))).frames
        assert (await read(frames))["params"]["notifications"] == {"taskIds": []}
        await frames.aclose()


def ruled(*tools: str) -> Auth:
    rule = AccessRule(tools=tools, prompts=(), resources=(), principals=("ann",))
    return API_KEYS.model_copy(update={"rules": (rule,)})


async def test_a_client_is_not_notified_of_tasks_of_tools_that_it_cannot_call_anymore() -> None:
    ann = {"x_api_key": "ann-0123456789abcdef"}
    keys = Clients(ann="ann-0123456789abcdef")
    async with serving(report(), auth=ruled("*"), secrets=keys) as server:
        server.executor.results["report"], server.executor.looks = JOB, [DONE]
        created = await server.result(taking_tasks("tools/call", {"name": "report"}, None, **ann))
        task_id = created["taskId"]
        open_before = (await server.stream(listen(task_id, **ann))).frames
        assert (await read(open_before))["params"]["notifications"] == {"taskIds": [task_id]}

        server.current.swap(table(report(), auth=ruled("other")))

        frames = (await server.stream(listen(task_id, **ann))).frames
        assert (await read(frames))["params"]["notifications"] == {"taskIds": []}
        await frames.aclose()
        assert [frame async for frame in open_before if b"notifications/tasks" in frame] == []
        await open_before.aclose()


async def test_only_listeners_with_an_older_version_of_a_task_are_notified() -> None:
    async with serving(report()) as server:
        server.executor.results["report"] = JOB
        store = server.endpoint._core.tasks._store()
        watch, task_id = server.endpoint._core.tasks.watch, await begin(server)
        before = await store.get(task_id)
        assert before is not None
        await store.save(before.task.completed(before.task.created + 1), before.revision, 0, b"{}")
        after = await store.get(task_id)
        assert after is not None
        told: list[int] = []
        versions = [before, after] * 8  # in any order
        listeners = [watch.listen([each], "c") for each in versions]
        for number, listener in enumerate(listeners):
            listener.tell = lambda _, number=number: told.append(number)  # type: ignore[misc]
        await asyncio.sleep(2)
        assert sorted(told) == [n for n, each in enumerate(versions) if each is before]
        watch.close()


async def test_a_client_that_disconnects_leaves_nothing_behind() -> None:
    async with serving(report()) as server:
        server.executor.results["report"] = JOB
        task_id = await begin(server)
        frames = [(await server.stream(listen(task_id))).frames for _ in range(10)]
        assert watched(server) == 10
        for each in frames:
            await each.aclose()
            await each.aclose()
        assert watched(server) == 0
        await asyncio.sleep(0)
        assert not [each for each in asyncio.all_tasks() if each.get_name() == "watch tasks"]


async def test_a_stream_that_is_refused_leaves_nothing_behind() -> None:
    async with serving(report()) as server:
        server.executor.results["report"] = JOB
        task_id = await begin(server)
        server.endpoint.close_streams()
        status, _ = await server.error(listen(task_id))
        assert (status, watched(server)) == (503, 0)


async def test_one_client_can_watch_at_most_half_of_the_tasks() -> None:
    async with serving(report()) as server:
        server.executor.results["report"] = JOB
        ids = [await begin(server) for _ in range(MAX_LISTENED)]
        streams = [(await server.stream(listen(*ids))).frames for _ in range(6)]
        assert watched(server) == MAX_WATCHED // 2
        last = await read(streams[-1])
        assert last["params"]["notifications"] == {"taskIds": []}
        for each in streams:
            await each.aclose()
        assert watched(server) == 0
