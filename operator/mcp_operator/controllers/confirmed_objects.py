"""Which catalog objects the pods of each server have confirmed, and in which state.

`Ready` on a tool means that it can be called. So its status does not say so before every pod of the
servers that select it has confirmed a catalog with it. This lives in memory only: after a restart
the pods are asked again, and until they have answered no status is written that depends on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from mcp_operator.api.reasons import Reason
from mcp_operator.builders.catalog import MODELS
from mcp_operator.builders.compiled import CatalogKind, Compiled
from mcp_operator.core.meta import Key
from mcp_operator.runtime.sources import Channel

STILL_SERVED: Final = frozenset({Reason.CONFLICT, Reason.APPLY_FAILED})
"""Reasons why a server is not programmed while its pods go on serving: one of its children is not
as it should be, which need not be the catalog, and is not the one that they have."""

ObjectRef = tuple[CatalogKind, Key]


@dataclass(frozen=True, slots=True)
class _Server:
    """What is known of one server.

    Attributes:
        served: The objects that all its pods serve, as they were confirmed.
        judged: With a child that cannot be applied: the objects that it selected when its status
            was last written. Those that are not served by then, are not served for now.
    """

    served: Mapping[ObjectRef, Compiled] = field(default_factory=dict)
    judged: Mapping[ObjectRef, Compiled] = field(default_factory=dict)


class ConfirmedObjects:
    """Holds, for each server, the objects in the last catalog that all its pods have confirmed.

    Attributes:
        changed: For each kind, names an object whenever a server's pods have confirmed another
            state of it, or that they no longer serve it.
    """

    def __init__(self) -> None:
        self.changed = {kind: Channel(f"confirmed {kind}s") for kind in MODELS}
        self._servers: dict[Key, _Server] = {}

    def record(self, server: Key, objects: Iterable[Compiled]) -> None:
        """Record that every pod of a server serves all entries of these objects, and no others.

        An object that lost a name to another is not among them: it counts as served once the pods
        have confirmed a catalog in which it has the name.
        """
        self._replace(server, _Server(_by_ref(objects)))

    def record_failure(
        self, server: Key, selected: Iterable[Compiled], objects: Iterable[Compiled] | None
    ) -> None:
        """Note what the pods of a server serve, one of whose children cannot be applied.

        Args:
            server: The server.
            selected: All objects that it selects.
            objects: Those that its pods serve, as for `record`. None where they have not confirmed
                the present catalog, and so serve what they did.
        """
        served = self._known(server).served if objects is None else _by_ref(objects)
        self._replace(server, _Server(served, _by_ref(selected)))

    def forget(self, server: Key) -> None:
        """Forget a server that is gone."""
        self._servers.pop(server, None)

    def includes(self, server: Key, obj: Compiled) -> bool:
        """Return whether every pod of a server serves an object exactly as it is now."""
        return self._known(server).served.get((obj.kind, obj.key)) == obj

    def judges(self, server: Key, obj: Compiled) -> bool:
        """Return whether `record_failure` was told of an object exactly as it is now.

        It was not right after the object has changed, or the operator has started.
        """
        return self._known(server).judged.get((obj.kind, obj.key)) == obj

    def _known(self, server: Key) -> _Server:
        return self._servers.get(server, _Server())

    def _replace(self, server: Key, now: _Server) -> None:
        before = self._known(server)
        self._servers[server] = now
        for ref in {**now.served, **before.served, **now.judged, **before.judged}:
            same = before.served.get(ref) == now.served.get(ref)
            if not same or before.judged.get(ref) != now.judged.get(ref):
                kind, key = ref
                self.changed[kind].send(key)


def _by_ref(objects: Iterable[Compiled]) -> dict[ObjectRef, Compiled]:
    return {(obj.kind, obj.key): obj for obj in objects}
