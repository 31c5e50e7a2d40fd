from __future__ import annotations

from typing import Any

import pytest

from mcp_operator.app.mcp_client.changes import changes
from mcp_operator.app.mcp_client.describing import Offer, described, found, is_destructive, listed
from mcp_operator.app.mcp_client.schema_text import fields

TREE: dict[str, Any] = {
    "type": "object",
    "$defs": {"node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}}},
    "properties": {"root": {"$ref": "#/$defs/node"}},
}

TOOL: dict[str, Any] = {
    "name": "cancel-order",
    "title": "Cancel an order",
    "description": "Cancels it.\nFor good.",
    "annotations": {"destructiveHint": True, "idempotentHint": True, "openWorldHint": False},
    "execution": {"taskSupport": "optional"},
    "icons": [
        {"src": "https://example.com/icon.png", "mimeType": "image/png", "sizes": ["48x48"]},
        {"src": "data:image/png;base64,AAAA"},
    ],
    "inputSchema": {
        "type": "object",
        "required": ["id"],
        "properties": {
            "id": {"type": "string", "description": "The order.", "pattern": "^[0-9]+$"},
            "when": {"type": "string", "format": "date"},
            "items": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"count": {"type": "integer", "minimum": 1, "default": 1}},
                },
            },
            "reason": {"anyOf": [{"type": "string"}, {"type": "null"}]},
            "mode": {"type": ["string", "null"], "enum": ["full", "part"]},
        },
    },
    "outputSchema": {"type": "array"},
}

SERVER = {"protocolVersion": "2026-07-28", "serverInfo": {"name": "shop", "version": "1.0"}}


def test_a_tool_is_described_with_its_schema_hints_tasks_and_icons() -> None:
    assert list(described("tools", TOOL)) == [
        "Tool:  cancel-order",
        "Title: Cancel an order",
        "Hints: destructive, idempotent, closed world",
        "Tasks: optional",
        "Icons: https://example.com/icon.png (image/png, 48x48), data:image/png;base64,…",
        "Description:",
        "  Cancels it.",
        "  For good.",
        "Input:",
        "  FIELD           TYPE              REQUIRED   DESCRIPTION",
        "  id              string            yes        The order. [matches ^[0-9]+$]",
        "  when            string (date)     no",
        "  items           array of object   no",
        "  items[].count   integer           no         [at least 1; default 1]",
        "  reason          string or null    no",
        '  mode            string or null    no         [one of "full", "part"]',
        "Output: array",
    ]


def test_a_prompt_is_described_with_its_arguments() -> None:
    prompt = {"name": "trip", "arguments": [{"name": "city", "required": True}]}
    assert list(described("prompts", prompt))[-1].split() == ["city", "yes"]


def test_a_recursive_schema_is_shown_to_a_limited_depth() -> None:
    names = [field.name for field in fields(TREE)]
    assert names[:2] == ["root", "root.next"]
    assert len(names) < 10


@pytest.mark.parametrize("schema", [{"properties": []}, {"properties": {"a": 1}}, {"required": 7}])
def test_an_invalid_schema_does_not_raise_an_error(schema: dict[str, Any]) -> None:
    fields(schema)


@pytest.mark.parametrize(
    ("annotations", "destructive"),
    [
        (None, True),
        ({}, True),
        ({"destructiveHint": True}, True),
        ({"destructiveHint": False}, False),
        ({"readOnlyHint": True}, False),
        ({"readOnlyHint": True, "destructiveHint": True}, False),
    ],
)
def test_a_tool_is_destructive_unless_its_annotations_deny_it(
    annotations: dict[str, bool] | None, *, destructive: bool
) -> None:
    assert is_destructive({"name": "a", "annotations": annotations}) is destructive


def test_a_list_shows_every_kind() -> None:
    entries = {
        "tools": [TOOL, {"name": "b", "description": "x" * 200}],
        "prompts": [{"name": "trip", "arguments": [{"name": "city"}]}],
        "resources": [{"uri": "shop://stock", "name": "stock"}],
        "resourceTemplates": [{"uriTemplate": "shop://{id}", "name": "one"}],
    }
    shown = list(listed(Offer(SERVER, entries)))

    assert shown[0] == "shop 1.0 speaks MCP 2026-07-28"
    for words in ("cancel-order", "trip", "city?", "shop://stock", "shop://{id}"):
        assert any(words in line for line in shown), words
    assert any(line.endswith("xx…") for line in shown)


def test_the_list_of_a_server_without_entries_says_so() -> None:
    offer = Offer({"protocolVersion": "2025-11-25"}, {"tools": []})
    assert list(listed(offer))[-1] == "It offers no tools, prompts or resources."


def test_an_entry_is_found_by_name_and_by_uri() -> None:
    offer = Offer(SERVER, {"tools": [{"name": "a"}], "resources": [{"name": "a", "uri": "x://a"}]})
    assert [kind for kind, _ in found(offer, "a")] == ["tools", "resources"]
    assert [kind for kind, _ in found(offer, "x://a")] == ["resources"]


def test_no_text_of_a_server_can_control_the_terminal() -> None:
    evil = {"name": "a\x1b[2J", "description": "b\x1b]0;c\x07\nd", "inputSchema": {}}
    offer = Offer({**SERVER, "instructions": "\x1b[1mlisten"}, {"tools": [evil]})
    assert not any("\x1b" in line for line in (*listed(offer), *described("tools", evil)))


def test_changes_are_listed_by_name() -> None:
    before = [{"name": "a"}, {"name": "b", "title": "B"}, {"name": "c"}]
    after = [{"name": "b", "title": "b"}, {"name": "c"}, {"name": "d"}]
    assert [one.line() for one in changes("tools", before, after)] == [
        "tool removed: a",
        "tool changed: b",
        "tool added: d",
    ]
