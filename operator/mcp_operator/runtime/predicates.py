"""Which events are worth a reconciliation.

Predicates look at updates only. What appears or goes away always counts, and so do the events of a
resync, which have no old object: they are there to find what no update told.
"""

from __future__ import annotations

from collections.abc import Callable

from mcp_operator.runtime.notification import Event

Predicate = Callable[[Event], bool]


def changed(*fields: str) -> Predicate:
    """Let an update pass that changes one of these fields of the metadata.

    The API server counts a `generation` for each change of the spec, and none for the status;
    `deletionTimestamp` appears when deletion begins.
    """

    def predicate(event: Event) -> bool:
        if event.old is None or event.new is None:
            return True
        before, after = event.old["metadata"], event.new["metadata"]
        for field in fields:  # no generator: this is asked several times for each event
            old, new = before.get(field), after.get(field)
            if old != new and (old or new):  # to be empty is to be left out
                return True
        return False

    return predicate


def any_of(*predicates: Predicate) -> Predicate:
    """Let an event pass that one of the predicates lets pass."""
    return lambda event: any(predicate(event) for predicate in predicates)


spec_or_meta_changed = changed("generation", "labels", "annotations", "deletionTimestamp")
"""All that a user changes; holds back status writes, the operator's own above all."""
