"""Which events are worth a reconciliation.

Predicates look at updates only. What appears or goes away always counts, and so do the events of a
resync, which have no old object: they are there to find what no update told.
"""

from __future__ import annotations

from collections.abc import Callable

from mcp_operator.core.meta import Object, annotations_of, generation_of, is_deleting, labels_of
from mcp_operator.runtime.notification import Event

Predicate = Callable[[Event], bool]


def _on_change(of: Callable[[Object], object]) -> Predicate:
    def predicate(event: Event) -> bool:
        return event.old is None or event.new is None or of(event.old) != of(event.new)

    return predicate


generation_changed = _on_change(generation_of)
"""The API server counts a generation for each change of the spec, and none for the status."""

labels_changed = _on_change(labels_of)
"""A label was added, removed or set to another value."""

annotations_changed = _on_change(annotations_of)
"""An annotation was added, removed or set to another value."""

deletion_began = _on_change(is_deleting)
"""The object got its `deletionTimestamp`."""


def not_own(event: Event) -> bool:
    """Hold back what this process wrote itself.

    For children whose owner's reconciler is the only one of us to write them: it knows what it has
    written, and if it fails after the write it is retried anyway.
    """
    return not event.own


def any_of(*predicates: Predicate) -> Predicate:
    """Let an event pass that one of the predicates lets pass."""
    return lambda event: any(predicate(event) for predicate in predicates)


spec_or_meta_changed = any_of(
    generation_changed, labels_changed, annotations_changed, deletion_began
)
"""All that a user changes; holds back status writes, the operator's own above all."""
