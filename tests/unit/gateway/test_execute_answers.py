"""How the executor processes a response before it becomes a result."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from mcp_operator.api.catalog import ResponseMapping, ToolEntry
from mcp_operator.gateway import exact
from mcp_operator.gateway.contract import MISSING, Call, ResourceUnavailable, ToolResult
from mcp_operator.gateway.execute import HttpExecutor
from mcp_operator.gateway.table import Current, Table
from mcp_operator.gateway.upstream import content
from mcp_operator.gateway.upstream.answer import Answer
from support.entries import argument, backend, catalog, resource, tool
from support.fake_upstream import FakeSecrets, FakeUpstream
from support.results import completed


def executor(upstream: FakeUpstream, called: ToolEntry) -> HttpExecutor:
    current = Current()
    current.swap(Table(catalog(called), "d"))
    return HttpExecutor(current, upstream, FakeSecrets())


@pytest.mark.parametrize(
    ("reply", "response", "aside"),
    [
        (Answer(200, "application/json", b"{}"), {}, False),
        (Answer(200, "text/plain", b"x" * 300_000), {}, True),
        (Answer(200, "application/json", b"{}"), {"json_path": "$"}, True),
        (Answer(200, "application/json", b"{}"), {"jmes_path": "@"}, True),
        (Answer(200, "application/json", b"{}"), {"error_when": "false"}, True),
    ],
)
async def test_slow_mappings_of_responses_run_off_the_event_loop(
    reply: Answer, response: dict[str, Any], aside: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = []

    def mapped(*_: object) -> ToolResult:
        threads.append(threading.current_thread())
        return ToolResult(content=())

    monkeypatch.setattr("mcp_operator.gateway.upstream.content.tool_result", mapped)
    called = tool(response=ResponseMapping(**response))
    await completed(executor(FakeUpstream(reply), called).call_tool(called, {}, Call()))
    assert (threads != [threading.main_thread()]) is aside


@pytest.mark.parametrize("body", ['{"a":["%s",1.10]}', '["%s"]', '"%s"'])
async def test_a_large_result_is_encoded_off_the_event_loop(body: str) -> None:
    large, called = (body % ("x" * 300_000)).encode(), tool()
    reply = Answer(200, "application/json", large)

    result = await completed(executor(FakeUpstream(reply), called).call_tool(called, {}, Call()))

    expected = content.tool_result(called, reply, lambda _: [])
    (block,) = result.content
    assert {type(member) for member in block.values()} == {exact.Encoded}
    assert exact.encode(block) == exact.encode(expected.content[0])
    if body.startswith("{"):
        assert isinstance(result.structured, exact.Encoded)
        assert result.structured.data == large
    else:
        assert result.structured is MISSING


async def test_a_large_resource_is_encoded_off_the_event_loop() -> None:
    entry = resource(uri="docs://a", backend=backend())
    reader = executor(FakeUpstream(Answer(200, "text/plain", b"x" * 300_000)), tool())

    (found,) = await reader.read_resource(entry, "docs://a", {}, Call())

    assert isinstance(found["text"], exact.Encoded)
    assert exact.encode(found) == exact.encode(
        {"uri": "docs://a", "mimeType": "text/plain", "text": "x" * 300_000}
    )


async def test_at_most_five_redirects_are_followed() -> None:
    moved = Answer(307, "", b"", (("location", "/items/"),))
    upstream, called = FakeUpstream(moved), tool(to=backend("/items"))
    result = await completed(executor(upstream, called).call_tool(called, {}, Call()))
    assert [request.target for request, _, _ in upstream.sent] == ["/items", *["/items/"] * 5]
    assert "the 6th redirect in a row, to /items/" in result.content[0]["text"]
    upstream = FakeUpstream(moved)
    called = tool(response=ResponseMapping(follow_redirects="Never"))
    result = await completed(executor(upstream, called).call_tool(called, {}, Call()))
    assert len(upstream.sent) == 1
    assert "a redirect to /items/, which is not followed" in result.content[0]["text"]


async def test_a_response_that_violates_the_output_schema_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    called = tool(output_schema={"type": "object", "required": ["name"]})
    upstream = FakeUpstream(Answer(201, "application/json", b"{}"))
    result = await completed(executor(upstream, called).call_tool(called, {}, Call()))
    assert result.is_error
    assert "An answer does not match the outputSchema of its tool" in caplog.text


async def test_a_resource_is_read_with_the_declared_type_and_error_statuses() -> None:
    body = b'{"a":"\xdf"}'
    upstream = FakeUpstream(Answer(200, "application/octet-stream", body))
    entry = resource(
        uri="docs://a",
        mime_type="application/json; charset=cp1251",
        backend=backend(),
        response=ResponseMapping(error_status="5xx"),
    )
    reader = executor(upstream, tool())
    assert await reader.read_resource(entry, "docs://a", {}, Call()) == (
        {"uri": "docs://a", "mimeType": "application/json; charset=cp1251", "text": '{"a":"Я"}'},
    )


async def test_a_part_of_a_resource_is_selected_off_the_event_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    threads = []

    def mapped(*_: object) -> tuple[dict[str, str]]:
        threads.append(threading.current_thread())
        return ({"text": ""},)

    monkeypatch.setattr("mcp_operator.gateway.upstream.content.resource_contents", mapped)
    reader = executor(FakeUpstream(Answer(200, "application/json", b"{}")), tool())
    for response in (ResponseMapping(), ResponseMapping(json_path="$")):
        entry = resource(uri="docs://a", mime_type="", backend=backend(), response=response)
        await reader.read_resource(entry, "docs://a", {}, Call())
    assert [thread is threading.main_thread() for thread in threads] == [True, False]


async def test_a_resource_follows_no_redirects_if_it_declares_never() -> None:
    upstream = FakeUpstream(Answer(307, "", b"", (("location", "/items/"),)))
    entry = resource(
        uri="docs://a", backend=backend(), response=ResponseMapping(follow_redirects="Never")
    )
    with pytest.raises(ResourceUnavailable, match="a redirect to /items/, which is not followed"):
        await executor(upstream, tool()).read_resource(entry, "docs://a", {}, Call())
    assert len(upstream.sent) == 1


async def test_several_values_of_a_variable_are_written_in_the_declared_style() -> None:
    upstream = FakeUpstream(Answer(200, "text/plain", b"x"))
    entry = resource(
        uri_template="docs://all{?tag*}",
        backend=backend("/all", argument("tag", style="pipeDelimited", enum=("a", "b"))),
    )
    found = Table(catalog(entry), "d").match("docs://all?tag=a&tag=b")
    assert found is not None
    reader = executor(upstream, tool())
    await reader.read_resource(entry, "docs://all?tag=a&tag=b", found[1], Call())
    assert upstream.sent[0][0].target == "/all?tag=a%7Cb"
    with pytest.raises(ResourceUnavailable, match="must be one of a, b"):
        await reader.read_resource(entry, "docs://all?tag=a&tag=c", {"tag": ["a", "c"]}, Call())
