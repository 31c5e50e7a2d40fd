from __future__ import annotations

import logging
from datetime import UTC, datetime

import pytest

from mcp_operator.api.uritemplates import UriTemplate
from mcp_operator.gateway import table as tables
from mcp_operator.gateway.table import Changes, Current, Table
from support.entries import backend, catalog, prompt, resource, tool


class FixedClock:
    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)


def table(*entries: object, digest: str = "d") -> Table:
    return Table(catalog(*entries), digest)  # type: ignore[arg-type] # any mix of entries


def test_entries_are_found_by_name_and_uri() -> None:
    fixed, template = resource("a", uri="docs://a"), resource("b", uri_template="docs://b/{id}")
    built = table(tool("one"), tool("two"), prompt("hi"), fixed, template)
    assert list(built.tools) == ["one", "two"]
    assert list(built.prompts) == ["review"]
    assert list(built.resources) == ["docs://a"]
    assert built.templates == (template,)
    assert built.match("docs://a") == (fixed, {})
    assert built.match("docs://b/7") == (template, {"id": "7"})
    assert built.match("docs://c") is None


def test_the_most_literal_template_is_matched_first() -> None:
    wide = resource("wide", uri_template="docs://{kind}/{id}")
    narrow = resource("narrow", uri_template="docs://book/{id}")
    found = table(wide, narrow).match("docs://book/7")
    assert found == (narrow, {"id": "7"})


def test_arguments_are_validated_with_the_schema_of_the_tool() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    built = table(tool("count", input_schema=schema), tool("free"))
    assert built.checked_arguments("count", {"n": 1}) == ({"n": 1}, [])
    assert built.checked_arguments("count", {"n": "x"})[1] == ['n: "x" is not of type "integer"']
    assert built.checked_arguments("free", {"n": "x"})[1] == []


def test_results_are_validated_if_the_tool_has_an_output_schema() -> None:
    built = table(tool("typed", output_schema={"type": "array"}), tool("free"))
    assert built.output_errors("typed", {}) == ['{} is not of type "array"']
    assert built.output_errors("free", {}) == []


def test_an_invalid_entry_is_rejected_with_a_reason() -> None:
    built = table(
        tool("good"),
        tool("bad", input_schema={"type": "object", "$ref": "http://127.0.0.1:1/x"}),
        tool("worse", output_schema={"type": "nonsense"}),
        resource("odd", uri_template="docs://{#path}"),
    )
    assert list(built.tools) == ["good"]
    assert built.templates == ()
    assert set(built.rejected) == {"tool bad", "tool worse", "resource odd"}
    assert "refers to another document" in built.rejected["tool bad"]


def test_an_unexpected_error_for_one_entry_does_not_affect_others(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(_: str) -> UriTemplate:
        raise RecursionError("too deep")

    monkeypatch.setattr(tables, "UriTemplate", fails)
    built = table(tool("good"), resource("odd", uri_template="docs://{path}"))
    assert list(built.tools) == ["good"]
    assert built.rejected == {
        "resource odd": "this release cannot compile it (RecursionError). This is a bug: "
        "report it with the gateway's log"
    }
    assert [record.exc_info is not None for record in caplog.records] == [True]


def test_the_compiled_size_of_all_patterns_of_a_catalog_is_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tables, "MAX_PATTERNS_COST", 10 * 2**20)
    large = {"type": "object", "properties": {"a": {"pattern": r"^\pL{60}$"}}}
    small = {"type": "object", "properties": {"a": {"pattern": "^[a-z]{9}$"}}}
    built = table(
        *(tool(f"large-{n}", input_schema=large) for n in range(4)),
        *(tool(f"small-{n}", output_schema=small) for n in range(3)),
    )
    assert list(built.tools) == ["large-0", "large-1", "large-2", "small-0", "small-1", "small-2"]
    assert built.rejected == {
        "tool large-3": "its patterns take 3.3 MiB when compiled, but the server has only 10 "
        "MiB for patterns, of which other tools use 9.9 MiB: use lower "
        "repeat counts in patterns, or another MCPServer"
    }


def test_the_first_table_reports_all_its_entries_as_changed() -> None:
    assert Current().swap(table(tool())) == Changes(tools=frozenset({"search"}))


def test_only_changes_that_clients_see_are_reported() -> None:
    current = Current()
    current.swap(table(tool("a"), prompt("x")))
    moved = table(tool("a", to=backend("/elsewhere")), prompt("other text"))
    assert not current.swap(moved)
    described = table(tool("a", description="new"), prompt("x", title="new"))
    changes = current.swap(described)
    assert changes == Changes(tools=frozenset({"a"}), prompts=frozenset({"review"}))


def test_a_removed_tool_is_reported_as_a_change() -> None:
    current = Current()
    current.swap(table(tool("a"), tool("b")))
    assert current.swap(table(tool("a"))).tools == {"b"}


def test_another_order_is_not_a_change() -> None:
    current = Current()
    current.swap(table(tool("a"), tool("b")))
    assert not current.swap(table(tool("b"), tool("a")))


def test_changed_templates_are_reported_by_uri_template() -> None:
    current = Current()
    orders = resource("orders", uri_template="orders://{id}", backend=backend("/{id}"))
    current.swap(table(orders))
    renamed = orders.model_copy(update={"title": "All orders"})
    assert current.swap(table(renamed)) == Changes(resources=frozenset({"orders://{id}"}))
    moved = renamed.model_copy(update={"uri_template": "order://{id}"})
    assert current.swap(table(moved)).resources == {"orders://{id}", "order://{id}"}


def test_changed_resources_are_reported_by_uri() -> None:
    current = Current()
    current.swap(
        table(
            resource("a", uri="docs://a", text="1"),
            resource("b", uri="docs://b", text="1"),
            resource("gone", uri="docs://gone", text="1"),
        )
    )
    changes = current.swap(
        table(resource("a", uri="docs://a", text="2"), resource("b", uri="docs://b", text="1"))
    )
    assert changes.resource_uris == {"docs://a", "docs://gone"}
    assert changes.resources == {"docs://gone"}
    same_listing = current.swap(
        table(resource("a", uri="docs://a", text="3"), resource("b", uri="docs://b", text="1"))
    )
    assert same_listing.resource_uris == {"docs://a"}
    assert not same_listing.resources


def test_current_has_the_table_its_generation_and_its_load_time() -> None:
    current = Current(FixedClock())
    assert (current.table, current.generation, current.loaded_at) == (None, 0, None)
    assert current.server.max_concurrent_requests == 100
    first = table(digest="one")
    current.swap(first)
    assert current.table is first
    assert current.generation == 1
    assert current.loaded_at == FixedClock().now()
    assert current.server.name == "shop"


def test_subscribers_are_notified_of_each_swap_until_they_unsubscribe(
    caplog: pytest.LogCaptureFixture,
) -> None:
    current = Current()
    heard: list[Changes] = []

    def fail(_: Changes) -> None:
        raise RuntimeError

    unsubscribe_failing = current.subscribe(fail)
    unsubscribe = current.subscribe(heard.append)
    with caplog.at_level(logging.ERROR):
        current.swap(table(tool()))
    assert len(heard) == 1
    assert "A subscriber failed to handle the new catalog" in caplog.messages
    unsubscribe_failing()
    unsubscribe()
    current.swap(table())
    assert len(heard) == 1
