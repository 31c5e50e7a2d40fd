from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mcp_operator.api.catalog import JsonObject
from mcp_operator.local.clients import client_warnings
from mcp_operator.local.validation import validate
from support.entries import tool


def warned(name: str = "a", schema: JsonObject | None = None, **more: Any) -> list[tuple[str, str]]:
    entry = tool(name, input_schema={"type": "object", **(schema or {}), **more})
    return [(".".join(path), message) for path, message in client_warnings(entry)]


def test_no_warning_for_names_that_every_client_accepts() -> None:
    assert warned("get-order_2", properties={"order-id": {"type": "string"}}) == []


@pytest.mark.parametrize("name", ["shop.get", "a" * 65])
def test_a_tool_name_that_model_apis_reject_gets_a_warning(name: str) -> None:
    ((path, message),) = warned(name)
    assert path == "name"
    assert "OpenAI API" in message


@pytest.mark.parametrize("name", ["filter[id]", "größe", "a.b", "", "a" * 65, "$top"])
def test_an_argument_name_that_model_apis_reject_gets_a_warning(name: str) -> None:
    ((path, message),) = warned(properties={name: {}})
    assert path == f"inputSchema.properties.{name}"
    assert "Claude Code and the Anthropic API" in message


@pytest.mark.parametrize("keyword", ["oneOf", "anyOf", "allOf"])
def test_alternatives_at_the_root_of_a_schema_get_a_warning(keyword: str) -> None:
    ((path, message),) = warned(schema={keyword: [{}]})
    assert path == f"inputSchema.{keyword}"
    assert "Claude Code" in message
    assert warned(properties={"a": {keyword: [{}]}}) == []


def test_the_first_reference_in_a_schema_gets_a_warning_with_its_place() -> None:
    schema = {"items": {"$ref": "#/$defs/a"}}
    ((path, message),) = warned(schema={"$defs": {"a": {}}}, properties={"b": schema, "c": schema})
    assert path == "inputSchema.properties.b.items.$ref"
    assert "Gemini CLI" in message


def test_a_property_named_like_an_openapi_keyword_gets_no_warning() -> None:
    assert [path for path, _ in warned(properties={"nullable": {"type": "boolean"}})] == []


def test_a_keyword_of_openapi_gets_a_hint_in_either_schema() -> None:
    note = {"type": "string", "nullable": True}
    entry = tool(
        input_schema={"type": "object", "properties": {"a": {"anyOf": [note]}}},
        output_schema={"type": "object", "properties": {"b": note}},
    )
    told = {".".join(path): message for path, message in client_warnings(entry)}
    assert list(told) == [
        "inputSchema.properties.a.anyOf.0.nullable",
        "outputSchema.properties.b.nullable",
    ]
    assert all('[string, "null"]' in message for message in told.values())


def test_validate_prints_warnings_with_their_line_and_succeeds(tmp_path: Path) -> None:
    (tmp_path / "tool.yaml").write_text(
        """\
apiVersion: mcp-operator.dev/v1alpha1
kind: MCPTool
metadata: {name: orders}
spec:
  service: {name: orders, port: 80}
  tools:
    - name: shop.get
      path: /orders
      inputSchema:
        type: object
        properties:
          filter[id]: {type: string, nullable: true}
---
apiVersion: v1
kind: Service
metadata: {name: orders}
spec: {ports: [{port: 80}]}
"""
    )
    report = validate([tmp_path])
    assert report.problems == ()
    places = [(warning.line, warning.field) for warning in report.warnings]
    assert [line for line, _ in places] == [7, 12, 12]
    assert places[0][1] == "spec.tools[0].name"
    assert all(warning.message.startswith("warning: ") for warning in report.warnings)


def test_hidden_characters_get_a_warning_at_their_field(tmp_path: Path) -> None:
    (tmp_path / "tool.yaml").write_text(
        """\
apiVersion: mcp-operator.dev/v1alpha1
kind: MCPTool
metadata: {name: orders}
spec:
  service: {name: orders, port: 80}
  tools:
  - name: search
    path: /
    description: "Finds orders"
    inputSchema:
      type: object
      properties:
        text: {type: string, description: "What\\u200b"}
  - name: pay
    path: /
    description: "Pays \\u202eit"
---
apiVersion: mcp-operator.dev/v1alpha1
kind: MCPPrompt
metadata: {name: review}
spec:
  name: review
  title: "Re\\U000E0041view"
  template: Review
""",
        encoding="utf-8",
    )
    report = validate([tmp_path])
    assert report.problems == ()
    assert [(each.line, each.field) for each in report.warnings] == [
        (13, "spec.tools[0].inputSchema.properties.text.description"),
        (16, "spec.tools[1].description"),
        (23, "spec.title"),
    ]
    assert report.warnings[1].message == (
        "warning: tools[pay]: description: remove the invisible character "
        "U+202E (RIGHT-TO-LEFT OVERRIDE) at position 6"
    )


def test_an_invalid_condition_of_a_rule_is_reported_at_its_field(tmp_path: Path) -> None:
    (tmp_path / "server.yaml").write_text(
        """\
apiVersion: mcp-operator.dev/v1alpha1
kind: MCPServer
metadata: {name: shop}
spec:
  toolSelector: {}
  auth:
    type: APIKey
    apiKey: {secretRef: {name: clients}}
    rules:
    - {name: all, tools: ["*"], principals: ["*"]}
    - name: staff
      tools: ["*"]
      when: tool == 'x'
---
apiVersion: v1
kind: Secret
metadata: {name: clients}
stringData: {ci: 0123456789abcdef}
"""
    )
    [problem] = validate([tmp_path]).problems
    assert (problem.line, problem.field) == (13, "spec.auth.rules[1].when")
    assert "a name other than principal, scopes, claims" in problem.message
