"""Predicates: filters that decide which events are worth a reconciliation.

They filter updates only. Creations and deletions always pass, and so do the events of a resync,
which have no old object and exist to catch missed updates.
"""

from __future__ import annotations

from collections.abc import Callable

from mcp_operator.runtime.notification import Event

Predicate = Callable[[Event], bool]


def changed(*fields: str) -> Predicate:
    """Pass updates that change one of these metadata fields.

    The API server increments `generation` with each change of the spec, but not of the status. It
    sets `deletionTimestamp` when deletion starts.
    """

    def predicate(event: Event) -> bool:
        if event.old is None or event.new is None:
            return True
        before, after = event.old["metadata"], event.new["metadata"]
        for field in fields:  # not a generator: this runs several times per event
            old, new = before.get(field), after.get(field)
            if old != new and (old or new):  # empty equals absent
                return True
        return False

    return predicate


def any_of(*predicates: Predicate) -> Predicate:
    """Pass events that any of the predicates passes."""
    return lambda event: any(predicate(event) for predicate in predicates)


spec_or_meta_changed = changed("generation", "labels", "annotations", "deletionTimestamp")
"""Passes everything that users change; filters out status updates, above all our own."""
