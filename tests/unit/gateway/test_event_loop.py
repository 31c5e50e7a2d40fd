"""No request of a client and no response of a backend blocks the event loop for long."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from bench.calibration import relative_work
from mcp_operator.api.catalog import JsonObject, ResponseMapping
from mcp_operator.gateway.lag import LagWatch
from mcp_operator.gateway.protocol import jsonrpc
from mcp_operator.gateway.protocol.jsonrpc import RpcError
from mcp_operator.gateway.upstream import structured
from mcp_operator.gateway.upstream.answer import Answer
from mcp_operator.gateway.upstream.content import tool_result
from mcp_operator.gateway.worker import LARGE, off_loop
from support.entries import tool
from support.mcp_http import Server, modern
from support.running_gateway import running

WORST = 20.0
"""Multiple of a fixed piece of work that takes some 10 ms; twenty times the usual."""

MANY: dict[str, Any] = {
    "lists": [[]] * 1_300_000,
    "objects": [{}] * 1_300_000,
    "names": {f"k{number}": 1 for number in range(350_000)},
    "numbers": [1] * 900_000,
    "empty texts": [""] * 1_000_000,
}
"""Four megabytes each, which took up to 3 s to parse."""


@pytest.mark.parametrize("kind", MANY)
def test_a_body_with_too_many_values_is_refused_before_it_is_parsed(kind: str) -> None:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "params": MANY[kind]}).encode()

    def decode() -> None:
        with pytest.raises(RpcError, match="more than 20000 values"):
            jsonrpc.decode(body)

    assert relative_work(decode) < WORST


async def test_a_body_with_too_many_values_gets_400() -> None:
    status, error = await Server().error(modern("tools/list", {"x": [[]] * 20_001}))

    assert (status, error["code"]) == (400, -32600)


async def test_a_large_text_does_not_count_as_many_values() -> None:
    server = Server(tool("add", input_schema={"type": "object", "properties": {"x": {}}}))
    text = 'Lorem, "ipsum" [dolor], {sit}' * 50_000

    await server.result(modern("tools/call", {"name": "add", "arguments": {"x": text}}))

    assert server.executor.calls == [("add", {"x": text})]


async def test_only_large_work_runs_in_another_thread() -> None:
    here = threading.get_ident()

    assert await off_loop(LARGE, threading.get_ident) == here
    elsewhere = await off_loop(LARGE + 1, threading.get_ident)
    assert elsewhere != here
    assert await off_loop(LARGE + 1, threading.get_ident) == elsewhere


async def test_large_arguments_are_validated_in_another_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = Server(tool("add"))
    judged: list[int] = []
    table = server.current.table
    assert table is not None

    def checked(_: str, arguments: JsonObject) -> tuple[JsonObject, list[str]]:
        judged.append(threading.get_ident())
        return arguments, []

    monkeypatch.setattr(table, "checked_arguments", checked)
    for text in ("small", "x" * LARGE):
        await server.result(modern("tools/call", {"name": "add", "arguments": {"x": text}}))

    assert judged[0] == threading.get_ident() != judged[1]


def test_a_response_with_too_many_values_is_returned_as_text() -> None:
    text = json.dumps([[]] * 50_001)
    answer = Answer(200, "application/json", text.encode())

    result = tool_result(tool("read"), answer, lambda _: [])

    assert [block["text"] for block in result.content] == [text]
    assert not result.is_error


def test_a_response_with_too_many_values_is_an_error_if_the_tool_expects_json() -> None:
    answer = Answer(200, "application/json", json.dumps([[]] * 50_001).encode())
    asking = tool("read", output_schema={"type": "object"})

    result = tool_result(asking, answer, lambda _: [])

    assert result.is_error
    assert "more than 50000 values" in result.content[0]["text"]


def test_a_part_of_a_response_with_many_values_can_be_selected() -> None:
    answer = Answer(200, "application/json", json.dumps([{"id": 7}] * 100_000).encode())

    result = tool_result(
        tool("read", response=ResponseMapping(jmes_path="[0].id")), answer, lambda _: []
    )

    assert [block["text"] for block in result.content] == ["7"]


def test_selecting_a_part_of_a_response_with_too_many_values_is_an_error() -> None:
    answer = Answer(200, "application/json", json.dumps([[]] * 250_001).encode())

    result = tool_result(
        tool("read", response=ResponseMapping(jmes_path="[0]")), answer, lambda _: []
    )

    assert result.is_error
    assert "more than 250000 values" in result.content[0]["text"]


def test_a_response_with_too_many_values_is_not_parsed() -> None:
    answer = Answer(200, "application/json", json.dumps([{}] * 2_000_000).encode())

    def parse() -> None:
        with pytest.raises(structured.TooManyValuesError):
            structured.parse(ResponseMapping(), answer)

    assert relative_work(parse) < WORST


async def test_the_delay_of_the_event_loop_is_a_metric() -> None:
    registry, loop = CollectorRegistry(), asyncio.get_running_loop()
    watch = LagWatch(registry)

    watch._look(loop, -1000.0)
    watch.stop()

    name = "mcp_event_loop_lag_seconds"
    assert registry.get_sample_value(f"{name}_bucket", {"le": "10.0"}) == 0
    assert registry.get_sample_value(f"{name}_count") == 1


async def test_a_gateway_measures_the_delay_of_its_event_loop() -> None:
    async with running() as gateway:
        while not await gateway.metric("mcp_event_loop_lag_seconds_count"):
            pass  # each iteration waits for a response
