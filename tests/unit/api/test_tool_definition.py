"""The definition of a tool that clients get, and its digest, by which they can detect a change."""

from __future__ import annotations

import hashlib
import json

from mcp_operator.api.catalog import ResponseMapping
from mcp_operator.api.tool_definition import definition_digest
from support.entries import backend, tool
from support.mcp_http import Server, modern

SCHEMA = {
    "type": "object",
    "properties": {"b": {"type": "string"}, "a": {"type": "number", "title": "Größe"}},
}
SWAPPED = {
    "properties": {"a": {"title": "Größe", "type": "number"}, "b": {"type": "string"}},
    "type": "object",
}


async def test_the_digest_is_that_of_the_definition_in_the_newest_revision() -> None:
    entries = [
        tool("plain", input_schema={"type": "object"}),
        tool(
            "rich",
            title="Rich",
            description="Größer",
            input_schema=SCHEMA,
            output_schema={"type": "array"},
            annotations={"readOnlyHint": True},
        ),
    ]
    result = await Server(*entries).result(modern("tools/list"))

    for entry, listed in zip(entries, result["tools"], strict=True):
        text = json.dumps(listed, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        digest = hashlib.sha256(text.encode()).hexdigest()
        assert definition_digest(entry) == f"sha256:{digest}"


def test_the_order_of_keys_does_not_change_the_digest() -> None:
    assert definition_digest(tool(input_schema=SCHEMA)) == definition_digest(
        tool(input_schema=SWAPPED)
    )


def test_only_changes_that_clients_see_change_the_digest() -> None:
    plain = tool(description="a")
    same = [
        tool(to=backend("/elsewhere"), description="a"),
        tool(description="a", response=ResponseMapping(max_bytes=5)),
    ]
    others = [
        tool("other", description="a"),
        tool(description="b"),
        tool(description="a", title="t"),
        tool(description="a", input_schema=SCHEMA),
        tool(description="a", output_schema={"type": "object"}),
        tool(description="a", annotations={"destructiveHint": False}),
    ]
    assert {definition_digest(one) for one in same} == {definition_digest(plain)}
    assert len({definition_digest(one) for one in (plain, *others)}) == 1 + len(others)
