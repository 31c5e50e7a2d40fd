"""Input requests in 2026-07-28: results that require input, and retries that contain it."""

from __future__ import annotations

from typing import Any

import pytest

from mcp_operator.api.catalog import JsonObject
from mcp_operator.gateway.contract import InputRequired
from mcp_operator.gateway.protocol.request_state import MAX_STATE
from mcp_operator.gateway.root_key import RootKey
from support.client_requests import (
    ADA,
    EVERYTHING,
    FOLDERS,
    FORMS,
    HOME,
    NAME,
    POEM,
    VERSE,
    call,
    greeter,
    refused,
    said,
)
from support.entries import tool
from support.fake_executor import text_result
from support.mcp_http import Server

STEP = InputRequired({"step": NAME}, "one")


async def test_a_call_requests_input_and_the_tool_gets_it_from_the_retry() -> None:
    server = greeter()

    asks = await server.result(call())

    assert asks["resultType"] == "input_required"
    assert asks["inputRequests"] == {"name": NAME}
    assert "plain" not in asks["requestState"]
    assert "io.modelcontextprotocol/serverInfo" in asks["_meta"]
    state = asks["requestState"]
    done = await server.result(call(inputResponses={"name": ADA}, requestState=state))
    assert done["resultType"] == "complete"
    assert said(done) == {"name": ADA}


async def test_any_replica_with_the_same_key_can_serve_the_retry() -> None:
    root = b"r" * 32
    asks = await greeter(root=RootKey(root)).result(call())

    state = asks["requestState"]
    retry = call(inputResponses={"name": ADA}, requestState=state)
    assert said(await greeter(root=RootKey(root)).result(retry)) == {"name": ADA}


async def test_a_tool_can_request_several_inputs_at_once() -> None:
    server = greeter(InputRequired({"a": NAME, "b": POEM, "c": FOLDERS}))

    asks = await server.result(call(can=EVERYTHING))

    assert asks["inputRequests"] == {"a": NAME, "b": POEM, "c": FOLDERS}
    answers = {"a": ADA, "b": VERSE, "c": HOME}
    retry = call(can=EVERYTHING, inputResponses=answers, requestState=asks["requestState"])
    assert said(await server.result(retry)) == answers


async def test_a_tool_can_request_input_several_times() -> None:
    server = greeter(STEP, InputRequired({"color": NAME}, "two"))
    first = await server.result(call())
    second = await server.result(
        call(inputResponses={"step": ADA}, requestState=first["requestState"])
    )

    assert second["inputRequests"] == {"color": NAME}
    assert second["requestState"] != first["requestState"]
    retry = call(inputResponses={"color": ADA}, requestState=second["requestState"])
    assert said(await server.result(retry)) == {"color": ADA}


@pytest.mark.parametrize(
    "answers",
    [
        {},
        {"other": ADA},
        {"name": 7},
        {"name": {"action": "perhaps"}},
        {"name": {"action": "accept"}},
        {"name": {"action": "accept", "content": {}}},
        {"name": {"action": "accept", "content": {"name": ""}}},
        {"name": {"action": "accept", "content": {"name": 7}}},
    ],
    ids=str,
)
async def test_missing_or_invalid_input_is_requested_again(answers: JsonObject) -> None:
    server = greeter()
    asks = await server.result(call())

    again = await server.result(call(inputResponses=answers, requestState=asks["requestState"]))

    assert again["inputRequests"] == {"name": NAME}
    assert len(server.executor.calls) == 1
    retry = call(inputResponses={"name": ADA}, requestState=again["requestState"])
    assert said(await server.result(retry)) == {"name": ADA}


async def test_a_tool_gets_only_the_input_that_it_requested() -> None:
    server = greeter()
    state = (await server.result(call()))["requestState"]
    more = {"action": "accept", "content": {"name": "Ada", "admin": True}}

    retry = call(inputResponses={"name": more, "extra": ADA}, requestState=state)

    assert said(await server.result(retry)) == {"name": ADA}


@pytest.mark.parametrize("action", ["decline", "cancel"])
async def test_a_tool_is_called_again_if_the_user_declines_or_cancels(action: str) -> None:
    server = greeter()
    state = (await server.result(call()))["requestState"]

    retry = call(inputResponses={"name": {"action": action}}, requestState=state)

    assert said(await server.result(retry)) == {"name": {"action": action}}


async def test_input_can_be_sent_before_it_is_requested() -> None:
    server = greeter()

    assert said(await server.result(call(inputResponses={"name": ADA, "x": 1}))) == {"name": ADA}


async def test_invalid_input_that_was_sent_early_is_requested() -> None:
    result = await greeter().result(call(inputResponses={"name": 12345}))

    assert result["resultType"] == "input_required"


@pytest.mark.parametrize("answers", [None, [], "x", 7])
async def test_input_responses_that_are_not_an_object_are_refused(answers: Any) -> None:
    server = greeter()

    assert (
        await refused(server, inputResponses=answers) == "`params.inputResponses` must be an object"
    )
    assert not server.executor.calls


async def test_a_tool_can_request_a_retry_without_input() -> None:
    server = greeter()
    server.executor.results["greet"] = InputRequired({}, "later")

    asks = await server.result(call(can={}))

    assert "inputRequests" not in asks
    server.executor.results["greet"] = text_result("Done")
    done = await server.result(call(can={}, requestState=asks["requestState"]))
    assert done["content"] == [{"type": "text", "text": "Done"}]
    assert server.executor.seen[-1].input.state == "later"


# Input that the client cannot give


@pytest.mark.parametrize(
    ("request_", "can", "needs"),
    [
        (NAME, {}, {"elicitation": {"form": {}}}),
        (NAME, {"elicitation": {"url": {}}}, {"elicitation": {"form": {}}}),
        (
            {
                "method": "elicitation/create",
                "params": {"mode": "url", "message": "Sign in", "url": "https://example.com"},
            },
            FORMS,
            {"elicitation": {"url": {}}},
        ),
        (POEM, FORMS, {"sampling": {}}),
        (
            {**POEM, "params": POEM["params"] | {"tools": []}},  # type: ignore[operator]
            {"sampling": {}},
            {"sampling": {"tools": {}}},
        ),
        (FOLDERS, FORMS, {"roots": {}}),
    ],
)
async def test_input_that_needs_an_undeclared_capability_gets_error_32021(
    request_: JsonObject, can: JsonObject, needs: JsonObject
) -> None:
    status, error = await greeter(InputRequired({"x": request_})).error(call(can=can))

    assert (status, error["code"]) == (400, -32021)
    assert error["data"] == {"requiredCapabilities": needs}


async def test_a_tool_gets_the_capabilities_that_the_client_declares() -> None:
    server = greeter()
    await server.result(call(can={"elicitation": {}, "sampling": {}}))

    assert server.executor.seen[0].capabilities == {"elicitation": {}, "sampling": {}}


async def test_a_tool_is_not_called_if_the_client_lacks_a_required_capability() -> None:
    server = Server(tool("greet", required_client_capabilities=("Sampling", "Elicitation")))

    status, error = await server.error(call(can=FORMS))

    assert (status, error["code"]) == (400, -32021)
    assert error["data"] == {"requiredCapabilities": {"sampling": {}}}
    assert error["message"] == "greet needs a client that declares the capabilities: sampling"
    assert not server.executor.calls
    assert await server.result(call(can=EVERYTHING))


@pytest.mark.parametrize(
    "request_",
    [
        {"method": "tools/call", "params": {}},
        {"method": "elicitation/create", "params": {"message": "x"}},
        {"method": "elicitation/create", "params": {"mode": "url", "message": "x"}},
        {"method": "sampling/createMessage", "params": {}},
        {
            "method": "elicitation/create",
            "params": {
                "message": "x",
                "requestedSchema": {
                    "type": "object",
                    "properties": {"deep": {"type": "object", "properties": {}}},
                },
            },
        },
    ],
)
async def test_a_call_fails_if_its_tool_requests_input_that_mcp_does_not_allow(
    request_: JsonObject,
) -> None:
    result = await greeter(InputRequired({"x": request_})).result(call(can=EVERYTHING))

    assert result["isError"] is True
    assert result["resultType"] == "complete"
    (block,) = result["content"]
    assert block["text"].startswith(
        "greet cannot continue: it requests something from the client that MCP does not allow"
    )


async def test_a_call_fails_if_the_state_of_its_tool_is_too_large() -> None:
    result = await greeter(InputRequired({"name": NAME}, "x" * MAX_STATE)).result(call())

    assert result["isError"] is True
    assert "too large" in result["content"][0]["text"]
