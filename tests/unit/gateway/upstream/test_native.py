"""Native results, which a backend returns in the format of MCP, and the headers it gets."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mcp_operator.api.catalog import JsonObject, ResponseMapping
from mcp_operator.gateway import exact
from mcp_operator.gateway.contract import (
    MISSING,
    Call,
    ClientInput,
    InputRequired,
    Job,
    ToolResult,
)
from mcp_operator.gateway.execute import HttpExecutor
from mcp_operator.gateway.table import Current, Table
from mcp_operator.gateway.upstream.answer import Answer
from mcp_operator.gateway.upstream.native_shapes import MAX_BLOCKS, MAX_REQUESTS
from support.entries import argument, backend, catalog, tool
from support.fake_upstream import FakeSecrets, FakeUpstream
from support.results import completed

TYPE = "application/vnd.mcp.result+json"
NATIVE = ResponseMapping(native=True)
TEXT = {"type": "text", "text": "one"}
ASKED = {"method": "elicitation/create", "params": {"message": "Sure?"}}


def answer(body: object, status: int = 200, media_type: str = TYPE) -> Answer:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(status, media_type, data)


async def result(
    reply: Answer, call: Call | None = None, upstream: FakeUpstream | None = None, **fields: Any
) -> ToolResult | InputRequired:
    called = tool(**{"response": NATIVE} | fields)
    current = Current()
    current.swap(Table(catalog(called), "d"))
    upstream = upstream or FakeUpstream()
    upstream.reply = reply
    executor = HttpExecutor(current, upstream, FakeSecrets())
    found = await executor.call_tool(called, {}, call or Call())
    assert not isinstance(found, Job)
    return found


async def complete(reply: Answer, **fields: Any) -> ToolResult:
    return await completed(result(reply, **fields))


async def refusal(body: object, **fields: Any) -> str:
    told = await complete(answer(body), **fields)
    assert told.is_error
    assert "the call was made, so do not repeat it" in told.content[0]["text"]
    return str(told.content[0]["text"])


BLOCKS: list[JsonObject] = [
    {"type": "text", "text": "one", "annotations": {"audience": ["user"], "priority": 0.5}},
    {"type": "image", "data": "iVBORw==", "mimeType": "image/png"},
    {"type": "audio", "data": "UklGRg==", "mimeType": "audio/wav", "_meta": {"com.example/a": 1}},
    {"type": "resource_link", "uri": "file:///a", "name": "a", "size": 3, "title": "A"},
    {"type": "resource", "resource": {"uri": "file:///a", "text": "", "mimeType": "text/plain"}},
    {"type": "resource", "resource": {"uri": "file:///b", "blob": "AA=="}},
]


DEEP: JsonObject = json.loads('{"a":' * 300 + "1" + "}" * 300)


@pytest.mark.parametrize(
    "body",
    [
        {"content": [TEXT | {"_meta": DEEP}]},
        {"content": [TEXT], "_meta": DEEP},
        {"structuredContent": DEEP},
        {"resultType": "input_required", "inputRequests": {"a": ASKED | {"params": DEEP}}},
    ],
)
async def test_a_result_that_is_nested_too_deeply_is_an_error(body: JsonObject) -> None:
    assert "nested too deep" in await refusal(body)


async def test_content_blocks_of_every_type_are_returned_unchanged() -> None:
    told = await complete(answer({"content": BLOCKS}))

    assert list(told.content) == BLOCKS
    assert (told.is_error, told.structured, told.meta) == (False, MISSING, {})


async def test_nothing_is_added_to_a_native_result() -> None:
    reply = Answer(200, TYPE, json.dumps({"content": [TEXT]}).encode(), (("etag", "1"),))

    assert (await complete(reply)).content == (TEXT,)


async def test_members_that_mcp_does_not_define_are_dropped() -> None:
    block = TEXT | {"html": "<b>", "annotations": {"priority": 1, "colour": "red"}}

    told = await complete(answer({"content": [block], "cost": 1, "resultType": "complete"}))

    assert told.content == (TEXT | {"annotations": {"priority": 1}},)


async def test_reserved_names_in_meta_are_dropped() -> None:
    meta = {
        "io.modelcontextprotocol/serverInfo": {"name": "forged"},
        "dev.mcp/x": 1,
        "com.MCP.tools/x": 1,
        "com.example/kept": 1,
        "kept": 2,
    }

    told = await complete(answer({"content": [TEXT], "_meta": meta}))

    assert told.meta == {"com.example/kept": 1, "kept": 2}


async def test_structured_content_is_returned_exactly_and_also_as_text() -> None:
    told = await complete(answer(b'{"structuredContent":{"price":1.10}}'))

    assert exact.encode(told.structured) == b'{"price":1.10}'
    assert told.content == ({"type": "text", "text": '{"price":1.10}'},)


async def test_structured_content_can_be_null() -> None:
    told = await complete(answer({"content": [TEXT], "structuredContent": None}))

    assert (told.structured, told.content) == (None, (TEXT,))


SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


async def test_structured_content_is_validated_with_the_output_schema() -> None:
    fine = await complete(answer({"structuredContent": {"n": 1}}), output_schema=SCHEMA)
    assert not fine.is_error

    text = await refusal({"structuredContent": {"n": "x"}}, output_schema=SCHEMA)
    assert "does not match this tool's outputSchema" in text
    assert "has no structuredContent" in await refusal({"content": [TEXT]}, output_schema=SCHEMA)


async def test_an_error_result_does_not_need_structured_content() -> None:
    told = await complete(answer({"content": [TEXT], "isError": True}), output_schema=SCHEMA)

    assert (told.is_error, told.content) == (True, (TEXT,))


async def test_an_error_status_makes_a_native_result_an_error() -> None:
    assert (await complete(answer({"content": [TEXT]}, 422))).is_error
    lenient = ResponseMapping(native=True, error_status="5xx")
    assert not (await complete(answer({"content": [TEXT]}, 422), response=lenient)).is_error


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"{", "its body is not the JSON"),
        ([], "the whole: "),
        ({}, "neither content nor structuredContent"),
        ({"content": "one"}, "content: Input should be a valid list"),
        ({"content": [{"type": "video"}]}, "content.0: "),
        ({"content": [{"type": "text"}]}, "content.0.text.text: Field required"),
        ({"content": [{"type": "text", "text": 1}]}, "content.0.text.text: "),
        ({"content": [{"type": "image", "data": "?", "mimeType": "image/png"}]}, "image"),
        ({"content": [{"type": "image", "data": "AA=="}]}, "mimeType: Field required"),
        ({"content": [{"type": "image", "data": "AA==", "mimeType": "png"}]}, "mimeType"),
        ({"content": [{"type": "resource_link", "uri": "a:b"}]}, "name: Field required"),
        ({"content": [{"type": "resource", "resource": {"uri": "a:b"}}]}, "resource"),
        ({"content": [TEXT | {"annotations": {"audience": ["all"]}}]}, "audience"),
        ({"content": [TEXT | {"annotations": {"priority": "high"}}]}, "must be a number"),
        ({"content": [TEXT] * (MAX_BLOCKS + 1)}, "at most 1000 items"),
        ({"content": [TEXT], "isError": "no"}, "isError"),
        ({"content": [TEXT], "resultType": "task"}, "resultType"),
        ({"resultType": "input_required"}, "no inputRequests or requestState"),
        ({"resultType": "input_required", "inputRequests": {"": ASKED}}, "inputRequests"),
        (
            {
                "resultType": "input_required",
                "inputRequests": {str(n): ASKED for n in range(MAX_REQUESTS + 1)},
            },
            "at most 32 items",
        ),
        (
            {"resultType": "input_required", "inputRequests": {"a": {"method": "tools/call"}}},
            "inputRequests.a.method",
        ),
        ({"resultType": "input_required", "requestState": "é"}, "requestState"),
        ({"resultType": "input_required", "requestState": "x" * 4097}, "requestState"),
        ({"structuredContent": json.loads("[" * 300 + "]" * 300)}, "nested too deep"),
    ],
)
async def test_an_invalid_native_result_is_an_error_that_names_the_problem(
    body: object, problem: str
) -> None:
    assert problem in await refusal(body)


async def test_a_backend_can_require_input() -> None:
    body = {
        "resultType": "input_required",
        "inputRequests": {"sure": ASKED | {"more": 1}, "roots": {"method": "roots/list"}},
        "requestState": "step 1",
    }

    assert await result(answer(body)) == InputRequired(
        {"sure": ASKED, "roots": {"method": "roots/list"}}, "step 1"
    )


async def test_a_native_result_is_plain_json_unless_the_tool_declares_native() -> None:
    told = await complete(answer({"content": [TEXT]}), response=ResponseMapping())

    assert told.structured == {"content": [TEXT]}


async def test_a_native_tool_accepts_other_content_types() -> None:
    told = await complete(answer(b"plain", media_type="text/plain"))

    assert told.content == ({"type": "text", "text": "plain"},)


async def test_a_native_backend_gets_the_capabilities_and_input_of_the_client() -> None:
    upstream = FakeUpstream()
    call = Call(
        capabilities={"elicitation": {}},
        input=ClientInput({"sure": {"action": "accept", "content": {"name": "Zoë"}}}, "step 1"),
    )

    await result(answer({"content": [TEXT]}), call, upstream)

    assert upstream.headers["Accept"].startswith(f"{TYPE}, text/event-stream, ")
    assert upstream.headers["Mcp-Client-Capabilities"] == '{"elicitation":{}}'
    assert upstream.headers["Mcp-Input-Responses"] == (
        '{"sure":{"action":"accept","content":{"name":"Zo\\u00eb"}}}'
    )
    assert upstream.headers["Mcp-Request-State"] == "step 1"


async def test_other_backends_get_no_headers_about_the_client() -> None:
    upstream = FakeUpstream()
    call = Call(capabilities={"elicitation": {}}, input=ClientInput({"a": {}}, "s"))

    reply = answer({}, media_type="application/json")
    await result(reply, call, upstream, response=ResponseMapping())

    assert not [name for name in upstream.headers if name.startswith("Mcp-")]
    assert TYPE not in upstream.headers["Accept"]


async def test_a_client_cannot_send_mcp_headers_to_the_backend() -> None:
    upstream = FakeUpstream()
    to = backend(forward_headers=("Mcp-Request-State", "x-own"))
    call = Call(headers={"mcp-request-state": "forged", "x-own": "1"})

    await result(answer({"content": [TEXT]}), call, upstream, to=to)

    assert "Mcp-Request-State" not in upstream.headers
    assert upstream.headers["x-own"] == "1"


async def test_an_argument_can_set_accept_but_no_mcp_header() -> None:
    upstream = FakeUpstream()
    own = backend("/", argument("Accept", "header", default="text/csv"))
    await result(answer({"content": [TEXT]}), None, upstream, to=own)
    assert upstream.headers["Accept"] == "text/csv"

    forged = backend("/", argument("Mcp-Request-State", "header", default="forged"))
    told = await completed(result(answer({"content": [TEXT]}), None, FakeUpstream(), to=forged))
    assert "no argument may set the header Mcp-Request-State" in told.content[0]["text"]


async def test_input_that_is_too_long_for_a_header_is_an_error() -> None:
    call = Call(input=ClientInput({"a": {"content": "x" * 9000}}))

    told = await completed(result(answer({"content": [TEXT]}), call))

    assert told.is_error
    assert "Mcp-Input-Responses is longer than 8192" in told.content[0]["text"]
