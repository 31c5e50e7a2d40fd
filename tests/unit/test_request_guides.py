"""The examples in the guides send the requests that the guides show."""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from mcp_operator.api.validation import problems
from mcp_operator.builders.compile_resource import compile_resource
from mcp_operator.builders.compile_tool import compile_tool
from mcp_operator.core.meta import Key
from mcp_operator.gateway.contract import Call, ResourceUnavailable
from mcp_operator.gateway.execute import HttpExecutor
from mcp_operator.gateway.table import Current, Table
from mcp_operator.gateway.upstream.answer import Answer
from mcp_operator.gateway.upstream.client import Tls
from mcp_operator.gateway.upstream.mapping import Request
from mcp_operator.gateway.upstream.reading import StreamLimits
from support.compiled import SERVICE, facts, resource, tool
from support.entries import catalog
from support.fake_upstream import FakeSecrets, fields
from support.manifests import resource as declared_resource
from support.manifests import tools as declared

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to"
SECRETS = {
    "token": b"0123456789abcdef",
    "username": b"ada",
    "password": b"secret-lovelace",
    "client_id": b"orders",
    "client_secret": b"canary-secret",
    "ca.crt": b"",
    "tls.crt": b"",
    "tls.key": b"",
}
NAMES = ("orders-api", "orders-login", "orders-client", "orders-client-tls", "orders-ca")
KNOWN = facts(secrets={name: set(SECRETS) for name in NAMES})
FACTS = replace(
    KNOWN,
    services=dict(KNOWN.services) | {Key("demo", "ingress"): SERVICE},
    external_hosts=("*.example.com",),
)


def examples(page: str) -> list[tuple[Any, str]]:
    """Return each YAML block of a page with the text block that follows it, or an empty string."""
    text = (HOW_TO / page).read_text(encoding="utf-8")
    found = re.findall(r"```yaml\n(.*?)```(?:\n\n```text\n(.*?)```)?", text, re.DOTALL)
    return [(yaml.safe_load(block), shown) for block, shown in found]


class Recorder:
    """Records the last request, and answers token requests."""

    def __init__(self) -> None:
        self.request: Request | None = None

    async def send(
        self, request: Request, tls: Tls, max_bytes: int, stream: StreamLimits | None = None
    ) -> Answer:
        self.request = request
        token = json.dumps({"access_token": "2YotnFZFEjr1zCsicMWpAA"}).encode()
        return Answer(200, "application/json", token)


def requested(
    entry: dict[str, Any], arguments: dict[str, Any], call: Call | None = None
) -> Request:
    """Call one entry of an MCPTool as a gateway does."""
    assert problems(declared(entry)) == []
    compiled = compile_tool(tool(tools=[entry]), FACTS)
    assert [one.message for one in compiled.findings if one.blocking] == []
    table, recorder = Table(catalog(*compiled.entries), "d"), Recorder()
    called = table.tools[entry["name"]]
    sent, errors = table.checked_arguments(called.name, arguments)
    assert errors == []
    current = Current()
    current.swap(table)
    executor = HttpExecutor(current, recorder, FakeSecrets(SECRETS))
    asyncio.run(executor.call_tool(called, sent, call or Call()))
    assert recorder.request is not None
    return recorder.request


def requested_by_uri(operation: dict[str, Any], uri: str) -> Request:
    """Read a URI of one operation of an MCPResource as a gateway does."""
    assert problems(declared_resource(operations=[operation])) == []
    compiled = compile_resource(resource(operations=[operation]), FACTS)
    assert compiled.findings == ()
    table, recorder = Table(catalog(*compiled.entries), "d"), Recorder()
    current = Current()
    current.swap(table)
    found = table.match(uri)
    assert found is not None
    executor = HttpExecutor(current, recorder, FakeSecrets(SECRETS))
    with suppress(ResourceUnavailable):  # the recorder's answer has no content
        asyncio.run(executor.read_resource(found[0], uri, found[1], Call()))
    assert recorder.request is not None
    return recorder.request


def shown(request: Request) -> str:
    lines = [f"{request.method} {request.target}"]
    lines += [f"{name}: {value}" for name, value in fields(request) if name != "Accept"]
    body = f"\n\n{request.body.decode()}" if request.body else ""
    return "\n".join(lines) + body


REST = [(entry, text) for entry, text in examples("expose-a-rest-api.md") if "name" in entry]


@pytest.mark.parametrize(("entry", "text"), REST, ids=[entry["name"] for entry, _ in REST])
def test_an_example_sends_the_shown_request(entry: Any, text: str) -> None:
    arguments, _, expected = text.partition("\n")
    if not text:
        arguments = '{"title": "a", "file": "aGVsbG8=", "fileName": "note.txt"}'
    request = requested(entry, json.loads(arguments))
    if text:
        assert sorted(shown(request).splitlines()) == sorted(expected.rstrip("\n").splitlines())
    else:
        assert b'filename="note.txt"\r\nContent-Type: text/plain\r\n\r\nhello' in (
            request.body or b""
        )


RESOURCES = [one for one in examples("expose-a-rest-api.md") if "uriTemplate" in one[0]]


@pytest.mark.parametrize(("operation", "text"), RESOURCES)
def test_reading_a_uri_sends_the_shown_request(operation: Any, text: str) -> None:
    uri, _, expected = text.partition("\n")
    request = requested_by_uri(operation, uri)
    assert sorted(shown(request).splitlines()) == sorted(expected.rstrip("\n").splitlines())


AUTHENTICATION = examples("authenticate-to-a-backend.md")


@pytest.mark.parametrize(("written", "text"), AUTHENTICATION)
def test_credentials_are_sent_as_shown(written: Any, text: str) -> None:
    entry: dict[str, Any] = {"name": "a", "path": "/", "method": "GET"}
    if "type" in written:
        entry["request"] = {"credentials": written}
    elif "forwardHeaders" in written:
        entry["request"] = written
    else:
        entry["service"] = {"name": "orders", "port": 80, **written}
    request = requested(entry, {}, Call(headers={"authorization": "Bearer of-the-client"}))
    headers = [f"{name.title()}: {value}" for name, value in fields(request)]
    assert not text or text.strip() in [*headers, "?" + request.target.partition("?")[2]]


def test_the_kustomization_sets_a_variable_that_the_operator_reads() -> None:
    [(kustomization, _)] = [
        one for one in examples("expose-a-rest-api.md") if one[0].get("kind") == "Kustomization"
    ]
    patch = yaml.safe_load(kustomization["patches"][0]["patch"])
    base = (HOW_TO.parents[1] / "manifests" / "base" / "deployment.yaml").read_text()
    deployment = next(
        one for one in yaml.safe_load_all(base) if one and one["kind"] == "Deployment"
    )
    [container] = patch["spec"]["template"]["spec"]["containers"]
    assert container["name"] in {
        one["name"] for one in deployment["spec"]["template"]["spec"]["containers"]
    }
    assert patch["metadata"]["name"] == deployment["metadata"]["name"]
    assert container["env"][0]["name"] == "MCP_OPERATOR_EXTERNAL_HOSTS"
