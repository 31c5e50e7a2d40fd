"""An MCPTool becomes entries of the catalog, or findings that say why not."""

from __future__ import annotations

from typing import Any

import pytest

from mcp_operator.api.catalog import (
    Argument,
    ResponseMapping,
    RetryPolicy,
    SourceRef,
    TaskPolicy,
    ToolEntry,
)
from mcp_operator.api.conditions import ConditionType
from mcp_operator.api.jsonschema import CompiledSchema
from mcp_operator.api.reasons import Reason
from mcp_operator.api.v1alpha1 import MCPTool
from mcp_operator.builders.compile_tool import compile_tool, tool_references
from mcp_operator.builders.compiled import InvalidError
from mcp_operator.builders.references import Facts
from mcp_operator.core.meta import Key
from support.compiled import TO_ORDERS, facts, tool
from support.compiled_tools import INPUT, entry, finding, places


def test_a_minimal_tool_sends_a_post_to_the_root_of_its_service() -> None:
    compiled = compile_tool(tool(description="Find orders."), facts())
    assert compiled.key == Key("demo", "example")
    assert compiled.created == "2026-01-01T00:00:00Z"
    [only] = compiled.entries
    assert isinstance(only, ToolEntry)
    assert (only.name, only.description, only.title) == ("search", "Find orders.", "")
    assert only.input_schema == {
        "type": "object",
        "properties": {},
        "additionalProperties": False,
    }
    assert only.output_schema is None
    assert only.annotations == {}
    assert only.response == ResponseMapping()
    assert only.source == SourceRef(kind="MCPTool", namespace="demo", name="example")
    backend = only.backend
    assert (backend.method, backend.host, backend.port) == ("POST", "orders.demo.svc", 80)
    assert (backend.path, backend.arguments) == ("/", ())


def test_the_fields_that_clients_get_come_from_the_object() -> None:
    output = {"type": "object", "properties": {"total": {"type": "number"}}}
    only = entry(
        title="Search",
        outputSchema=output,
        annotations={"title": "Hint", "readOnlyHint": True},
        response={"jsonPath": "$.data", "structured": "Always", "errorStatus": "5xx"},
    )
    assert only.title == "Search"
    assert only.output_schema == output
    assert only.annotations == {"title": "Hint", "readOnlyHint": True}
    assert only.response == ResponseMapping(
        json_path="$.data", structured="Always", error_status="5xx"
    )


@pytest.mark.parametrize(
    ("method", "rest"),
    [
        ("GET", "query"),
        ("HEAD", "query"),
        ("OPTIONS", "query"),
        ("DELETE", "query"),
        ("POST", "body"),
        ("PUT", "body"),
        ("PATCH", "body"),
    ],
)
def test_arguments_not_in_the_path_go_to_the_query_or_the_body(method: str, rest: str) -> None:
    only = entry(method=method, inputSchema=INPUT, service=TO_ORDERS | {"path": "/orders/{id}"})
    assert places(only) == {"id": ("path", "id"), "limit": (rest, "limit")}


def test_a_mapping_sets_the_location_name_and_style_of_an_argument() -> None:
    mapping = {"name": "limit", "in": "header", "as": "X-Limit", "style": "json"}
    only = entry(inputSchema=INPUT, request={"arguments": [mapping]})
    [_, limit] = only.backend.arguments
    assert limit == Argument(name="limit", location="header", target="X-Limit", style="json")


def test_without_a_schema_path_placeholders_and_mapped_arguments_are_declared() -> None:
    only = entry(
        method="GET",
        service=TO_ORDERS | {"path": "/{shop}/orders/{id}"},
        request={"arguments": [{"name": "limit", "in": "query"}]},
    )
    assert only.input_schema == {
        "type": "object",
        "properties": {name: {"type": "string"} for name in ("shop", "id", "limit")},
        "required": ["shop", "id"],
    }
    assert places(only)["limit"] == ("query", "limit")


def test_an_argument_mapped_to_a_placeholder_is_declared_instead_of_it() -> None:
    only = entry(
        service=TO_ORDERS | {"path": "/orders/{id}"},
        request={"arguments": [{"name": "orderId", "in": "path", "as": "id"}]},
    )
    assert list(only.input_schema["properties"]) == ["orderId"]
    assert only.input_schema["required"] == ["orderId"]
    assert places(only) == {"orderId": ("path", "id")}


def test_a_placeholder_that_is_twice_in_the_path_is_declared_once() -> None:
    only = entry(service=TO_ORDERS | {"path": "/{id}/copies/{id}"})
    assert only.input_schema["required"] == ["id"]
    CompiledSchema(only.input_schema)


def test_an_argument_named_like_a_mapped_placeholder_goes_to_the_body() -> None:
    properties = {"id": {"type": "string"}, "orderId": {"type": "string"}}
    only = entry(
        inputSchema={"type": "object", "properties": properties},
        service=TO_ORDERS | {"path": "/orders/{id}"},
        request={"arguments": [{"name": "orderId", "in": "path", "as": "id"}]},
    )
    assert places(only) == {"id": ("body", "id"), "orderId": ("path", "id")}


@pytest.mark.parametrize(
    ("spec", "reason", "message"),
    [
        (
            {"inputSchema": {"type": "array"}},
            Reason.INVALID_SCHEMA,
            'inputSchema: the root must have type: "object", as MCP requires',
        ),
        (
            {"inputSchema": {}},
            Reason.INVALID_SCHEMA,
            'inputSchema: the root must have type: "object", as MCP requires',
        ),
        (
            {"inputSchema": {"type": "object", "properties": {"a": {"type": "text"}}}},
            Reason.INVALID_SCHEMA,
            "inputSchema: the schema does not compile: ",
        ),
        (
            {"inputSchema": {"type": "object", "properties": []}},
            Reason.INVALID_SCHEMA,
            "inputSchema: the schema does not compile: ",
        ),
        (
            {"outputSchema": {"type": 5}},
            Reason.INVALID_SCHEMA,
            "outputSchema: the schema does not compile: ",
        ),
        (
            {"inputSchema": INPUT, "service": TO_ORDERS | {"path": "/{place}"}},
            Reason.UNDECLARED_ARGUMENT,
            "the path /{place} has {place}, which inputSchema.properties does not declare",
        ),
        (
            {"inputSchema": INPUT, "request": {"arguments": [{"name": "page", "in": "query"}]}},
            Reason.UNDECLARED_ARGUMENT,
            "request.arguments maps 'page', which inputSchema.properties does not declare",
        ),
        (
            {"inputSchema": INPUT, "request": {"arguments": [{"name": "id", "in": "path"}]}},
            Reason.UNDECLARED_ARGUMENT,
            "request.arguments maps 'id' to {id}, which the path does not have",
        ),
        (
            {
                "inputSchema": INPUT,
                "service": TO_ORDERS | {"path": "/{id}"},
                "request": {"arguments": [{"name": "id", "in": "query"}]},
            },
            Reason.UNDECLARED_ARGUMENT,
            "no argument fills {id} of the path /{id}: map one to it with in: path",
        ),
        (
            {
                "inputSchema": INPUT,
                "service": TO_ORDERS | {"path": "/{id}"},
                "request": {
                    "arguments": [
                        {"name": "id", "in": "path"},
                        {"name": "limit", "in": "path", "as": "id"},
                    ]
                },
            },
            Reason.UNDECLARED_ARGUMENT,
            "two arguments fill {id} of the path /{id}: map one to it with in: path",
        ),
        (
            {"service": TO_ORDERS | {"path": "/orders/{id"}},
            Reason.INVALID,
            "the path /orders/{id has a brace outside of a {name}: for a literal brace, write %7B",
        ),
        (
            {"service": TO_ORDERS | {"path": "/{a/b}"}},
            Reason.INVALID,
            "the path /{a/b} has a brace outside of a {name}",
        ),
    ],
)
def test_an_invalid_spec_is_not_accepted(
    spec: dict[str, Any], reason: Reason, message: str
) -> None:
    only = finding(**spec)
    assert (only.condition, only.reason) == (ConditionType.ACCEPTED, reason)
    assert only.message.startswith(message)
    assert only.blocking


def test_the_service_of_a_tool_must_exist() -> None:
    only = finding(service={"name": "stock", "port": 80})
    assert only.condition is ConditionType.RESOLVED_REFS
    assert (only.reason, only.message) == (
        Reason.SERVICE_NOT_FOUND,
        "Service demo/stock does not exist: create it, or correct the name",
    )


def test_entries_inherit_the_fields_of_their_object_that_they_do_not_set() -> None:
    compiled = compile_tool(
        tool(
            method="GET",
            timeout="5s",
            response={"maxBytes": 10, "errorStatus": "5xx"},
            tools=[
                {"name": "one", "path": "/one"},
                {"name": "two", "path": "/two", "method": "PUT", "response": {"maxBytes": 20}},
            ],
        ),
        facts(),
    )
    one, two = (found for found in compiled.entries if isinstance(found, ToolEntry))
    assert (one.backend.path, one.backend.method) == ("/one", "GET")
    assert (two.backend.path, two.backend.method) == ("/two", "PUT")
    assert [found.backend.max_response_bytes for found in (one, two)] == [10, 20]
    assert [found.response.error_status for found in (one, two)] == ["5xx", "5xx"]
    assert [found.backend.timeout_seconds for found in (one, two)] == [5, 5]


def test_entries_inherit_retries_as_a_whole() -> None:
    compiled = compile_tool(
        tool(
            method="GET",
            retries={"attempts": 4, "backoff": "1s"},
            tools=[
                {"name": "one", "path": "/"},
                {"name": "two", "path": "/", "retries": {"retryOn": ["reset", "502"]}},
            ],
        ),
        facts(),
    )
    assert {one.name: one.retries for one in compiled.entries if isinstance(one, ToolEntry)} == {
        "one": RetryPolicy(attempts=4, on=("connect-failure", "503"), backoff_seconds=1),
        "two": RetryPolicy(attempts=2, on=("reset", "502"), backoff_seconds=0.1),
    }


def test_a_tool_has_no_retries_by_default() -> None:
    (entry,) = compile_tool(tool(name="one", method="GET"), facts()).entries
    assert isinstance(entry, ToolEntry)
    assert entry.retries is None


def test_entries_inherit_the_task_policy_as_a_whole() -> None:
    entries = [
        {"name": "one", "path": "/"},
        {"name": "two", "path": "/", "task": {"mode": "Always", "pollInterval": "1m30s"}},
        {"name": "three", "path": "/", "task": {"mode": "Never"}},
    ]
    compiled = compile_tool(tool(task={"mode": "Auto", "maxAge": "24h"}, tools=entries), facts())
    assert {one.name: one.task for one in compiled.entries if isinstance(one, ToolEntry)} == {
        "one": TaskPolicy(mode="Auto", poll_seconds=5, max_age_seconds=24 * 3600),
        "two": TaskPolicy(mode="Always", poll_seconds=90, max_age_seconds=3600),
        "three": None,
    }


def test_a_tool_that_forwards_credentials_cannot_run_as_a_task() -> None:
    forwarding = {"forwardHeaders": ["Authorization"], "allowCredentialForwarding": True}
    compiled = compile_tool(
        tool(name="one", request=forwarding, task={"mode": "Auto"}),
        facts(),
    )
    (finding,) = compiled.findings
    assert (
        "request.allowCredentialForwarding: a task continues without its client" in finding.message
    )
    never = tool(name="one", request=forwarding, task={"mode": "Never"})
    assert len(compile_tool(never, facts()).entries) == 1


def test_a_tool_cannot_have_both_a_cache_and_tasks() -> None:
    compiled = compile_tool(
        tool(name="one", method="GET", cache={"ttl": "1m"}, task={"mode": "Auto"}), facts()
    )
    (finding,) = compiled.findings
    assert finding.message.startswith("cache, task: ")


def test_a_finding_names_the_invalid_entry_and_the_others_are_served() -> None:
    compiled = compile_tool(
        tool(
            tools=[
                {"name": "good", "path": "/"},
                {"name": "bad", "path": "/", "inputSchema": {"type": "string"}},
                {"name": "lost", "service": {"name": "stock", "port": 80}},
            ]
        ),
        facts(),
    )
    assert [found.name for found in compiled.entries] == ["good"]
    schema, service = compiled.findings
    assert schema.message.startswith("tools[bad]: inputSchema: ")
    assert service.message.startswith("tools[lost]: Service demo/stock does not exist")
    assert service.condition is ConditionType.RESOLVED_REFS


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"enabled": False}, "enabled is false"),
        ({"enabled": False, "tools": [{"name": "a", "path": "/"}]}, "enabled is false"),
        (
            {"tools": [{"name": "a", "path": "/", "enabled": False}]},
            "enabled of every entry of tools is false",
        ),
    ],
)
def test_a_disabled_object_has_a_finding_that_is_not_blocking_and_no_references(
    spec: dict[str, Any], message: str
) -> None:
    only = finding(Facts(), **spec)
    assert (only.reason, only.message, only.blocking) == (Reason.DISABLED, message, False)
    assert tool_references(tool(**spec)).services == frozenset()


def test_a_disabled_entry_is_omitted_without_a_finding() -> None:
    compiled = compile_tool(
        tool(
            tools=[
                {"name": "on", "path": "/"},
                {"name": "off", "path": "/", "enabled": False, "inputSchema": {"type": "array"}},
            ]
        ),
        facts(),
    )
    assert [found.name for found in compiled.entries] == ["on"]
    assert compiled.findings == ()


@pytest.mark.parametrize(
    "spec", [{"ingressPath": "/x"}, {"tools": [{"name": "a", "path": "/", "ingressPath": "/x"}]}]
)
def test_an_ingress_path_adds_a_remark_that_it_is_ignored(spec: dict[str, Any]) -> None:
    compiled = compile_tool(tool(**spec), facts())
    assert len(compiled.entries) == 1
    [remark] = compiled.findings
    assert (remark.reason, remark.blocking) == (Reason.INGRESS_PATH_IGNORED, False)


def test_the_references_of_all_entries_are_found() -> None:
    header = {"name": "X-Key", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "k"}}}
    referring = tool(
        request={"credentials": {"type": "Bearer", "secretRef": {"name": "login"}}},
        tools=[
            {"name": "a", "path": "/", "request": {"headers": [header]}},
            {"name": "b", "service": {"name": "stock", "namespace": "other", "port": 80}},
        ],
    )
    references = tool_references(referring)
    assert references.services == {Key("demo", "orders"), Key("other", "stock")}
    assert references.secrets == {Key("demo", "keys"), Key("demo", "login")}


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"openAPI": {"path": "/openapi.json"}}, "sets neither name nor tools"),
        ({"name": "search"}, "service is missing"),
        ({"tools": [{"name": "search"}]}, "service is missing"),
    ],
)
def test_a_tool_in_a_form_of_a_newer_release_is_invalid(spec: dict[str, Any], message: str) -> None:
    newer = MCPTool.model_validate({"metadata": {"name": "example"}, "spec": spec})
    for function in (tool_references, lambda given: compile_tool(given, Facts())):
        with pytest.raises(InvalidError, match=message) as caught:
            function(newer)
        assert caught.value.finding.reason is Reason.INVALID


def test_compiling_twice_returns_equal_results() -> None:
    given = tool(inputSchema=INPUT, annotations={"readOnlyHint": True})
    assert compile_tool(given, facts()) == compile_tool(given, facts())
