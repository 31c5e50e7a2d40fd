from __future__ import annotations

import copy
from typing import Any

from mcp_operator.importers.differences import differences, unified
from support.openapi_documents import imported, openapi

PATHS: dict[str, Any] = {f"/{name}": {"get": {"operationId": name}} for name in ("a", "b")}


def lines(old: Any, new: Any) -> list[str]:
    return list(differences(imported(old).objects, imported(new).objects).lines())


def test_the_same_document_has_no_differences() -> None:
    assert lines(openapi(PATHS), openapi(copy.deepcopy(PATHS))) == []


def test_added_removed_and_changed_tools_are_listed() -> None:
    after = {
        "/b": {"get": {"operationId": "b", "summary": "New"}},
        "/c": {"get": {"operationId": "c"}},
    }

    assert lines(openapi(PATHS), openapi(after)) == ["added: c", "removed: a", "changed: b"]


def test_changes_outside_of_the_tools_are_listed_by_object() -> None:
    old = imported(openapi(PATHS)).objects
    new = imported(openapi(PATHS), server="mcp", labels={"a": "b"}).objects

    assert list(differences(old, new).lines()) == [
        "changed outside of the tools: MCPTool shop, MCPServer mcp"
    ]


def test_objects_of_other_kinds_are_compared() -> None:
    found = differences([{"kind": "ConfigMap", "spec": {"tools": "x"}}], [{"kind": "List"}])

    assert list(found.lines()) == ["changed outside of the tools: ConfigMap None, List None"]


def test_a_difference_is_shown_in_unified_format() -> None:
    assert list(unified("a\nb\n", "a\nc\n", "x.yaml")) == [
        "--- x.yaml\n",
        "+++ x.yaml (imported again)\n",
        "@@ -1,2 +1,2 @@\n",
        " a\n",
        "-b\n",
        "+c\n",
    ]
