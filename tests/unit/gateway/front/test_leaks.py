"""Clients that disconnect, repeat, reorder, or forge requests leave no state in the gateway."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import pytest

from mcp_operator.api.caching import CachePolicy
from mcp_operator.api.catalog import TaskPolicy
from mcp_operator.gateway.contract import Call, InputRequired, ToolResult
from mcp_operator.gateway.protocol.message import HttpRequest
from mcp_operator.gateway.tasks import task as task_module
from support.client_requests import ADA, EVERYTHING, NAME, asking
from support.client_state import held, subscribed_sessions
from support.entries import resource, tool
from support.fake_executor import text_result
from support.mcp_http import legacy, message_of, modern, notification, of_session, post, table
from support.raw_client import client
from support.running_gateway import Running, running
from support.task_values import taking_tasks
from support.waiting import eventually, hang_guard

ROUNDS: Final = 20
README: Final = "file:///readme"

Misbehavior = Callable[["Shop"], Awaitable[None]]


class Shop:
    """A gateway, and work that ends when the test says so."""

    def __init__(self, gateway: Running) -> None:
        self.gateway = gateway
        self.ends = asyncio.Event()
        self.begun = 0
        results = gateway.executor.results
        results["slow"] = results["build"] = results["cached"] = self._work
        results["greet"] = asking(InputRequired({"name": NAME}))
        current = gateway.current
        current.swap(
            table(
                tool("add"),
                tool("slow"),
                tool("greet"),
                tool("cached", cache=CachePolicy(ttl_seconds=3600)),
                tool("build", task=TaskPolicy(mode="Always", poll_seconds=1)),
                resource("readme", uri=README, text="Text."),
            )
        )

    async def _work(self, _: Call) -> ToolResult:
        self.begun += 1
        await self.ends.wait()
        return text_result("done")

    async def send(self, request: HttpRequest) -> tuple[int, Any]:
        """Send a request and read its response; return the status and the message."""
        async with self.gateway.send(request) as answer:
            body = await answer.read()
        if answer.content_type == "text/event-stream":
            return answer.status, message_of(body.rsplit(b"\n\n", 2)[-2] + b"\n\n")
        return answer.status, json.loads(body) if body else None

    async def session(self) -> str:
        return await self.gateway.initialize(EVERYTHING)

    async def task(self) -> str:
        _, answer = await self.send(taking_tasks("tools/call", {"name": "build"}))
        return str(answer["result"]["taskId"])

    @asynccontextmanager
    async def leaving(self, *requests: HttpRequest, cut: int = 0) -> AsyncIterator[bytes]:
        """Send requests over one connection, except for some bytes, and abort it at the end."""
        async with client(self.gateway) as connection:
            data = b"".join(map(wire, requests))
            connection.send(data[: len(data) - cut])
            if cut:
                yield b""
            else:
                async with hang_guard():
                    yield await connection.reader.readuntil(b"\r\n\r\n")

    async def vanish(self, name: str, **headers: str) -> None:
        """Begin a call, and disconnect while its backend works."""
        begun = self.begun
        request = legacy if headers else modern
        async with client(self.gateway) as connection:
            connection.send(wire(request("tools/call", {"name": name}, **headers)))

            async def works() -> bool:
                return self.begun > begun

            await eventually(works, expected=True)


def wire(request: HttpRequest) -> bytes:
    """Return a request as it is sent."""
    headers = {**request.headers, "host": "localhost", "content-length": str(len(request.body))}
    lines = [f"{request.method} /mcp HTTP/1.1", *(f"{k}: {v}" for k, v in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode() + request.body


async def leaves_while_a_call_runs(shop: Shop) -> None:
    await shop.vanish("slow")


async def leaves_while_a_call_of_its_session_runs(shop: Shop) -> None:
    await shop.vanish("slow", mcp_session_id=await shop.session())


async def leaves_before_its_request_is_whole(shop: Shop) -> None:
    for cut in (5, 200):
        async with shop.leaving(modern("tools/call", {"name": "add"}), cut=cut):
            pass


async def leaves_without_reading_what_it_asked_for(shop: Shop) -> None:
    async with shop.leaving(*(modern("tools/list", request_id=n) for n in range(20))):
        pass


async def leaves_its_stream(shop: Shop) -> None:
    wants = {"toolsListChanged": True, "resourceSubscriptions": [README, "file:///none"]}
    listen = taking_tasks("subscriptions/listen", {"notifications": wants})
    async with shop.leaving(listen) as head:
        assert b"text/event-stream" in head


async def leaves_a_task_that_it_listens_to(shop: Shop) -> None:
    wants = {"taskIds": [await shop.task(), "0" * 32]}
    async with shop.leaving(taking_tasks("subscriptions/listen", {"notifications": wants})):
        pass


async def leaves_while_it_is_asked(shop: Shop) -> None:
    session = await shop.session()
    call = legacy("tools/call", {"name": "greet"}, mcp_session_id=session)
    async with shop.leaving(call) as head:
        assert b"text/event-stream" in head


async def vanishes_from_a_session(shop: Shop) -> None:
    session = await shop.session()
    await shop.send(legacy("resources/subscribe", {"uri": README}, mcp_session_id=session))
    async with shop.leaving(of_session("GET", session)):
        pass


async def repeats_everything(shop: Shop) -> None:
    session = await shop.session()
    subscribe = legacy("resources/subscribe", {"uri": README}, mcp_session_id=session)
    level = legacy("logging/setLevel", {"level": "debug"}, mcp_session_id=session)
    call = legacy("tools/call", {"name": "add"}, mcp_session_id=session)
    for request in (subscribe, level, call):
        assert [status for status, _ in [await shop.send(request) for _ in range(3)]] == [200] * 3
    async with shop.leaving(of_session("GET", session)), shop.leaving(of_session("GET", session)):
        pass
    found = [await shop.send(of_session("DELETE", session)) for _ in range(2)]
    assert [status for status, _ in found] == [204, 404]


async def repeats_what_becomes_of_a_task(shop: Shop) -> None:
    task = await shop.task()
    for method in ("tasks/get", "tasks/update", "tasks/cancel", "tasks/cancel", "tasks/get"):
        params = {"taskId": task, "inputResponses": {"none": {}}}
        status, _ = await shop.send(taking_tasks(method, params))
        assert status == 200


async def uses_one_id_for_two_calls_and_cancels_it_twice(shop: Shop) -> None:
    session = await shop.session()
    begun = shop.begun
    call = legacy("tools/call", {"name": "slow"}, request_id=7, mcp_session_id=session)
    running = [asyncio.create_task(shop.send(call)) for _ in range(2)]

    async def works() -> bool:
        return shop.begun >= begun + 2

    await eventually(works, expected=True)
    cancel = notification("notifications/cancelled", {"requestId": 7}, mcp_session_id=session)
    assert [await shop.send(cancel) for _ in range(2)] == [(202, None)] * 2
    for each in running:
        each.cancel()
    await asyncio.gather(*running, return_exceptions=True)


async def answers_and_cancels_before_anything_was_asked(shop: Shop) -> None:
    session = await shop.session()
    for message in (
        {"jsonrpc": "2.0", "id": "none", "result": ADA},
        {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "none"}},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
    ):
        assert await shop.send(post(message, mcp_session_id=session)) == (202, None)
    unsubscribe = legacy("resources/unsubscribe", {"uri": README}, mcp_session_id=session)
    assert (await shop.send(unsubscribe))[0] == 200


async def goes_on_with_a_session_that_it_deleted(shop: Shop) -> None:
    session = await shop.session()
    await shop.send(of_session("DELETE", session))
    for method, params in (
        ("resources/subscribe", {"uri": README}),
        ("logging/setLevel", {"level": "debug"}),
        ("tools/call", {"name": "add"}),
    ):
        status, _ = await shop.send(legacy(method, params, mcp_session_id=session))
        assert status == 404


async def lies_about_what_it_sends(shop: Shop) -> None:
    wrong = modern("tools/call", {"name": "add"}, mcp_name="slow")
    forged = modern("tools/call", {"name": "greet", "requestState": "x", "inputResponses": {}})
    for request in (wrong, forged):
        status, answer = await shop.send(request)
        assert status >= 400 or "error" in answer, answer
    for request in (
        legacy("tools/list", mcp_session_id="x" * 56),
        of_session("GET", await shop.session() + "A"),
        post(b"{", mcp_method="tools/call"),
        post([], mcp_session_id=await shop.session()),
    ):
        assert (await shop.send(request))[0] in (400, 404)


async def shares_an_answer_and_leaves(shop: Shop) -> None:
    async def waited_for() -> bool:
        return bool((await held(shop.gateway))["calls for the cache"])

    call = modern("tools/call", {"name": "cached"})
    async with client(shop.gateway) as one, client(shop.gateway) as other:
        for each in (one, other):
            each.send(wire(call))
        await eventually(waited_for, expected=True)
    await eventually(waited_for, expected=False)  # otherwise the cache would keep a result


KINDS: Final[tuple[Misbehavior, ...]] = (
    leaves_while_a_call_runs,
    leaves_while_a_call_of_its_session_runs,
    leaves_before_its_request_is_whole,
    leaves_without_reading_what_it_asked_for,
    leaves_its_stream,
    leaves_a_task_that_it_listens_to,
    leaves_while_it_is_asked,
    vanishes_from_a_session,
    repeats_everything,
    repeats_what_becomes_of_a_task,
    uses_one_id_for_two_calls_and_cancels_it_twice,
    answers_and_cancels_before_anything_was_asked,
    goes_on_with_a_session_that_it_deleted,
    lies_about_what_it_sends,
    shares_an_answer_and_leaves,
)


async def misbehave(shop: Shop) -> None:
    """Run one client of each kind, until it disconnects."""
    shop.ends.clear()
    for kind in KINDS:
        await kind(shop)
    shop.ends.set()


async def left(shop: Shop, before: Mapping[str, int]) -> dict[str, int]:
    """Return the counts that are higher than before."""
    gc.collect()  # the gateway refers weakly to the streams of sessions
    now = await held(shop.gateway)
    return {name: count for name, count in now.items() if count > before[name]}


async def test_clients_that_misbehave_leave_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task_module, "KEEP_SECONDS", 0.01)
    async with running() as gateway:
        shop = Shop(gateway)
        before = await held(gateway)
        assert not any(count for name, count in before.items() if name != "asyncio tasks")
        for _ in range(ROUNDS):
            await misbehave(shop)
        await gateway.client.close()
        await eventually(lambda: left(shop, before), {})
        assert subscribed_sessions(gateway) == ROUNDS
