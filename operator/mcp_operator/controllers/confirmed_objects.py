"""Which catalog objects the pods of each server have confirmed, and in which state.

`Ready` on a tool means that it can be called. So its status does not say so before every pod of the
servers that select it has confirmed a catalog with it. This lives in memory only: after a restart
the pods are asked again, and until they have answered no status is written that depends on it.
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
"""Reasons for which a server is not programmed while its pods keep serving. A child could not be
applied, which need not be the catalog; the pods serve the newest one that they have."""

ObjectRef = tuple[CatalogKind, Key]


@dataclass(frozen=True, slots=True)
class _Server:
    """What is known of one server.

    Attributes:
        served: The objects that all its pods serve, as they were confirmed.
        selected: If a child cannot be applied, the objects that the server selected when its status
            was last written. Those of them that are not served will not be for now.
        recorded: What `served` was made of.
    """

    served: Mapping[ObjectRef, Compiled] = field(default_factory=dict)
    selected: Mapping[ObjectRef, Compiled] = field(default_factory=dict)
    recorded: Sequence[Compiled] | None = None


class ConfirmedObjects:
    """Holds, for each server, the objects in the last catalog that all its pods have confirmed.

    Attributes:
        changed: For each kind, names an object whenever a server's pods have confirmed another
            state of it, or that they no longer serve it.
    """

    def __init__(self) -> None:
        self.changed = {kind: Channel(f"confirmed {kind}s") for kind in MODELS}
        self._servers: dict[Key, _Server] = {}

    async def record(self, server: Key, objects: Sequence[Compiled]) -> None:
        """Record that every pod of a server serves all entries of these objects, and no others.

        An object that lost a name to another is not among them: it counts as served once the pods
        have confirmed a catalog in which it has the name.
        """
        if self._known(server).recorded is not objects:  # it is, if nothing has changed since
            await self._replace(server, _Server(await _by_ref(objects), recorded=objects))

    async def record_failure(
        self, server: Key, selected: Iterable[Compiled], objects: Iterable[Compiled] | None
    ) -> None:
        """Record what the pods of a server serve while one of its children cannot be applied.

        Args:
            server: The server.
            selected: All objects that it selects.
            objects: Those that its pods serve, as for `record`. None if they have not confirmed
                the present catalog, and so serve what they served before.
        """
        served = self._known(server).served if objects is None else await _by_ref(objects)
        await self._replace(server, _Server(served, await _by_ref(selected)))

    def forget(self, server: Key) -> None:
        """Forget a server that is gone."""
        self._servers.pop(server, None)

    def includes(self, server: Key, obj: Compiled) -> bool:
        """Return whether every pod of a server serves an object exactly as it is now."""
        return self._known(server).served.get((obj.kind, obj.key)) == obj

    def was_selected(self, server: Key, obj: Compiled) -> bool:
        """Return whether the last `record_failure` was about this very state of an object.

        It was not if the object has changed since, or the operator has been restarted.
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
            for ref in refs:  # if this is cancelled, which nobody would make good for
                compare(ref)


async def _by_ref(objects: Iterable[Compiled]) -> dict[ObjectRef, Compiled]:
    return {(obj.kind, obj.key): obj async for obj in in_steps(objects)}


def _same(one: Compiled | None, other: Compiled | None) -> bool:
    return one is other or one == other
