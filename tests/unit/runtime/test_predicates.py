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


def test_to_be_empty_is_to_be_left_out() -> None:
    assert not spec_or_meta_changed(update(annotations={}))


def test_a_status_write_is_held_back() -> None:
    event = Event("Updated", widget(1), {**widget(2), "status": {"ready": True}})

    assert not spec_or_meta_changed(event)


@pytest.mark.parametrize("predicate", [each for each, _ in CHANGES.values()])
def test_what_appears_or_goes_away_always_passes(predicate: Predicate) -> None:
    assert predicate(Event("Created", None, widget(1)))
    assert predicate(Event("Deleted", widget(1), None))


def test_a_resync_passes_because_no_update_may_have_told_of_it() -> None:
    assert spec_or_meta_changed(Event("Generic", None, widget(1), initial=True))


def test_any_of_passes_what_one_passes() -> None:
    either = any_of(changed("labels"), changed("annotations"))

    assert either(update(labels={"a": "b"}))
    assert either(update(annotations={"a": "b"}))
    assert not either(update(generation=2))
