"""What the reconcilers of MCPTool, MCPPrompt and MCPResource have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import ClassVar

from mcp_operator.api.conditions import Condition, ConditionType, has_reason, is_true
from mcp_operator.api.reasons import Reason
from mcp_operator.builders.assembly import OnConflict, claimants_by_key, name_conflicts
from mcp_operator.builders.compiled import CatalogKind, Compiled, EntryKey, Finding
from mcp_operator.builders.joining import joining, refused_secrets
from mcp_operator.controllers.catalog_object_status import (
    SelectingServer,
    object_conditions,
    server_entries,
)
from mcp_operator.controllers.cluster_cache import (
    ANY_NAMESPACE,
    CATALOG_RESOURCES,
    ClusterCache,
)
from mcp_operator.controllers.compiler import Compiler
from mcp_operator.controllers.confirmed_objects import STILL_SERVED, ConfirmedObjects
from mcp_operator.controllers.installation_leases import InstallationLeases
from mcp_operator.controllers.long_work import LARGE_SELECTION, LongWork
from mcp_operator.controllers.parsing import ParsedObject, ParsedServer
from mcp_operator.controllers.status_reporter import StatusReporter
from mcp_operator.core.meta import Object, is_deleting, key_of
from mcp_operator.core.tasks import in_steps
from mcp_operator.runtime.reconcile import Request, Result

SECRET_POLL_SECONDS = 30.0
"""How often an object that refers to a Secret is reconciled, because Secrets are not watched."""

ABSENT_POLL_SECONDS = 3.0
"""How often it is reconciled while something that it refers to is missing."""


class CatalogObjectReconciler(ABC):
    """Writes the status of one kind of catalog object; MCPServerReconciler builds the catalogs.

    Args:
        cache: The informers.
        compiler: Compiles catalog objects; shared with the reconciler of servers.
        long_work: Resolves conflicts among many objects that claim one name.
        reporter: Writes statuses.
        confirmed_objects: Knows what the servers' pods have confirmed.
        installations: Knows which servers another installation of the operator manages.
    """

    kind: ClassVar[CatalogKind]
    stamp: ClassVar[str] = "lastSyncTime"
    """The status field with the time at which the rest of the status last changed."""

    def __init__(
        self,
        *,
        cache: ClusterCache,
        compiler: Compiler,
        long_work: LongWork,
        reporter: StatusReporter,
        confirmed_objects: ConfirmedObjects,
        installations: InstallationLeases,
    ) -> None:
        self._cache = cache
        self._compiler = compiler
        self._long_work = long_work
        self._reporter = reporter
        self._confirmed_objects = confirmed_objects
        self._installations = installations

    @abstractmethod
    def details(self, parsed: ParsedObject | None, compiled: Compiled, *, ready: bool) -> Object:
        """Return the status fields that only this kind has.

        Args:
            parsed: The object; None if this release cannot read it.
            compiled: The compiled object.
            ready: Whether all its conditions are good.
        """

    async def reconcile(self, request: Request) -> Result | None:
        """Compile the object, look at the servers that select it, and write its status."""
        raw = self._cache.catalog_objects[self.kind].store.get(request)
        if raw is None or is_deleting(raw):
            return None
        if await self._is_managed_elsewhere(raw):
            return None
        parsed = self._cache.parser.object_or_none(raw)
        compiled = await self._compiler.compile(raw)
        servers = await self._selecting_servers(raw, compiled)
        if any(self._awaits_confirmation(compiled, server) for server in servers):
            return None  # enqueued again when they confirm, or when their status changes
        conditions = object_conditions(compiled, servers)
        if not self._cache.has(raw):
            return None  # it was deleted meanwhile, perhaps with its servers
        await self.write(raw, self._fields(parsed, compiled, servers, conditions), conditions)
        if parsed is None or not parsed.references.secrets:
            return None
        missing = bool(compiled.findings_of(ConditionType.RESOLVED_REFS))
        return Result(requeue_after=ABSENT_POLL_SECONDS if missing else SECRET_POLL_SECONDS)

    async def write(self, raw: Object, fields: Object, conditions: Sequence[Condition]) -> bool:
        """Write the status if it differs; return whether it was written.

        Args:
            raw: The object as cached, with its previous status.
            fields: The status without `observedGeneration` and `conditions`.
            conditions: All conditions.

        Raises:
            ApiError: The API server rejected the request.
        """
        resource = CATALOG_RESOURCES[self.kind]
        return await self._reporter.write(resource, raw, fields, conditions, stamp=self.stamp)

    def _fields(
        self,
        parsed: ParsedObject | None,
        compiled: Compiled,
        servers: Sequence[SelectingServer],
        conditions: Sequence[Condition],
    ) -> Object:
        ready = all(condition.good for condition in conditions)
        return self.details(parsed, compiled, ready=ready) | {
            "servers": server_entries(compiled, servers),
            "serverCount": len(servers),
        }

    async def _selecting_servers(self, raw: Object, compiled: Compiled) -> list[SelectingServer]:
        return [
            SelectingServer(
                server.key,
                conflicts=(
                    *refused_secrets(compiled, server.key.namespace),
                    *(await self._name_conflicts(compiled, server)).values(),
                ),
                programmed=self._is_programmed(server, compiled),
                scaled_to_zero=self._programmed_says(server, Reason.SCALED_TO_ZERO),
                unreported=self._programmed_says(server, Reason.NOT_REPORTED),
            )
            for server in self._cache.servers_selecting(self.kind, raw)
        ]

    async def _is_managed_elsewhere(self, raw: Object) -> bool:
        """Return whether another installation manages a server of the object."""
        for server in self._cache.servers_selecting(self.kind, raw):
            current = self._cache.servers.store.get(server.key)
            if current is not None and await self._installations.other_installation(current):
                return True
        return False

    def _awaits_confirmation(self, compiled: Compiled, server: SelectingServer) -> bool:
        """Return whether a server that serves the object has not confirmed its current state."""
        if not compiled.entries or server.conflicts:
            return False
        current = self._cache.servers.store.get(server.key)
        if current is not None and has_reason(current, ConditionType.PROGRAMMED, STILL_SERVED):
            return not self._confirmed_objects.was_selected(server.key, compiled)
        return server.programmed and not self._confirmed_objects.includes(server.key, compiled)

    def _is_programmed(self, server: ParsedServer, compiled: Compiled) -> bool:
        """Return whether a server is programmed, by its cached status; the model can be older."""
        key = server.key
        current = self._cache.servers.store.get(key)
        if current is None:
            return False
        if has_reason(current, ConditionType.PROGRAMMED, STILL_SERVED):
            return self._confirmed_objects.includes(key, compiled)
        programmed = is_true(current, ConditionType.PROGRAMMED)
        return programmed or self._programmed_says(server, Reason.NOT_REPORTED)

    def _programmed_says(self, server: ParsedServer, reason: Reason) -> bool:
        current = self._cache.servers.store.get(server.key)
        return current is not None and has_reason(current, ConditionType.PROGRAMMED, {reason})

    async def _name_conflicts(
        self, compiled: Compiled, server: ParsedServer
    ) -> dict[EntryKey, Finding]:
        namespace = server.key.namespace
        own = joining(compiled, namespace)
        contenders = {own.key: own}
        within = namespace if server.reach.mode == "Same" else ANY_NAMESPACE
        for entry_key in own.entry_keys:
            async for rival in in_steps(self._cache.claimants(self.kind, within, entry_key)):
                key = key_of(rival)  # may be a newer state of the object, which comes later
                if key in contenders or not self._cache.has(rival):
                    continue
                if self._cache.selects(server, self.kind, rival):
                    contenders[key] = joining(await self._compiler.compile(rival), namespace)
        policy = server.model.spec.naming.on_conflict
        large = len(contenders) > LARGE_SELECTION
        async with self._long_work.turn(namespace, large=large) as run:
            return await run(_conflicts, own, contenders.values(), policy)


def _conflicts(
    compiled: Compiled, contenders: Iterable[Compiled], policy: OnConflict
) -> dict[EntryKey, Finding]:
    return name_conflicts(compiled, claimants_by_key(contenders), policy)
