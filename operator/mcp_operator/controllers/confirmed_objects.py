"""What the pods of each server have confirmed, so that a tool is not called served before it is.

It lives in memory only: after a restart the pods are asked again, and until they have answered no
status is written that would depend on it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from mcp_operator.builders.compiled import CatalogKind, Compiled
from mcp_operator.core.meta import Key

ObjectRef = tuple[CatalogKind, Key]


class ConfirmedObjects:
    """Holds, for each server, the objects that the last catalog confirmed by all its pods holds."""

    def __init__(self) -> None:
        self._confirmed: dict[Key, dict[ObjectRef, Compiled]] = {}
        self._handlers: list[Callable[[ObjectRef], None]] = []

    def on_confirmed(self, handler: Callable[[ObjectRef], None]) -> None:
        """Call `handler` for each object of which a server's pods have confirmed another state."""
        self._handlers.append(handler)

    def record(self, server: Key, objects: Iterable[Compiled]) -> None:
        """Note that every pod of a server serves all entries of these objects, and no others.

        An object that lost a name to another is not among them: until the pods have confirmed that
        it won the name back, it is not served.
        """
        before = self._confirmed.get(server, {})
        now = {(obj.kind, obj.key): obj for obj in objects}
        self._confirmed[server] = now
        for identity in {**now, **before}:
            if before.get(identity) != now.get(identity):
                for handler in self._handlers:
                    handler(identity)

    def forget(self, server: Key) -> None:
        """Note that a server is gone."""
        self._confirmed.pop(server, None)

    def includes(self, server: Key, obj: Compiled) -> bool:
        """Tell whether every pod of a server serves an object exactly as it is now."""
        return self._confirmed.get(server, {}).get((obj.kind, obj.key)) == obj
