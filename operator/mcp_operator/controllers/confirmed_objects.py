"""Which catalog objects the pods of each server have confirmed, and in which state.

`Ready` on a tool means that it can be called. So its status does not say so before every pod of the
servers that select it has confirmed a catalog with it. This lives in memory only: after a restart
the pods are asked again, and until they have answered no status is written that depends on it.
"""

from __future__ import annotations

from collections.abc import Iterable

from mcp_operator.builders.catalog import MODELS
from mcp_operator.builders.compiled import CatalogKind, Compiled
from mcp_operator.core.meta import Key
from mcp_operator.runtime.sources import Channel


class ConfirmedObjects:
    """Holds, for each server, the objects in the last catalog that all its pods have confirmed.

    Attributes:
        changed: For each kind, names an object whenever a server's pods have confirmed another
            state of it, or that they no longer serve it.
    """

    def __init__(self) -> None:
        self.changed = {kind: Channel(f"confirmed {kind}s") for kind in MODELS}
        self._confirmed: dict[Key, dict[tuple[CatalogKind, Key], Compiled]] = {}

    def record(self, server: Key, objects: Iterable[Compiled]) -> None:
        """Note that every pod of a server serves all entries of these objects, and no others.

        An object that lost a name to another is not among them: it counts as served once the pods
        have confirmed a catalog in which it has the name.
        """
        before = self._confirmed.get(server, {})
        now = {(obj.kind, obj.key): obj for obj in objects}
        self._confirmed[server] = now
        for kind, key in {**now, **before}:
            if before.get((kind, key)) != now.get((kind, key)):
                self.changed[kind].send(key)

    def forget(self, server: Key) -> None:
        """Forget a server that is gone."""
        self._confirmed.pop(server, None)

    def includes(self, server: Key, obj: Compiled) -> bool:
        """Return whether every pod of a server serves an object exactly as it is now."""
        return self._confirmed.get(server, {}).get((obj.kind, obj.key)) == obj
