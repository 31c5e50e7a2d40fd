"""What the pods of each server have confirmed, so that a tool is not called served before it is.

It lives in memory only: after a restart the pods are asked again, and until they have answered no
status is written that would depend on it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from mcp_operator.builders.members import Compiled, MemberKind
from mcp_operator.core.meta import Key

Member = tuple[MemberKind, Key]


class Ledger:
    """Holds, for each server, the members that the last catalog confirmed by all its pods holds."""

    def __init__(self) -> None:
        self._confirmed: dict[Key, dict[Member, Compiled]] = {}
        self._handlers: list[Callable[[Member], None]] = []

    def on_confirmed(self, handler: Callable[[Member], None]) -> None:
        """Call `handler` for each member of which a server's pods have confirmed another state."""
        self._handlers.append(handler)

    def settle(self, server: Key, members: Iterable[Compiled]) -> None:
        """Note that every pod of a server serves all entries of these members, and no others.

        A member that lost a name to another is not among them: until the pods have confirmed that
        it won the name back, it is not served.
        """
        before = self._confirmed.get(server, {})
        now = {(member.kind, member.key): member for member in members}
        self._confirmed[server] = now
        for identity in {**now, **before}:
            if before.get(identity) != now.get(identity):
                for handler in self._handlers:
                    handler(identity)

    def forget(self, server: Key) -> None:
        """Note that a server is gone."""
        self._confirmed.pop(server, None)

    def confirms(self, server: Key, member: Compiled) -> bool:
        """Tell whether every pod of a server serves a member exactly as it is now."""
        return self._confirmed.get(server, {}).get((member.kind, member.key)) == member
