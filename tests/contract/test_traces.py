"""OpenTelemetry traces of a gateway process, received by a collector that decodes OTLP."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from mcp import Client
from opentelemetry import trace

from mcp_operator.api.catalog import JsonObject
from mcp_operator.gateway.protocol import spec
from support.mcp_http import META, legacy, modern
from support.network import free_port
from support.otlp import Collector, collecting
from support.processes import Child, ProcessGroup
from support.served_samples import MODULE, reachable
from support.waiting import eventually, hang_guard

SHOP = """\
apiVersion: mcp-operator.dev/v1alpha1
kind: MCPServer
metadata: {name: shop, namespace: sales}
spec:
  toolSelector: {}
  resourceSelector: {}
  config: {requestTimeout: 500ms}
---
apiVersion: mcp-operator.dev/v1alpha1
kind: MCPTool
metadata: {name: order, namespace: sales}
spec:
  name: order
  description: Reads an order.
  service: {name: orders, port: 80, path: "/orders/{id}"}
  method: GET
  request:
    credentials: {type: Query, name: key, secretRef: {name: keys, key: shop}}
  inputSchema:
    type: object
    required: [id]
    properties:
      id: {type: string}
      note: {type: string}
---
apiVersion: mcp-operator.dev/v1alpha1
kind: MCPTool
metadata: {name: report, namespace: sales}
spec:
  name: report
  description: Makes a report.
  service: {name: orders, port: 80, path: /reports}
  method: POST
  task: {mode: Auto, pollInterval: 1s}
---
apiVersion: mcp-operator.dev/v1alpha1
kind: MCPResource
metadata: {name: note, namespace: sales}
spec:
  name: notes
  description: Notes.
  operations:
    - title: Note
      uriTemplate: "shop://notes/{id}"
      service: {name: orders, port: 80, path: "/notes/{id}"}
      parameters:
        - {name: id, in: path, required: true}
---
apiVersion: v1
kind: Secret
metadata: {name: keys, namespace: sales}
stringData: {shop: secret-of-the-shop}
"""

pytestmark = pytest.mark.asyncio(loop_scope="module")

SPAN = "00f067aa0ba902b7"
SENT = ("id-of-an-order", "note-of-a-client", "secret-of-the-shop", "answer-of-the-backend")
"""What no span must contain: arguments, a credential, content."""


class Backend:
    """The Service `orders`.

    Attributes:
        parents: The header `traceparent` of each request, in order.
        jobs: How many polls of the report still find it unfinished.
        over: Set to let waiting requests end.
    """

    def __init__(self) -> None:
        self.over = asyncio.Event()
        self.parents: list[str] = []
        self.jobs = 1

    async def __call__(self, request: web.BaseRequest) -> web.Response:
        self.parents.append(request.headers.get("traceparent", ""))
        if request.path == "/orders/broken":
            return web.Response(status=500, text="answer-of-the-backend")
        if request.path == "/orders/slow":
            await self.over.wait()
        if request.path == "/reports":
            return web.Response(status=202, headers={"location": "/jobs/1"})
        if request.path == "/jobs/1" and self.jobs:
            self.jobs -= 1
            return web.Response(status=202, headers={"retry-after": "0"})
        return web.Response(text="answer-of-the-backend")


class Served:
    """A gateway with a backend.

    Attributes:
        trace_id: The trace of the calls, a new one for each test.
    """

    def __init__(self, url: str, child: Child, backend: Backend) -> None:
        self.url, self.child, self.backend = url, child, backend
        self.trace_id = secrets.token_hex(16)

    async def post(self, request: Any) -> tuple[JsonObject, Any]:
        """Send a request; return the response message and the headers."""
        given = {name: value for name, value in request.headers.items() if name != "host"}
        async with (
            hang_guard(),
            aiohttp.ClientSession() as session,
            session.post(self.url, data=request.body, headers=given) as answer,
        ):
            return await answer.json(), answer.headers

    async def send(self, method: str, /, **params: Any) -> JsonObject:
        """Send a request within the trace of this test; return the response message."""
        meta = {
            **META,
            "traceparent": f"00-{self.trace_id}-{SPAN}-01",
            spec.CAPABILITIES_META: {"extensions": {spec.TASKS: {}}},
        }
        return (await self.post(modern(method, params | {"_meta": meta})))[0]

    async def call(self, tool: str = "order", /, **arguments: str) -> JsonObject:
        """Call a tool within the trace of this test; return its result."""
        answer = await self.send("tools/call", name=tool, arguments=arguments)
        result: JsonObject = answer["result"]
        return result

    def lines(self, message: str) -> list[JsonObject]:
        """Return the log lines with a message."""
        text = self.child.log.read_text(encoding="utf-8").splitlines()
        lines = [json.loads(line) for line in text if line.startswith("{")]
        return [line for line in lines if line["message"] == message]


@asynccontextmanager
async def serving(folder: Path, endpoint: str) -> AsyncIterator[Served]:
    (folder / "shop.yaml").write_text(SHOP)
    (folder / "processes").mkdir()
    processes, backend, port = ProcessGroup(folder / "processes"), Backend(), free_port()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("OTEL_")},
        "OTEL_BSP_SCHEDULE_DELAY": "50",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "1",
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
    }
    async with AsyncExitStack() as stack:
        stack.push_async_callback(asyncio.to_thread, processes.stop)
        runner = web.ServerRunner(web.Server(backend))
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        stack.callback(backend.over.set)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        service = f"--service=orders=127.0.0.1:{runner.addresses[0][1]}"
        arguments = ("serve", folder / "shop.yaml", service, f"--port={port}", "--log-format=json")
        child = processes.start("serve", [*MODULE, *arguments], env=environment)
        url = f"http://127.0.0.1:{port}/mcp"
        await reachable(url, child)
        yield Served(url, child, backend)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def running(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[tuple[Served, Collector]]:
    """One gateway for all tests, because it takes seconds to start."""
    async with (
        collecting() as (endpoint, collector),
        serving(tmp_path_factory.mktemp("traces"), endpoint) as served,
    ):
        yield served, collector


@pytest.fixture
def collector(running: tuple[Served, Collector]) -> Collector:
    return running[1]


@pytest.fixture
def served(running: tuple[Served, Collector]) -> Served:
    running[0].trace_id = secrets.token_hex(16)
    running[0].backend.parents.clear()
    return running[0]


async def test_a_call_is_one_trace_from_the_client_to_the_backend(
    served: Served, collector: Collector
) -> None:
    result = await served.call(id="id-of-an-order", note="note-of-a-client")
    assert "answer-of-the-backend" in str(result)
    server = await collector.named("tools/call order", served.trace_id)
    (client,) = collector.below(server)

    assert (server.kind, server.parent_id, server.failed) == ("SERVER", SPAN, False)
    assert server.attributes == {
        "mcp.method.name": "tools/call",
        "mcp.protocol.version": "2026-07-28",
        "jsonrpc.request.id": "1",
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "order",
        "network.protocol.name": "http",
        "network.transport": "tcp",
    }
    assert server.resource["service.name"] == "shop"
    assert server.resource["service.namespace"] == "sales"
    assert (client.kind, client.name, client.failed) == ("CLIENT", "GET /orders/{id}", False)
    assert client.attributes == {
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "server.address": "orders.sales.svc",
        "server.port": 80,
        "url.scheme": "http",
        "url.template": "/orders/{id}",
        "network.protocol.version": "1.1",
    }
    assert served.backend.parents == [f"00-{served.trace_id}-{client.span_id}-01"]


async def test_the_official_client_propagates_the_current_span(
    served: Served, collector: Collector
) -> None:
    ids = trace.SpanContext(
        int(served.trace_id, 16), int(SPAN, 16), is_remote=False, trace_flags=trace.TraceFlags(1)
    )
    with trace.use_span(trace.NonRecordingSpan(ids)):
        async with hang_guard(), Client(served.url) as client:
            await client.call_tool("order", {"id": "1"})
    span = await collector.named("tools/call order", served.trace_id)
    assert span.parent_id == SPAN


async def test_the_trace_of_the_http_request_is_the_parent_or_a_link(
    served: Served, collector: Collector
) -> None:
    around = secrets.token_hex(16), "b" * 16
    header = f"00-{around[0]}-{around[1]}-01"
    params = {"name": "order", "arguments": {"id": "1"}}
    meta = {"_meta": {**META, "traceparent": f"00-{served.trace_id}-{SPAN}-01"}}

    await served.post(modern("tools/call", params, traceparent=header))
    alone = await collector.named("tools/call order", around[0])
    assert (alone.parent_id, alone.links) == (around[1], ())

    await served.post(modern("tools/call", params | meta, traceparent=header))
    both = await collector.named("tools/call order", served.trace_id)
    assert (both.parent_id, both.links) == (SPAN, (around,))


async def test_an_invalid_traceparent_is_ignored(served: Served, collector: Collector) -> None:
    bad = f"00-{served.trace_id}-bad-01"
    await served.post(modern("resources/templates/list", traceparent=bad))
    span = await collector.named("resources/templates/list")
    assert span.parent_id == ""
    assert span.trace_id != served.trace_id


async def test_a_trace_that_the_client_does_not_sample_is_not_exported(
    served: Served, collector: Collector
) -> None:
    header = f"00-{served.trace_id}-{SPAN}-00"
    params = {"name": "order", "arguments": {"id": "1"}}
    await served.post(modern("tools/call", params, traceparent=header))
    assert served.backend.parents[0][:35] == f"00-{served.trace_id}"
    assert served.backend.parents[0].endswith("-00")

    served.trace_id = secrets.token_hex(16)
    await served.call(id="1")
    await collector.named("tools/call order", served.trace_id)
    assert header[3:35] not in {span.trace_id for span in collector.spans}


@pytest.mark.parametrize(("order", "kind"), [("broken", "500"), ("slow", "timeout")])
async def test_a_failed_call_has_an_error_type_and_a_log_line_with_its_span(
    served: Served, collector: Collector, order: str, kind: str
) -> None:
    assert (await served.call(id=order))["isError"]
    server = await collector.named("tools/call order", served.trace_id)
    (client,) = collector.below(server)
    assert (server.failed, server.attributes["error.type"]) == (True, "tool_error")
    assert (client.failed, client.attributes["error.type"]) == (True, kind)
    lines = [
        line["span_id"]
        for line in served.lines("A call to a backend failed")
        if line["trace_id"] == served.trace_id
    ]
    assert lines == [server.span_id]


async def test_a_protocol_error_is_recorded_with_its_code(
    served: Served, collector: Collector
) -> None:
    await served.send("tools/call", name="note-of-a-client")
    span = await collector.named("tools/call", served.trace_id)
    assert span.failed
    assert span.attributes["error.type"] == "-32602"
    assert span.attributes["rpc.response.status_code"] == "-32602"
    assert "gen_ai.tool.name" not in span.attributes


async def test_the_polls_of_a_task_belong_to_the_trace_of_its_call(
    served: Served, collector: Collector
) -> None:
    await served.call("report")
    server = await collector.named("tools/call report", served.trace_id)

    async def requests() -> list[str]:
        return sorted(span.name for span in collector.below(server))

    await eventually(requests, expected=["GET", "GET", "POST /reports"])
    assert {parent[3:35] for parent in served.backend.parents} == {served.trace_id}


async def test_a_span_contains_only_a_prefix_of_the_session_id(
    served: Served, collector: Collector
) -> None:
    agreed = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {}}
    _, headers = await served.post(legacy("initialize", agreed))
    session = headers["mcp-session-id"]
    parent = f"00-{served.trace_id}-{SPAN}-01"
    await served.post(legacy("tools/list", mcp_session_id=session, traceparent=parent))
    span = await collector.named("tools/list", served.trace_id)
    assert span.attributes["mcp.protocol.version"] == "2025-11-25"
    known = str(span.attributes["mcp.session.id"])
    assert session.startswith(known)
    assert 16 < len(known) < len(session)
    assert session.encode() not in b"".join(collector.raw)


async def test_no_span_contains_arguments_credentials_or_content(
    served: Served, collector: Collector
) -> None:
    await served.call(id="id-of-an-order", note="note-of-a-client")
    await served.call(id="broken", note="note-of-a-client")
    await served.send("note-of-a-client")
    await served.send("resources/read", uri="shop://notes/note-of-a-client")
    read = await collector.named("resources/read", served.trace_id)
    await collector.named("GET /notes/{id}", served.trace_id)
    assert read.attributes["mcp.resource.uri"] == "shop://notes/{id}"
    exported = b"".join(collector.raw)
    assert [text for text in SENT if text.encode() in exported] == []


async def test_an_unavailable_collector_fails_no_call_and_is_logged_once(tmp_path: Path) -> None:
    port = free_port()
    async with serving(tmp_path, f"http://127.0.0.1:{port}") as served:

        async def lost() -> int:
            assert "isError" not in await served.call(id="1")
            return len(served.lines("Traces are lost: they cannot be exported"))

        await eventually(lost, expected=1)
        async with collecting(port) as (_, collector):
            await served.call(id="1")

            async def again() -> int:
                return len(served.lines("Traces are exported again"))

            await eventually(again, expected=1)
            collector.spans.clear()
            served.trace_id = secrets.token_hex(16)
            await served.call(id="1")
            await asyncio.to_thread(served.child.stop)
            assert served.child.process.returncode == 0
            await collector.named("tools/call order", served.trace_id)  # including the last one
        (line,) = served.lines("Traces are lost: they cannot be exported")
        assert "error" in line
        assert "opentelemetry" not in served.child.log.read_text(encoding="utf-8")
