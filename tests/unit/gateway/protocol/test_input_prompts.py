"""Prompts that ask the user for their variables, in 2026-07-28."""

from __future__ import annotations

from typing import Any

import pytest

from mcp_operator.api.catalog import JsonObject
from mcp_operator.api.prompts import PromptVariable
from support.client_requests import (
    FORMS,
    declares,
)
from support.entries import prompt
from support.mcp_http import Server, modern

TOPIC = PromptVariable(name="topic", required=True, elicit=True, description="About what.")
TONE = PromptVariable(name="tone", enum=("dry", "warm"), default="dry", elicit=True)


def get(can: JsonObject = FORMS, **params: Any) -> JsonObject:
    return declares(can, name="write", **params)


def writer() -> Server:
    return Server(prompt("{{topic}}, {{tone}}", name="write", variables=(TOPIC, TONE)))


async def written(server: Server, params: JsonObject) -> str:
    result = await server.result(modern("prompts/get", params))
    text: str = result["messages"][0]["content"]["text"]
    return text


async def test_a_prompt_requests_the_variables_that_are_missing() -> None:
    server = writer()

    asks = await server.result(modern("prompts/get", get()))

    assert asks["inputRequests"] == {
        "variables": {
            "method": "elicitation/create",
            "params": {
                "mode": "form",
                "message": "write needs the following.",
                "requestedSchema": {
                    "type": "object",
                    "properties": {
                        "topic": {
                            "type": "string",
                            "title": "topic",
                            "description": "About what.",
                        },
                        "tone": {
                            "type": "string",
                            "title": "tone",
                            "enum": ["dry", "warm"],
                            "default": "dry",
                        },
                    },
                    "required": ["topic"],
                },
            },
        }
    }
    filled = {"action": "accept", "content": {"topic": "Sea", "tone": "warm"}}
    retry = get(inputResponses={"variables": filled}, requestState=asks["requestState"])
    assert await written(server, retry) == "Sea, warm"


async def test_a_prompt_does_not_request_variables_that_are_given() -> None:
    server = writer()
    assert await written(server, get(arguments={"topic": "Sea", "tone": "warm"})) == "Sea, warm"

    asks = await server.result(modern("prompts/get", get(arguments={"topic": "Sea"})))

    form = asks["inputRequests"]["variables"]["params"]["requestedSchema"]
    assert list(form["properties"]) == ["tone"]
    declined = get(
        arguments={"topic": "Sea"},
        inputResponses={"variables": {"action": "decline"}},
        requestState=asks["requestState"],
    )
    assert await written(server, declined) == "Sea, dry"


@pytest.mark.parametrize("action", ["decline", "cancel"])
async def test_a_prompt_fails_if_the_user_does_not_give_a_required_variable(action: str) -> None:
    server = writer()
    asks = await server.result(modern("prompts/get", get()))

    _, error = await server.error(
        modern(
            "prompts/get",
            get(
                inputResponses={"variables": {"action": action}},
                requestState=asks["requestState"],
            ),
        )
    )

    assert error["code"] == -32602
    assert error["message"] == "Prompt write: the argument 'topic' is required"


@pytest.mark.parametrize("can", [{}, {"elicitation": {"url": {}}}, {"sampling": {}}])
async def test_a_client_without_forms_must_send_the_required_arguments(can: JsonObject) -> None:
    server = writer()

    _, error = await server.error(modern("prompts/get", get(can)))

    assert (error["code"], error["message"]) == (
        -32602,
        "Prompt write: the argument 'topic' is required",
    )
    assert await written(server, get(can, arguments={"topic": "Sea"})) == "Sea, dry"


@pytest.mark.parametrize("method", ["tools/list", "server/discover", "completion/complete"])
async def test_other_methods_do_not_request_input(method: str) -> None:
    (answer,) = await writer().exchange(modern(method, {"requestState": "x", "inputResponses": {}}))

    assert "input_required" not in str(answer)
