"""What the reconcilers of MCPTool, MCPPrompt and MCPResource share: compile, judge, say so."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from mcp_operator.api.conditions import Condition, ConditionType, is_true
from mcp_operator.builders import assembly
from mcp_operator.builders.members import Compiled, Finding, MemberKind, Slot
from mcp_operator.controllers.claims import Claims
from mcp_operator.controllers.compiler import Compiler
from mcp_operator.controllers.ledger import Ledger
from mcp_operator.controllers.membership import Membership, member_conditions, member_servers
from mcp_operator.controllers.parsing import ParsedMember, ParsedServer
from mcp_operator.controllers.statuses import Statuses
from mcp_operator.controllers.world import MEMBERS, World
from mcp_operator.core.meta import Key, Object, is_deleting, key_of, labels_of
from mcp_operator.runtime.reconcile import Request, Result

SECRET_POLL_SECONDS = 30.0
"""How often an object that refers to a Secret is looked at again: Secrets are not watched."""

ABSENT_POLL_SECONDS = 3.0
"""The same while something that it refers to is missing."""


class MemberReconciler(ABC):
    """Writes the status of one kind of member; its servers put it into their catalogs.

    Args:
        world: The caches.
        compiler: Compiles members; the server's reconciler shares it.
        statuses: Writes statuses and tells transitions.
        ledger: Knows what the servers' pods have confirmed.
        claims: Knows which servers another installation of the operator runs.
    """

    kind: ClassVar[MemberKind]
    stamp: ClassVar[str] = "lastSyncTime"
    """The status field that holds when the outcome last changed."""

    def __init__(
        self,
        *,
        world: World,
        compiler: Compiler,
        statuses: Statuses,
        ledger: Ledger,
        claims: Claims,
    ) -> None:
        self._world = world
        self._compiler = compiler
        self._statuses = statuses
        self._ledger = ledger
        self._claims = claims

    @abstractmethod
    def details(self, parsed: ParsedMember | None, compiled: Compiled, *, ready: bool) -> Object:
        """Return the status fields that this kind alone has.

        Args:
            parsed: The object; None where it cannot be read.
            compiled: What it contributes.
            ready: Whether it is served by every server that selects it.
        """

    async def reconcile(self, request: Request) -> Result | None:
        """Compile the object, see what its servers make of it, and write that down."""
        raw = self._world.members[self.kind].store.get(request)
        if raw is None or is_deleting(raw):
            return None
        if await self._is_anothers(raw):
            return None
        parsed = self._world.parser.readable_member(raw)
        compiled = await self._compiler.compile(raw)
        memberships = await self._memberships(raw, compiled)
        if any(self._is_awaited(compiled, membership) for membership in memberships):
            return None  # the ledger, or the server's own condition, brings us back
        conditions = member_conditions(compiled, memberships)
        await self._statuses.write(
            MEMBERS[self.kind],
            raw,
            self._fields(parsed, compiled, memberships, conditions),
            conditions,
            stamp=self.stamp,
        )
        if parsed is None or not parsed.references.secrets:
            return None
        missing = bool(compiled.findings_of(ConditionType.RESOLVED_REFS))
        return Result(requeue_after=ABSENT_POLL_SECONDS if missing else SECRET_POLL_SECONDS)

    def _fields(
        self,
        parsed: ParsedMember | None,
        compiled: Compiled,
        memberships: Sequence[Membership],
        conditions: Sequence[Condition],
    ) -> Object:
        ready = all(condition.good for condition in conditions)
        return self.details(parsed, compiled, ready=ready) | {
            "servers": member_servers(compiled, memberships),
            "serverCount": len(memberships),
        }

    async def _memberships(self, raw: Object, compiled: Compiled) -> list[Membership]:
        return [
            Membership(
                Key(server.model.namespace, server.model.name),
                lost=tuple((await self._lost(compiled, server)).values()),
                programmed=self._is_programmed(server),
            )
            for server in self._world.servers_selecting(self.kind, raw)
        ]

    async def _is_anothers(self, raw: Object) -> bool:
        """Tell whether another installation runs a server of the object, and writes its status."""
        for server in self._world.servers_selecting(self.kind, raw):
            current = self._world.servers.store.get(Key(server.model.namespace, server.model.name))
            if current is not None and await self._claims.holder(current):
                return True
        return False

    def _is_awaited(self, compiled: Compiled, membership: Membership) -> bool:
        """Tell whether a server that serves the object has yet to confirm its present state."""
        serves = bool(compiled.entries) and not membership.lost and membership.programmed
        return serves and not self._ledger.confirms(membership.server, compiled)

    def _is_programmed(self, server: ParsedServer) -> bool:
        """Look at the server's present status: a parsed model is only as new as its spec."""
        current = self._world.servers.store.get(Key(server.model.namespace, server.model.name))
        return current is not None and is_true(current, ConditionType.PROGRAMMED)

    async def _lost(self, compiled: Compiled, server: ParsedServer) -> dict[Slot, Finding]:
        contenders = {compiled.key: compiled}
        for slot in compiled.slots:
            for rival in self._world.claimants(self.kind, compiled.key.namespace, slot):
                key = key_of(rival)  # its own newer state may be among them: that comes later
                if key not in contenders and server.selectors[self.kind].matches(labels_of(rival)):
                    contenders[key] = await self._compiler.compile(rival)
        policy = server.model.spec.naming.on_conflict
        return assembly.contest(compiled, assembly.claims(contenders.values()), policy)
