"""Input requests to the client of a session, on the stream of a call, and its responses."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mcp_operator.api.catalog import JsonObject
from mcp_operator.api.prompts import PromptVariable
from mcp_operator.gateway.contract import InputRequired
from mcp_operator.gateway.protocol import asking
from mcp_operator.gateway.protocol.asking import ASK_SECONDS, MAX_ROUNDS
from support.client_requests import (
    ADA,
    EVERYTHING,
    FOLDERS,
    FORMS,
    HOME,
    NAME,
    POEM,
    VERSE,
    RespondingClient,
    greeter,
    said,
)
from support.entries import prompt, tool
from support.mcp_http import Server, legacy, notification, post


async def failure(client: RespondingClient) -> str:
    """Return why the call failed, and check that no call waits for input."""
    result = await client.result()
    assert result["isError"] is True
    (block,) = result["content"]
    assert client.server.endpoint.asking == 0
    text: str = block["text"]
    return text


async def test_a_call_requests_input_on_its_stream_and_continues_with_it() -> None:
    server = greeter()
    client = await RespondingClient.connect(server)
    client.call()

    request = await client.next()

    assert request["method"] == "elicitation/create"
    assert request["params"] == NAME["params"]
    assert server.endpoint.asking == 1
    assert (
        server.endpoint.in_flight == 0
    )  # a call that waits for a user does not count toward the limit
    await client.answer(request["id"], ADA)
    assert said(await client.result()) == {"name": ADA}
    assert server.executor.seen[-1].input.state == "plain"
    assert server.endpoint.asking == 0


async def test_a_call_can_request_several_inputs_at_once() -> None:
    client = await RespondingClient.connect(
        greeter(InputRequired({"a": NAME, "b": POEM, "c": FOLDERS}))
    )
    client.call()

    requests = {one["method"]: one["id"] for one in [await client.next() for _ in range(3)]}
    await client.answer(requests["roots/list"], HOME)
    await client.answer(requests["sampling/createMessage"], VERSE)
    await client.answer(requests["elicitation/create"], ADA)

    assert said(await client.result()) == {"a": ADA, "b": VERSE, "c": HOME}


async def test_a_call_can_request_input_several_times() -> None:
    rounds = (InputRequired({"a": NAME}, "1"), InputRequired({"b": POEM}, "2"))
    client = await RespondingClient.connect(greeter(*rounds))
    client.call()

    await client.answer((await client.next())["id"], ADA)
    await client.answer((await client.next())["id"], VERSE)

    assert said(await client.result()) == {"b": VERSE}


async def test_a_call_that_requests_input_too_many_times_fails() -> None:
    server = greeter()
    server.executor.results["greet"] = InputRequired({"name": NAME})
    client = await RespondingClient.connect(server)
    client.call()

    for _ in range(MAX_ROUNDS):
        await client.answer((await client.next())["id"], ADA)

    assert (
        await failure(client)
        == f"greet cannot continue: it requests input more than {MAX_ROUNDS} times"
    )


async def test_a_prompt_requests_its_variables() -> None:
    topic = PromptVariable(name="topic", required=True, elicit=True)
    server = Server(prompt("About {{topic}}.", name="write", variables=(topic,)))
    client = await RespondingClient.connect(server, FORMS)
    client.call("write", "prompts/get")

    request = await client.next()
    await client.answer(request["id"], {"action": "accept", "content": {"topic": "the sea"}})

    assert (await client.result())["messages"][0]["content"]["text"] == "About the sea."


async def test_a_prompt_that_cannot_request_input_names_the_missing_argument() -> None:
    topic = PromptVariable(name="topic", required=True, elicit=True)
    server = Server(prompt("About {{topic}}.", name="write", variables=(topic,)))
    client = await RespondingClient.connect(server, {})

    _, error = await server.error(
        legacy("prompts/get", {"name": "write"}, mcp_session_id=client.session)
    )

    assert error["message"] == "Prompt write: the argument 'topic' is required"


# Input that cannot be requested


@pytest.mark.parametrize(
    ("can", "lacks"),
    [
        ({}, "elicitation.form, sampling"),
        (FORMS, "sampling"),
        ({"sampling": {}, "elicitation": {"url": {}}}, "elicitation.form"),
    ],
)
async def test_a_call_fails_if_its_client_lacks_the_capabilities_for_the_input(
    can: JsonObject, lacks: str
) -> None:
    server = greeter(InputRequired({"a": NAME, "b": POEM}))
    client = await RespondingClient.connect(server, can)

    result = await server.result(
        legacy("tools/call", {"name": "greet"}, mcp_session_id=client.session)
    )

    assert result["isError"] is True
    assert (
        result["content"][0]["text"]
        == f"greet cannot continue: it needs a client that declares the capabilities: {lacks}"
    )


async def test_a_tool_is_not_called_if_the_client_lacks_a_required_capability() -> None:
    server = Server(tool("greet", required_client_capabilities=("Roots",)))
    can_not = await RespondingClient.connect(server, FORMS)
    can = await RespondingClient.connect(server, EVERYTHING)
    call = ("tools/call", {"name": "greet"})

    result = await server.result(legacy(*call, mcp_session_id=can_not.session))

    assert result["isError"] is True
    assert (
        result["content"][0]["text"] == "greet needs a client that declares the capabilities: roots"
    )
    assert not server.executor.calls
    assert "isError" not in await server.result(legacy(*call, mcp_session_id=can.session))


@pytest.mark.parametrize("accept", ["application/json", "*/*"])
async def test_a_call_fails_if_its_client_does_not_accept_event_streams(accept: str) -> None:
    server = greeter()
    client = await RespondingClient.connect(server)

    request = legacy("tools/call", {"name": "greet"}, mcp_session_id=client.session, accept=accept)
    (message,) = await server.exchange(request)

    assert message["result"]["content"][0]["text"] == (
        "greet cannot continue: the client does not accept text/event-stream, which "
        "requests to it need"
    )


async def test_a_call_fails_with_the_reason_if_its_client_responds_with_an_error() -> None:
    client = await RespondingClient.connect(greeter(InputRequired({"a": NAME, "b": POEM})))
    client.call()
    asked = [await client.next(), await client.next()]
    refusal = {"code": -1, "message": "User rejected\u202e it" + "!" * 1000}

    await client.post({"jsonrpc": "2.0", "id": asked[1]["id"], "error": refusal})

    withdrawn = await client.next()
    assert withdrawn["method"] == "notifications/cancelled"
    assert withdrawn["params"]["requestId"] == asked[0]["id"]
    text = await failure(client)
    assert text.startswith("greet cannot continue: the client refused to answer: User rejected it!")
    assert len(text) < 300


@pytest.mark.parametrize(
    "answer",
    [
        None,
        7,
        {},
        {"action": "accept", "content": {"name": 7}},
        {"action": "accept", "content": {"name": ""}},
    ],
    ids=str,
)
async def test_a_call_fails_if_its_client_responds_with_invalid_input(answer: Any) -> None:
    server = greeter()
    client = await RespondingClient.connect(server)
    client.call()

    await client.answer((await client.next())["id"], answer)

    assert "the client's response to 'name' is not valid" in await failure(client)
    assert len(server.executor.calls) == 1


# Nothing is left behind


@pytest.mark.looptime
async def test_a_call_fails_if_its_client_does_not_respond_in_time() -> None:
    client = await RespondingClient.connect(greeter())
    client.call()
    request = await client.next()
    began = asyncio.get_running_loop().time()

    withdrawn = await client.next()

    assert asyncio.get_running_loop().time() - began == ASK_SECONDS
    assert withdrawn["method"] == "notifications/cancelled"
    assert withdrawn["params"]["requestId"] == request["id"]
    assert await failure(client) == "greet cannot continue: the client did not respond in time"
    await client.answer(request["id"], ADA)  # too late, so it has no effect


@pytest.mark.looptime
async def test_the_duration_of_a_call_excludes_the_wait_for_the_user() -> None:
    server = greeter()
    client = await RespondingClient.connect(server)
    client.call()
    request = await client.next()
    await asyncio.sleep(100)

    await client.answer(request["id"], ADA)

    assert said(await client.result()) == {"name": ADA}
    assert max(server.observer.seconds) < 1


async def test_a_call_ends_when_its_client_disconnects() -> None:
    server = greeter()
    client = await RespondingClient.connect(server)
    client.call()
    await client.next()

    await client.leave()
    await asyncio.sleep(0)

    assert server.endpoint.asking == 0
    await server.endpoint.idle()
    assert len(server.executor.calls) == 1


async def test_a_client_can_cancel_a_call_that_waits_for_input() -> None:
    server = greeter()
    client = await RespondingClient.connect(server)
    client.call(arguments={})
    request = await client.next()

    cancel = ("notifications/cancelled", {"requestId": 1})
    await server.respond(notification(*cancel, mcp_session_id=client.session))

    withdrawn = await client.next()
    assert withdrawn["params"]["requestId"] == request["id"]
    assert "cancelled" in (await client.next())["error"]["message"]
    assert server.endpoint.asking == 0


async def test_a_call_fails_when_its_session_is_deleted() -> None:
    server = greeter()
    client = await RespondingClient.connect(server)
    client.call()
    await client.next()

    delete = post({}, mcp_session_id=client.session)
    delete.method = "DELETE"
    await server.respond(delete)

    await client.next()  # the request is withdrawn
    assert await failure(client) == "greet cannot continue: the session has ended"


async def test_a_server_that_stops_withdraws_its_requests_and_sends_no_more() -> None:
    server = greeter()
    client = await RespondingClient.connect(server)
    client.call()
    await client.next()

    server.endpoint.close_streams()

    await client.next()  # the request is withdrawn
    stopping = "greet cannot continue: this server is stopping; repeat the call"
    assert await failure(client) == stopping
    late = client.another()
    late.call()
    assert late.running is not None
    answer = await late.running
    assert stopping in str(answer.body)


async def test_calls_that_wait_for_input_are_limited_for_each_client(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(asking, "MAX_ASKING", 4)
    server = greeter()
    first = await RespondingClient.connect(server)
    waiting = [first, first.another()]
    for one in waiting:
        one.call()
        await one.next()

    third = first.another()
    third.call()
    assert third.running is not None
    answer = await third.running

    assert "too many calls wait for responses of clients" in str(answer.body)
    assert server.endpoint.asking == 2
    for one in waiting:
        await one.leave()
    assert server.endpoint.asking == 0


# Attackers


async def test_another_session_cannot_respond_to_the_request() -> None:
    server = greeter()
    client, eve = await RespondingClient.connect(server), await RespondingClient.connect(server)
    client.call()
    request = await client.next()

    evil = {"action": "accept", "content": {"name": "Eve"}}
    await client.answer(request["id"], evil, eve.session)
    await client.answer("guessed", evil)
    await client.answer(0, evil)
    await client.answer(["x"], evil)
    assert server.endpoint.asking == 1

    await client.answer(request["id"], ADA)
    assert said(await client.result()) == {"name": ADA}


async def test_ids_of_requests_cannot_be_guessed() -> None:
    client = await RespondingClient.connect(greeter(InputRequired({"a": NAME, "b": NAME})))
    client.call()

    ids = {(await client.next())["id"], (await client.next())["id"]}

    assert len(ids) == 2
    assert all(len(one) >= 22 for one in ids)
    await client.leave()


async def test_only_the_first_response_to_a_request_is_used() -> None:
    client = await RespondingClient.connect(greeter(InputRequired({"a": NAME, "b": POEM})))
    client.call()
    ids = [(await client.next())["id"], (await client.next())["id"]]

    await client.answer(ids[0], ADA)
    await client.answer(ids[0], {"action": "decline"})
    await client.answer(ids[1], VERSE)

    assert said(await client.result()) == {"a": ADA, "b": VERSE}


async def test_the_memory_for_the_input_of_clients_is_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(asking, "MAX_ANSWERS", 4096)
    server = greeter(InputRequired({"a": NAME, "b": POEM}))
    client = await RespondingClient.connect(server)
    client.call()
    ids = [(await client.next())["id"], (await client.next())["id"]]
    giant = {"action": "accept", "content": {"name": "x" * 4096}}

    await client.answer(ids[0], giant)

    await client.next()  # the other request is withdrawn
    assert "too large to be stored" in await failure(client)
    again = client.another()
    again.call()
    ids = [(await again.next())["id"], (await again.next())["id"]]
    await again.answer(ids[0], ADA)
    await again.answer(ids[1], VERSE)
    assert said(await again.result()) == {"a": ADA, "b": VERSE}
