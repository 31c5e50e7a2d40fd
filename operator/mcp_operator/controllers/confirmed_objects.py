"""Records which catalog objects the pods of each server have confirmed, and in which state.

`Ready` on a tool means that it can be called. Therefore, a tool is not ready before every pod of
the servers that select it has confirmed a catalog with it. This state is only in memory. After a
restart, the pods are asked again, and no status that depends on their answers is written until
then.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from mcp_operator.api.reasons import Reason
from mcp_operator.builders.catalog import MODELS
from mcp_operator.builders.compiled import CatalogKind, Compiled
from mcp_operator.core.meta import Key
from mcp_operator.core.tasks import in_steps
from mcp_operator.runtime.sources import Channel

STILL_SERVED: Final = frozenset({Reason.CONFLICT, Reason.APPLY_FAILED})
"""Reasons why a server is not programmed although its pods keep serving: a child could not be
applied, which is not necessarily the catalog. The pods serve the newest catalog that they have."""

ObjectRef = tuple[CatalogKind, Key]


@dataclass(frozen=True, slots=True)
class _Server:
    """The state of one server.

    Attributes:
        served: The objects that all its pods serve, in the confirmed state.
        selected: If a child cannot be applied, the objects that the server selected when its status
            was last written. Those that are not served yet will not be served for now.
        recorded: The objects that `served` was built from.
    """

    served: Mapping[ObjectRef, Compiled] = field(default_factory=dict)
    selected: Mapping[ObjectRef, Compiled] = field(default_factory=dict)
    recorded: Sequence[Compiled] | None = None


class ConfirmedObjects:
    """Holds, for each server, the objects in the last catalog that all its pods have confirmed.

    Attributes:
        changed: For each kind, sends the key of an object whenever a server's pods confirm another
            state of it, or that they no longer serve it.
    """

    def __init__(self) -> None:
        self.changed = {kind: Channel(f"confirmed {kind}s") for kind in MODELS}
        self._servers: dict[Key, _Server] = {}

    async def record(self, server: Key, objects: Sequence[Compiled]) -> None:
        """Record that every pod of a server serves all entries of these objects, and no others.

        Leave out objects that lost a name to another. They count as served after the pods have
        confirmed a catalog in which they have the name.
        """
        if self._known(server).recorded is not objects:  # identical while nothing changes
            await self._replace(server, _Server(await _by_ref(objects), recorded=objects))

    async def record_failure(
        self, server: Key, selected: Iterable[Compiled], objects: Iterable[Compiled] | None
    ) -> None:
        """Record what the pods of a server serve while one of its children cannot be applied.

        Args:
            server: The server.
            selected: All objects that it selects.
            objects: The objects that its pods serve, as for `record`. None if the pods have not
                confirmed the current catalog, so they still serve the previous objects.
        """
        served = self._known(server).served if objects is None else await _by_ref(objects)
        await self._replace(server, _Server(served, await _by_ref(selected)))

    def forget(self, server: Key) -> None:
        """Drop the state of a deleted server."""
        self._servers.pop(server, None)

    def includes(self, server: Key, obj: Compiled) -> bool:
        """Return whether every pod of a server serves an object exactly as it is now."""
        return self._known(server).served.get((obj.kind, obj.key)) == obj

    def was_selected(self, server: Key, obj: Compiled) -> bool:
        """Return whether the last `record_failure` included exactly this state of an object.

        It did not if the object has changed since, or if the operator was restarted.
        """
        return self._known(server).selected.get((obj.kind, obj.key)) == obj

    def _known(self, server: Key) -> _Server:
        return self._servers.get(server, _Server())

    async def _replace(self, server: Key, now: _Server) -> None:
        before = self._known(server)
        self._servers[server] = now
        refs = iter({**now.served, **before.served, **now.selected, **before.selected})

        def compare(ref: ObjectRef) -> None:
            kind, key = ref
            served = _same(before.served.get(ref), now.served.get(ref))
            if not served or not _same(before.selected.get(ref), now.selected.get(ref)):
                self.changed[kind].send(key)

        try:
            async for ref in in_steps(refs):
                compare(ref)
        finally:
            for ref in refs:  # if cancelled, because no later call sends these events
                compare(ref)


async def _by_ref(objects: Iterable[Compiled]) -> dict[ObjectRef, Compiled]:
    return {(obj.kind, obj.key): obj async for obj in in_steps(objects)}


def _same(one: Compiled | None, other: Compiled | None) -> bool:
    return one is other or one == other
