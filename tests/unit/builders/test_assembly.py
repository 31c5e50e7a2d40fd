"""The objects that a server selects are assembled into one catalog."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_operator.api.catalog import (
    Backend,
    Credentials,
    Header,
    PromptEntry,
    ResourceEntry,
    SecretKey,
    ServerSettings,
    SourceRef,
    ToolEntry,
)
from mcp_operator.api.conditions import ConditionType
from mcp_operator.api.prompts import PromptMessage
from mcp_operator.api.reasons import Reason
from mcp_operator.builders.assembly import (
    Assembly,
    OnConflict,
    assemble,
    claimants_by_key,
    name_conflicts,
)
from mcp_operator.builders.compiled import Compiled, Entry, Finding, entry_key_of
from mcp_operator.core.meta import Key

FEW = settings(max_examples=40)
SERVER = ServerSettings(namespace="shop", name="api")


def tool(name: str, **backend: Any) -> ToolEntry:
    return ToolEntry(
        name=name,
        input_schema={"type": "object"},
        backend=Backend(host="orders.shop.svc", port=80, **backend),
        source=SourceRef(kind="MCPTool", namespace="shop", name=name),
    )


def obj(name: str, *entries: Entry, created: str = "2026-01-01T00:00:00Z", **more: Any) -> Any:
    return Compiled("MCPTool", Key("shop", name), created, tuple(entries), **more)


def names(assembly: Assembly) -> list[str]:
    return [entry.name for entry in assembly.catalog.tools]


def assembled(*objects: Compiled, on_conflict: OnConflict = "OldestWins") -> Assembly:
    return assemble(SERVER, objects, on_conflict)


def test_entries_are_sorted_by_name_whatever_the_order_of_objects() -> None:
    one = assembled(obj("b", tool("b")), obj("a", tool("a")))
    other = assembled(obj("a", tool("a")), obj("b", tool("b")))
    assert names(one) == ["a", "b"]
    assert one.catalog.canonical() == other.catalog.canonical()


def test_the_oldest_object_keeps_a_contested_name() -> None:
    old = obj("z-old", tool("search"), created="2025-01-01T00:00:00Z")
    young = obj("a-young", tool("search"), tool("other"), created="2026-06-01T00:00:00Z")
    result = assembled(young, old)
    assert names(result) == ["other", "search"]
    [rejection] = result.rejected
    assert rejection.key == Key("shop", "a-young")
    assert rejection.reason is Reason.DUPLICATE_NAME
    assert "tool 'search' is already served by MCPTool shop/z-old" in rejection.message


def test_of_two_objects_of_the_same_age_the_first_by_name_keeps_the_name() -> None:
    result = assembled(obj("b", tool("search")), obj("a", tool("search")))
    assert [rejection.key.name for rejection in result.rejected] == ["b"]


def test_with_reject_all_no_object_gets_a_contested_name() -> None:
    result = assembled(obj("a", tool("search")), obj("b", tool("search")), on_conflict="RejectAll")
    assert names(result) == []
    assert [rejection.key.name for rejection in result.rejected] == ["a", "b"]
    assert "RejectAll" in result.rejected[0].message


def test_an_object_with_a_finding_is_rejected_and_its_valid_entries_are_served() -> None:
    finding = Finding(ConditionType.RESOLVED_REFS, Reason.SERVICE_NOT_FOUND, "no such Service")
    result = assembled(obj("half", tool("good"), findings=(finding,)))
    assert names(result) == ["good"]
    [rejection] = result.rejected
    assert (rejection.reason, rejection.message) == (Reason.SERVICE_NOT_FOUND, "no such Service")


def test_a_remark_does_not_reject_an_object() -> None:
    remark = Finding(ConditionType.ACCEPTED, Reason.INGRESS_PATH_IGNORED, "x", blocking=False)
    assert assembled(obj("a", tool("a"), findings=(remark,))).rejected == ()


def test_the_same_name_in_different_kinds_is_not_a_conflict() -> None:
    source = SourceRef(kind="MCPPrompt", namespace="shop", name="p")
    prompt = PromptEntry(name="search", messages=(PromptMessage(text="x"),), source=source)
    result = assembled(
        obj("t", tool("search")), Compiled("MCPPrompt", Key("shop", "p"), "", (prompt,))
    )
    assert result.rejected == ()


def test_resources_are_identified_by_their_uri() -> None:
    source = SourceRef(kind="MCPResource", namespace="shop", name="r")
    entries = [ResourceEntry(name="same", uri=u, text="", source=source) for u in ("a:1", "a:2")]
    result = assembled(Compiled("MCPResource", Key("shop", "r"), "", tuple(entries)))
    assert [entry.uri for entry in result.catalog.resources] == ["a:1", "a:2"]


def secret(key: str) -> SecretKey:
    return SecretKey(namespace="shop", name="s", key=key)


def test_only_the_secrets_of_served_entries_are_collected() -> None:
    served = tool(
        "a",
        headers=(Header(name="X-Key", secret=secret("header")),),
        credentials=Credentials(type="Basic", secret=secret("pw"), username=secret("user")),
        ca=secret("ca"),
    )
    loser = tool("a", headers=(Header(name="X-Key", secret=secret("loser")),))
    result = assembled(obj("a", served, created="2025"), obj("b", loser, created="2026"))
    assert {s.key for s in result.secrets} == {"header", "pw", "user", "ca"}


@pytest.mark.parametrize("policy", ["OldestWins", "RejectAll"])
def test_an_empty_selection_results_in_an_empty_catalog(policy: OnConflict) -> None:
    result = assembled(on_conflict=policy)
    assert result.catalog.tools == ()
    assert result.rejected == ()


@st.composite
def selections(draw: st.DrawFn) -> list[Compiled]:
    """Draw objects that compete for a few names, some of the same age and some with findings."""
    named = st.sets(st.sampled_from("abcd"), max_size=3)
    ages = st.sampled_from(["", "2025", "2026"])
    findings = st.sampled_from(
        [(), (Finding(ConditionType.ACCEPTED, Reason.INVALID_SCHEMA, "broken"),)]
    )
    return [
        obj(
            f"object-{number}",
            *(tool(name) for name in sorted(draw(named))),
            created=draw(ages),
            findings=draw(findings),
        )
        for number in range(draw(st.integers(0, 6)))
    ]


POLICIES = st.sampled_from(["OldestWins", "RejectAll"])


@FEW
@given(selections(), POLICIES, st.randoms(use_true_random=False))
def test_the_order_of_objects_does_not_change_the_catalog(
    objects: list[Compiled], policy: OnConflict, random: Any
) -> None:
    shuffled = random.sample(objects, len(objects))
    one, other = assembled(*objects, on_conflict=policy), assembled(*shuffled, on_conflict=policy)
    assert one == other
    assert one.catalog.canonical() == other.catalog.canonical()


@FEW
@given(selections(), POLICIES)
def test_no_name_is_served_twice(objects: list[Compiled], policy: OnConflict) -> None:
    result = assembled(*objects, on_conflict=policy)
    assert names(result) == sorted(set(names(result)))
    wanted = Counter(entry.name for obj in objects for entry in obj.entries)
    expected = set(wanted) if policy == "OldestWins" else {n for n in wanted if wanted[n] == 1}
    assert set(names(result)) == expected


@FEW
@given(selections(), POLICIES)
def test_every_object_is_fully_served_or_rejected_for_a_lost_name_or_a_finding(
    objects: list[Compiled], policy: OnConflict
) -> None:
    result = assembled(*objects, on_conflict=policy)
    served = {(entry.source, entry.name) for entry in result.catalog.tools}
    whole = {obj.key for obj in result.fully_served}
    rejected = {rejection.key for rejection in result.rejected}
    for one in objects:
        lost = name_conflicts(one, claimants_by_key(objects), policy)
        assert (one.key in whole) is not bool(lost)
        assert (one.key in rejected) is (bool(lost) or bool(one.findings))
        for entry in one.entries:
            if entry_key_of(entry) not in lost:
                assert (entry.source, entry.name) in served


def test_a_message_about_many_conflicting_objects_names_a_few_of_them() -> None:
    many = [obj(f"copy-{number}", tool("search")) for number in range(9)]
    message = assembled(*many, on_conflict="RejectAll").rejected[0].message
    assert "shop/copy-1, MCPTool shop/copy-2, MCPTool shop/copy-3 and 5 more, and the" in message
