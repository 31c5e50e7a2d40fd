"""How the objects that a server selects become one catalog."""

from __future__ import annotations

from typing import Any

import pytest

from mcp_operator.api.catalog import (
    Backend,
    Credentials,
    Header,
    PromptEntry,
    PromptMessage,
    ResourceEntry,
    SecretKey,
    ServerSettings,
    SourceRef,
    ToolEntry,
)
from mcp_operator.api.conditions import ConditionType
from mcp_operator.api.reasons import Reason
from mcp_operator.builders.assembly import Assembly, OnConflict, assemble
from mcp_operator.builders.members import Compiled, Entry, Finding
from mcp_operator.core.meta import Key

SERVER = ServerSettings(namespace="shop", name="api")


def tool(name: str, **backend: Any) -> ToolEntry:
    return ToolEntry(
        name=name,
        input_schema={"type": "object"},
        backend=Backend(host="orders.shop.svc", port=80, **backend),
        source=SourceRef(kind="MCPTool", namespace="shop", name=name),
    )


def member(name: str, *entries: Entry, created: str = "2026-01-01T00:00:00Z", **more: Any) -> Any:
    return Compiled("MCPTool", Key("shop", name), created, tuple(entries), **more)


def names(assembly: Assembly) -> list[str]:
    return [entry.name for entry in assembly.catalog.tools]


def assembled(*members: Compiled, on_conflict: OnConflict = "OldestWins") -> Assembly:
    return assemble(SERVER, members, on_conflict)


def test_entries_are_sorted_by_name_whatever_the_order_of_objects() -> None:
    one = assembled(member("b", tool("b")), member("a", tool("a")))
    other = assembled(member("a", tool("a")), member("b", tool("b")))
    assert names(one) == ["a", "b"]
    assert one.catalog.canonical() == other.catalog.canonical()


def test_the_oldest_object_keeps_a_contested_name() -> None:
    old = member("z-old", tool("search"), created="2025-01-01T00:00:00Z")
    young = member("a-young", tool("search"), tool("other"), created="2026-06-01T00:00:00Z")
    result = assembled(young, old)
    assert names(result) == ["other", "search"]
    [rejection] = result.rejected
    assert rejection.key == Key("shop", "a-young")
    assert rejection.reason is Reason.DUPLICATE_NAME
    assert "tool 'search' is already served by MCPTool shop/z-old" in rejection.message


def test_of_two_objects_of_one_age_the_first_by_name_keeps_the_name() -> None:
    result = assembled(member("b", tool("search")), member("a", tool("search")))
    assert [rejection.key.name for rejection in result.rejected] == ["b"]


def test_with_reject_all_nobody_gets_a_contested_name() -> None:
    result = assembled(
        member("a", tool("search")), member("b", tool("search")), on_conflict="RejectAll"
    )
    assert names(result) == []
    assert [rejection.key.name for rejection in result.rejected] == ["a", "b"]
    assert "RejectAll" in result.rejected[0].message


def test_an_object_with_a_finding_is_rejected_while_its_good_entries_are_served() -> None:
    finding = Finding(ConditionType.RESOLVED_REFS, Reason.SERVICE_NOT_FOUND, "no such Service")
    result = assembled(member("half", tool("good"), findings=(finding,)))
    assert names(result) == ["good"]
    [rejection] = result.rejected
    assert (rejection.reason, rejection.message) == (Reason.SERVICE_NOT_FOUND, "no such Service")


def test_a_remark_rejects_nothing() -> None:
    remark = Finding(ConditionType.ACCEPTED, Reason.INGRESS_PATH_IGNORED, "x", blocking=False)
    assert assembled(member("a", tool("a"), findings=(remark,))).rejected == ()


def test_the_same_name_in_different_lists_is_no_conflict() -> None:
    source = SourceRef(kind="MCPPrompt", namespace="shop", name="p")
    prompt = PromptEntry(name="search", messages=(PromptMessage(text="x"),), source=source)
    result = assembled(
        member("t", tool("search")), Compiled("MCPPrompt", Key("shop", "p"), "", (prompt,))
    )
    assert result.rejected == ()


def test_resources_are_told_apart_by_their_uri() -> None:
    source = SourceRef(kind="MCPResource", namespace="shop", name="r")
    entries = [ResourceEntry(name="same", uri=u, text="", source=source) for u in ("a:1", "a:2")]
    result = assembled(Compiled("MCPResource", Key("shop", "r"), "", tuple(entries)))
    assert [entry.uri for entry in result.catalog.resources] == ["a:1", "a:2"]


def secret(key: str) -> SecretKey:
    return SecretKey(namespace="shop", name="s", key=key)


def test_the_secrets_of_what_is_served_are_collected_and_no_others() -> None:
    served = tool(
        "a",
        headers=(Header(name="X-Key", secret=secret("header")),),
        credentials=Credentials(type="Basic", secret=secret("pw"), username=secret("user")),
        ca=secret("ca"),
    )
    loser = tool("a", headers=(Header(name="X-Key", secret=secret("loser")),))
    result = assembled(member("a", served, created="2025"), member("b", loser, created="2026"))
    assert {s.key for s in result.secrets} == {"header", "pw", "user", "ca"}


@pytest.mark.parametrize("policy", ["OldestWins", "RejectAll"])
def test_an_empty_selection_gives_an_empty_catalog(policy: OnConflict) -> None:
    result = assembled(on_conflict=policy)
    assert result.catalog.tools == ()
    assert result.rejected == ()
