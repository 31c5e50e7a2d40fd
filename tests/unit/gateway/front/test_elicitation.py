"""Elicitation over real connections, and clients that disconnect before they answer."""

from __future__ import annotations

import asyncio

import aiohttp

from mcp_operator.gateway.contract import InputRequired
from support.client_requests import ADA, FORMS, NAME, asking, said
from support.mcp_http import legacy, message_of, post
from support.running_gateway import Running, running
from support.waiting import hang_guard

CLIENTS = 40


async def begun(gateway: Running, session: str) -> tuple[aiohttp.ClientResponse, str]:
    """Begin a call; returns its response, and the id of the request to the client."""
    answer = await gateway.send(legacy("tools/call", {"name": "add"}, mcp_session_id=session))
    request_id: str = message_of(await answer.content.readuntil(b"\n\n"))["id"]
    return answer, request_id


async def until(gateway: Running, metric: str, value: int) -> None:
    async with hang_guard():
        while await gateway.metric(metric) != value:
            pass  # each iteration waits for a response


async def test_a_client_answers_an_elicitation_over_another_connection() -> None:
    async with running() as gateway:
        gateway.executor.results["add"] = asking(InputRequired({"name": NAME}))
        session = await gateway.initialize(FORMS)
        answer, request_id = await begun(gateway, session)
        assert answer.content_type == "text/event-stream"
        assert await gateway.metric("mcp_calls_asking") == 1

        reply = {"jsonrpc": "2.0", "id": request_id, "result": ADA}
        async with gateway.send(post(reply, mcp_session_id=session)) as posted:
            assert posted.status == 202

        last = message_of(await answer.content.readuntil(b"\n\n"))
        assert said(last["result"]) == {"name": ADA}
        answer.close()
        assert await gateway.metric("mcp_calls_asking") == 0


async def test_clients_that_disconnect_during_an_elicitation_leave_nothing_behind() -> None:
    async with running() as gateway:
        gateway.executor.results["add"] = asking(InputRequired({"name": NAME}))
        session = await gateway.initialize(FORMS)
        answers = [(await begun(gateway, session))[0] for _ in range(CLIENTS)]
        assert await gateway.metric("mcp_calls_asking") == CLIENTS

        for answer in answers:
            answer.close()

        await until(gateway, "mcp_calls_asking", 0)
        await until(gateway, "mcp_requests_in_flight", 0)
        await until(gateway, "mcp_open_connections", 0)
        running_on = {task.get_name() for task in asyncio.all_tasks()}
        assert not {"legacy request", "early stream", "look for answers"} & running_on
        assert len(gateway.executor.calls) == CLIENTS  # none was called again


async def test_a_gateway_that_stops_withdraws_elicitations_and_ends_their_calls() -> None:
    async with running() as gateway:
        gateway.executor.results["add"] = asking(InputRequired({"name": NAME}))
        answer, request_id = await begun(gateway, await gateway.initialize(FORMS))

        stopping = asyncio.create_task(gateway.app.stop())

        withdrawn = message_of(await answer.content.readuntil(b"\n\n"))
        assert withdrawn["params"]["requestId"] == request_id
        last = message_of(await answer.content.readuntil(b"\n\n"))
        assert "this server is stopping; repeat the call" in str(last["result"])
        answer.close()
        async with hang_guard():
            await stopping
