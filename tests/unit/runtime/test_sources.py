from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mcp_operator.core.meta import Key, Object
from mcp_operator.runtime.notification import Event
from mcp_operator.runtime.sources import Channel, for_object, for_owner, mapped


def child(owner: str = "", *, version: str = "example.dev/v1", kind: str = "Widget") -> Object:
    reference = {"apiVersion": version, "kind": kind, "name": owner, "controller": True}
    references: list[dict[str, Any]] = [reference] if owner else []
    return {"metadata": {"namespace": "demo", "name": "pod", "ownerReferences": references}}


def labeled(*servers: str) -> Object:
    return {"metadata": {"namespace": "demo", "name": "x", "labels": dict.fromkeys(servers, "")}}


def by_label(obj: Object) -> Iterable[Key]:
    return [Key("demo", server) for server in obj["metadata"]["labels"]]


def test_the_key_of_an_object_is_enqueued_even_when_it_is_deleted() -> None:
    mapper = for_object()

    assert list(mapper(Event("Created", None, child()))) == [Key("demo", "pod")]
    assert list(mapper(Event("Deleted", child(), None))) == [Key("demo", "pod")]


def test_an_owner_is_enqueued_by_group_and_kind_in_any_version() -> None:
    mapper = for_owner("example.dev", "Widget")

    def owners(obj: Object) -> list[Key]:
        return list(mapper(Event("Created", None, obj)))

    assert owners(child("a")) == [Key("demo", "a")]
    assert owners(child("a", version="example.dev/v2")) == [Key("demo", "a")]
    assert owners(child("a", version="other.dev/v1")) == []
    assert owners(child("a", kind="Gadget")) == []
    assert owners(child()) == []


def test_an_owner_in_the_core_group_has_an_empty_group() -> None:
    event = Event("Created", None, child("a", version="v1", kind="Pod"))

    assert list(for_owner("", "Pod")(event)) == [Key("demo", "a")]


def test_a_child_that_changes_its_owner_enqueues_both_owners() -> None:
    event = Event("Updated", child("a"), child("b"))

    assert list(for_owner("example.dev", "Widget")(event)) == [Key("demo", "a"), Key("demo", "b")]


def test_a_key_that_both_states_of_an_object_map_to_is_enqueued_once() -> None:
    event = Event("Updated", labeled("a", "b"), labeled("b", "c"))

    assert list(mapped(by_label)(event)) == [Key("demo", name) for name in "abc"]


def test_a_tombstone_is_mapped_by_its_last_known_state() -> None:
    event = Event("Deleted", labeled("a"), None, final_state_unknown=True)

    assert list(mapped(by_label)(event)) == [Key("demo", "a")]


async def test_a_channel_sends_each_key_to_every_handler() -> None:
    channel = Channel("nudges")
    heard: list[Key] = []
    for _ in range(2):
        channel.add_handler(lambda event: heard.extend(for_object()(event)))

    channel.send(Key("demo", "shop"))

    assert channel.synced.is_set()
    assert heard == [Key("demo", "shop"), Key("demo", "shop")]
