"""The reconciler of MCPServer.

A reconciliation compiles what the server selects, builds the catalog and the children, applies the
children that differ, looks at the pods, and writes the status. All decisions are pure functions of
`builders` and `mcpserver_status`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain

from mcp_operator.api.conditions import Condition, ConditionType
from mcp_operator.api.reasons import Reason
from mcp_operator.api.v1alpha1 import MCPSERVERS, MCPServer
from mcp_operator.builders.children import NEEDING_ACCOUNT, build_children
from mcp_operator.builders.cluster_facts import ClusterFacts
from mcp_operator.builders.compiled import Compiled, Finding, InvalidError
from mcp_operator.builders.context import BuildContext
from mcp_operator.builders.deployment import MANAGEMENT_PORT
from mcp_operator.builders.direct import MAX_FILES_BYTES
from mcp_operator.builders.names import child_name
from mcp_operator.builders.rbac import reads_key
from mcp_operator.builders.resources import DEPLOYMENTS, ROLES
from mcp_operator.builders.server_catalog import ServerCatalog, build_server_catalog
from mcp_operator.builders.serviceaccount import account_finding
from mcp_operator.controllers.apply_problems import ApplyProblems
from mcp_operator.controllers.catalog_object import ABSENT_POLL_SECONDS, SECRET_POLL_SECONDS
from mcp_operator.controllers.children import ChildrenApplier
from mcp_operator.controllers.cluster_cache import ClusterCache
from mcp_operator.controllers.compiler import Compiler
from mcp_operator.controllers.confirmations import Confirmations, Confirmed, Pod
from mcp_operator.controllers.confirmed_objects import STILL_SERVED, ConfirmedObjects, ObjectRef
from mcp_operator.controllers.event_reasons import EventReason
from mcp_operator.controllers.installation_leases import STATUS_FIELD, InstallationLeases
from mcp_operator.controllers.long_work import LARGE_SELECTION, LongWork
from mcp_operator.controllers.mcpserver_status import (
    ObservedServer,
    catalog_too_large,
    invalid_conditions,
    needs_another_look,
    server_conditions,
    server_fields,
)
from mcp_operator.controllers.memo import Memo
from mcp_operator.controllers.ownership import OwnerGoneError
from mcp_operator.controllers.parsing import ParsedServer
from mcp_operator.controllers.pods import failing, is_ready
from mcp_operator.controllers.server_keys import ServerKeys
from mcp_operator.controllers.status_reporter import StatusReporter
from mcp_operator.core.meta import Key, Object, is_deleting, key_of, uid_of
from mcp_operator.core.tasks import in_steps
from mcp_operator.runtime.errors import ApiError
from mcp_operator.runtime.reconcile import Request, Result

CONFIRM_GRACE_SECONDS = 2.0
"""Seconds that pods have to confirm a change before the status says that they have not. Until then,
the status is not written. A change that every pod confirms at once costs only one write of the
server's status, and the conditions of its tools do not go back and forth."""

PROBLEM_RETRY_SECONDS = 30.0
"""Seconds until the next check of a problem that can be solved without an event: a conflicting
object that the operator does not own, a kind that is not installed, or a pod that does not answer.
"""


@dataclass(frozen=True, slots=True)
class _Applied:
    """The result of applying the children.

    Attributes:
        problem: The condition that reports a problem with them, if any.
        failure: The error that requires another pass, if any.
        no_key: Why there is no Secret with the gateway's key; empty if there is one.
        account: Why the pods must not run as the chosen ServiceAccount; None if they can.
    """

    problem: Condition | None = None
    failure: ApiError | None = None
    no_key: str = ""
    account: Finding | None = None


class MCPServerReconciler:
    """Turns an MCPServer and everything that it selects into running gateways.

    Args:
        cache: The informers.
        compiler: Compiles catalog objects; shared with their own reconcilers.
        long_work: Builds large catalogs.
        children: Applies children.
        confirmations: Asks pods which catalog they serve.
        reporter: Writes statuses.
        confirmed_objects: Records which objects the pods have confirmed.
        keys: Creates the Secrets with the gateways' keys.
        installations: Knows which servers another installation of the operator manages.
        context: What the operator's settings say about every server's children.
    """

    def __init__(
        self,
        *,
        cache: ClusterCache,
        compiler: Compiler,
        long_work: LongWork,
        children: ChildrenApplier,
        confirmations: Confirmations,
        reporter: StatusReporter,
        confirmed_objects: ConfirmedObjects,
        keys: ServerKeys,
        installations: InstallationLeases,
        context: BuildContext,
    ) -> None:
        self._cache = cache
        self._compiler = compiler
        self._long_work = long_work
        self._children = children
        self._confirmations = confirmations
        self._reporter = reporter
        self._confirmed_objects = confirmed_objects
        self._keys = keys
        self._installations = installations
        self._context = context
        self._problems = ApplyProblems()
        self._catalogs = Memo[ServerCatalog]()

    async def reconcile(self, request: Request) -> Result | None:
        """Bring one server up to date."""
        raw = self._cache.servers.store.get(request)
        if raw is None or is_deleting(raw):
            self._forget(request)
            return None
        if other := await self._installations.other_installation(raw):
            self._reporter.tell(
                raw,
                EventReason.RUN_ELSEWHERE,
                f"the running installation {other} manages this server, so "
                f"{self._installations.installation} skips it",
            )
            return Result(requeue_after=PROBLEM_RETRY_SECONDS)
        try:
            parsed = self._cache.parser.server(raw)
        except InvalidError as error:
            await self._report_invalid(raw, error)
            return None
        return await self._update(request, raw, parsed)

    async def _update(self, request: Request, raw: Object, parsed: ParsedServer) -> Result | None:
        selected, not_permitted = await self._selected(parsed)
        rest = self._long_work.rest(request.namespace)
        if len(selected) > LARGE_SELECTION and rest > 0:
            return Result(requeue_after=rest)
        catalog = await self._catalog(raw, parsed, selected)
        facts = self._cache.facts(parsed.model, catalog.called)
        if not self._cache.has(raw):
            return None  # nor may what it selects be there any more
        try:
            applied = await self._apply(raw, parsed.model, catalog, facts)
        except OwnerGoneError:
            return None  # an event of the server or its namespace enqueues it again
        if not self._cache.has(raw):
            return None
        problem, failure = applied.problem, applied.failure
        observed = self._observe(parsed, catalog, facts, applied, not_permitted)
        if failure is not None and problem is None:
            raise failure  # the next attempt may succeed, so it is not reported yet
        if (wait := _grace_left(observed)) > 0:
            return Result(requeue_after=wait)
        conditions = server_conditions(observed)
        await self._report(raw, observed, conditions)
        await self._record(request, catalog, observed, conditions)
        if failure is not None:
            raise failure
        return _next_look(observed, parsed)

    def _forget(self, server: Key) -> None:
        self._catalogs.forget(server)
        self._confirmations.forget(server)
        self._confirmed_objects.forget(server)
        self._children.forget(server)
        self._installations.forget(server)
        self._keys.forget(server)
        self._problems.forget(server)

    async def _selected(self, server: ParsedServer) -> tuple[list[Object], list[ObjectRef]]:
        """Return the objects that a server selects, and those that match but do not consent."""
        selected: list[Object] = []
        not_permitted: list[ObjectRef] = []
        found = chain.from_iterable(self._cache.wanted(server, kind) for kind in server.selectors)
        permits = self._cache.permitting(server.key.namespace)
        async for obj in in_steps(found):
            if permits(obj):
                selected.append(obj)
            else:
                not_permitted.append((obj["kind"], key_of(obj)))
        return selected, not_permitted

    async def _catalog(
        self, raw: Object, server: ParsedServer, selected: Sequence[Object]
    ) -> ServerCatalog:
        """Compile what the server selects, and build its catalog if any of it has changed.

        An object that changes meanwhile enqueues the server again. A deleted one is skipped: its
        result has already been forgotten, and would be cached again for good.
        """
        facts = await self._compiler.facts(raw, server)
        large = len(selected) > LARGE_SELECTION
        async with self._long_work.turn(server.key.namespace, large=large) as run:
            compiled = [
                await self._compiler.compile(obj)
                async for obj in in_steps(selected)
                if self._cache.has(obj)
            ]
            return await self._catalogs.get(
                server.key,
                (server, facts, *compiled),
                lambda: run(build_server_catalog, server.model, compiled, facts),
            )

    async def _apply(
        self, raw: Object, server: MCPServer, catalog: ServerCatalog, facts: ClusterFacts
    ) -> _Applied:
        """Apply the children, and create the Secret with the gateway's key."""
        if catalog.files is not None and catalog.size > MAX_FILES_BYTES:
            return _Applied(catalog_too_large(catalog.size))
        # A model is cached by generation, which labels and annotations do not change.
        current = server.model_copy(update={"metadata": raw["metadata"]})
        desired = build_children(current, catalog, self._context, facts)
        began = asyncio.get_running_loop().time()
        key_needed = self._may_lack_key(key_of(raw))
        account = account_finding(current, self._context, self._cache.accounts.store.get)
        withheld = NEEDING_ACCOUNT if account else frozenset()
        outcome = await self._children.apply(raw, desired, withheld)
        no_key = ""
        if server.spec.effective_mode == "Gateway" and not outcome.conflicts:
            try:
                no_key = await self._keys.ensure(current, self._context, needed=key_needed)
            except ApiError as error:
                if error.is_namespace_terminating:
                    raise OwnerGoneError(str(error)) from error
                outcome = replace(outcome, error=outcome.error or error)
        problem = self._problems.condition(raw, outcome, began)
        return _Applied(problem, outcome.error, no_key, account)

    def _may_lack_key(self, server: Key) -> bool:
        """Return whether the Secret with a gateway's key might be missing."""
        role = self._cache.owned[ROLES].store.get(Key(server.namespace, child_name(server.name)))
        return not reads_key(role, server.name) or self._confirmations.is_lacking(server)

    def _observe(
        self,
        parsed: ParsedServer,
        catalog: ServerCatalog,
        facts: ClusterFacts,
        applied: _Applied,
        not_permitted: Sequence[ObjectRef],
    ) -> ObservedServer:
        """Look at the server's pods, and ask those that have not confirmed the catalog yet."""
        key, server = parsed.key, parsed.model
        pods = self._cache.pods_of(key)
        ready = [pod for pod in pods if is_ready(pod)]
        confirmed: Confirmed | None = None
        if server.spec.effective_mode == "Gateway" or server.spec.direct.reports_catalog:
            asked = [_pod(pod) for pod in ready]
            confirmed = self._confirmations.expect(key, catalog.digest, asked)
        else:
            self._confirmations.forget(key)
        deployment = Key(key.namespace, child_name(key.name))
        return ObservedServer(
            server=server,
            assembly=catalog.assembly,
            digest=catalog.digest,
            size=catalog.size,
            deployment=self._cache.owned[DEPLOYMENTS].store.get(deployment),
            ready_pods=len(ready),
            failing=failing(pods),
            confirmed=confirmed,
            facts=facts,
            no_key=applied.no_key,
            account=applied.account,
            problem=applied.problem,
            missing_kinds=self._cache.missing_kinds(),
            not_permitted=not_permitted,
            unseen=self._cache.unseen(parsed),
        )

    async def _report(
        self, raw: Object, observed: ObservedServer, conditions: Sequence[Condition]
    ) -> None:
        current = raw.get("status") or {}
        fields = server_fields(observed)
        unchanged = current.get("configHash") == observed.digest
        fields[STATUS_FIELD] = self._installations.installation or None
        fields["lastSyncTime"] = current.get("lastSyncTime") if unchanged else self._reporter.now()
        await self._reporter.write(MCPSERVERS, raw, fields, conditions)

    async def _record(
        self,
        key: Key,
        catalog: ServerCatalog,
        observed: ObservedServer,
        conditions: Sequence[Condition],
    ) -> None:
        """Record what the server's pods serve; the statuses of its objects depend on it."""
        served = catalog.assembly.fully_served
        [programmed] = [c for c in conditions if c.type is ConditionType.PROGRAMMED]
        if programmed.status or programmed.reason is Reason.NOT_REPORTED:
            await self._confirmed_objects.record(key, served)
        elif programmed.reason in STILL_SERVED:
            confirmed: Sequence[Compiled] | None = None
            if observed.confirmed is not None and not observed.confirmed.missing:
                confirmed = served if observed.ready_pods else ()
            await self._confirmed_objects.record_failure(key, catalog.selected, confirmed)

    async def _report_invalid(self, raw: Object, error: InvalidError) -> None:
        """Report that the spec cannot be read, without changing the children."""
        current = dict(raw.get("status") or {})
        for field in ("observedGeneration", "conditions"):
            current.pop(field, None)
        await self._reporter.write(MCPSERVERS, raw, current, invalid_conditions(error.finding))


def _pod(raw: Object) -> Pod:
    return Pod(uid_of(raw), raw["metadata"]["name"], raw["status"]["podIP"], MANAGEMENT_PORT)


def _next_look(observed: ObservedServer, parsed: ParsedServer) -> Result | None:
    """Return when to check again what changes without an event; None if nothing does."""
    waits = [PROBLEM_RETRY_SECONDS] if needs_another_look(observed) else []
    if parsed.references.secrets:
        assembly = observed.assembly
        own = (assembly.finding, assembly.certificate, assembly.redis_finding)
        missing = any(finding is not None for finding in own)
        waits.append(ABSENT_POLL_SECONDS if missing else SECRET_POLL_SECONDS)
    return Result(requeue_after=min(waits)) if waits else None


def _grace_left(observed: ObservedServer) -> float:
    """Return the seconds that pods still have to confirm the catalog; 0 if all have.

    If a server has nothing left to serve, that is reported at once, without a confirmation.
    """
    if observed.confirmed is None or not observed.confirmed.missing or observed.serves_nothing:
        return 0.0
    return max(0.0, CONFIRM_GRACE_SECONDS - observed.confirmed.waited)
