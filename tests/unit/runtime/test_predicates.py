from __future__ import annotations

from typing import Any

import pytest

from mcp_operator.core.meta import Object
from mcp_operator.runtime.notification import Event
from mcp_operator.runtime.predicates import (
    Predicate,
    any_of,
    changed,
    spec_or_meta_changed,
)

CHANGES: dict[str, tuple[Predicate, dict[str, Any]]] = {
    "spec": (changed("generation"), {"generation": 2}),
    "labels": (changed("labels"), {"labels": {"team": "a"}}),
    "annotations": (changed("annotations"), {"annotations": {"note": "x"}}),
    "deletion": (changed("deletionTimestamp"), {"deletionTimestamp": "2026-01-01T00:00:00Z"}),
}


def widget(version: int, **metadata: Any) -> Object:
    known = {"namespace": "demo", "name": "a", "generation": 1}
    return {"metadata": {**known, "resourceVersion": str(version), **metadata}}


def update(**metadata: Any) -> Event:
    return Event("Updated", widget(1), widget(2, **metadata))


@pytest.mark.parametrize("change", CHANGES)
def test_each_predicate_passes_its_own_change_and_no_other(change: str) -> None:
    event = update(**CHANGES[change][1])

    passing = {name for name, (predicate, _) in CHANGES.items() if predicate(event)}

    assert passing == {change}
    assert spec_or_meta_changed(event)


def test_adding_empty_annotations_is_not_a_change() -> None:
    assert not spec_or_meta_changed(update(annotations={}))


def test_a_change_of_the_status_does_not_pass() -> None:
    event = Event("Updated", widget(1), {**widget(2), "status": {"ready": True}})

    assert not spec_or_meta_changed(event)


@pytest.mark.parametrize("predicate", [each for each, _ in CHANGES.values()])
def test_created_and_deleted_events_always_pass(predicate: Predicate) -> None:
    assert predicate(Event("Created", None, widget(1)))
    assert predicate(Event("Deleted", widget(1), None))


def test_a_resync_event_passes() -> None:
    assert spec_or_meta_changed(Event("Generic", None, widget(1), initial=True))


def test_any_of_passes_events_that_one_predicate_passes() -> None:
    either = any_of(changed("labels"), changed("annotations"))

    assert either(update(labels={"a": "b"}))
    assert either(update(annotations={"a": "b"}))
    assert not either(update(generation=2))
