"""Icons of tools, prompts and resources, from an object to the answer that clients get."""

from __future__ import annotations

import pytest

from mcp_operator.api.catalog import JsonObject, PromptEntry, ResourceEntry
from mcp_operator.api.tool_definition import definition_digest
from mcp_operator.builders.compile_prompt import compile_prompt
from mcp_operator.builders.compile_resource import compile_resource
from mcp_operator.builders.compile_tool import compile_tool
from mcp_operator.gateway.protocol import describe
from mcp_operator.gateway.table import changes_between
from support.compiled import facts, prompt, resource, tool
from support.compiled_tools import entry as tool_entry
from support.mcp_http import table

ICON: JsonObject = {
    "src": "https://shop.example/i.png",
    "mimeType": "image/png",
    "sizes": ["48x48"],
    "theme": "dark",
}
OTHER: JsonObject = {"src": "data:image/svg+xml;base64,PHN2Zy8+"}


def prompt_entry(*icons: JsonObject) -> PromptEntry:
    [only] = compile_prompt(prompt(template="Hi", icons=icons)).entries
    assert isinstance(only, PromptEntry)
    return only


def resource_entry(*icons: JsonObject) -> ResourceEntry:
    content = {"uri": "docs://guide", "text": "x"}
    [only] = compile_resource(resource(content=content, icons=icons), facts()).entries
    assert isinstance(only, ResourceEntry)
    return only


@pytest.mark.parametrize("revision", ["2025-11-25", "2026-07-28"])
def test_icons_reach_clients_unchanged(revision: str) -> None:
    icons = [ICON, OTHER]
    assert describe.tool(tool_entry(icons=icons), revision)["icons"] == icons
    assert describe.prompt(prompt_entry(*icons), revision)["icons"] == icons
    assert describe.resource(resource_entry(*icons), revision)["icons"] == icons


def test_clients_of_older_revisions_get_no_icons() -> None:
    assert "icons" not in describe.tool(tool_entry(icons=[ICON]), "2025-06-18")
    assert "icons" not in describe.prompt(prompt_entry(ICON), "2025-06-18")
    assert "icons" not in describe.resource(resource_entry(ICON), "2025-06-18")


def test_an_entry_without_icons_has_no_icons_field() -> None:
    assert "icons" not in describe.tool(tool_entry(), "2025-11-25")
    assert "icons" not in describe.prompt(prompt_entry(), "2025-11-25")


def test_entries_inherit_the_icons_of_their_object_unless_they_set_their_own() -> None:
    tools = [{"name": "one", "path": "/one"}, {"name": "two", "path": "/two", "icons": [OTHER]}]
    one, two = compile_tool(tool(icons=[ICON], tools=tools), facts()).entries
    assert (one.icons, two.icons) == ((ICON,), (OTHER,))


def test_a_changed_icon_changes_the_entry_for_clients() -> None:
    old = table(tool_entry(icons=[ICON]), prompt_entry(ICON), resource_entry(ICON))
    new = table(tool_entry(icons=[OTHER]), prompt_entry(OTHER), resource_entry(OTHER))

    changes = changes_between(old, new)

    assert changes.tools == {"search"}
    assert changes.prompts == {"review"}
    assert changes.resources == {"docs://guide"}
    assert definition_digest(tool_entry(icons=[ICON])) != definition_digest(tool_entry())
