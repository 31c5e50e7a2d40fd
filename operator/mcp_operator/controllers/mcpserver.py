"""The reconciler of MCPServer: gather, assemble, build, apply, ask the pods, summarise."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from mcp_operator.api.conditions import Condition, ConditionType
from mcp_operator.api.reasons import Reason
from mcp_operator.api.shards import EncodedCatalog, encode
from mcp_operator.api.v1alpha1 import MCPSERVERS
from mcp_operator.builders.assembly import Assembly
from mcp_operator.builders.catalog import build_catalog
from mcp_operator.builders.children import Frame, build_frame, desired_children
from mcp_operator.builders.cluster_facts import ClusterFacts
from mcp_operator.builders.compiled import Compiled, InvalidError
from mcp_operator.builders.context import BuildContext
from mcp_operator.builders.deployment import MANAGEMENT_PORT
from mcp_operator.builders.direct import MAX_FILES_BYTES, deliverable, direct_files, files_size
from mcp_operator.builders.names import child_name
from mcp_operator.builders.resources import DEPLOYMENTS
from mcp_operator.controllers.apply_problems import ApplyProblems
from mcp_operator.controllers.children import ChildrenApplier, OwnerGoneError
from mcp_operator.controllers.cluster_cache import ClusterCache
from mcp_operator.controllers.compiler import Compiler
from mcp_operator.controllers.confirmations import Confirmations, Confirmed, Pod
from mcp_operator.controllers.confirmed_objects import ConfirmedObjects
from mcp_operator.controllers.installation_leases import (
    RUN_ELSEWHERE,
    STATUS_FIELD,
    InstallationLeases,
)
from mcp_operator.controllers.mcpserver_status import (
    ObservedServer,
    lacks_gateway_api,
    server_conditions,
    server_fields,
)
from mcp_operator.controllers.parsing import ParsedServer
from mcp_operator.controllers.pods import failing, is_ready
from mcp_operator.controllers.status_reporter import StatusReporter
from mcp_operator.core.meta import Key, Object, is_deleting, key_of, uid_of
from mcp_operator.runtime.errors import ApiError
from mcp_operator.runtime.reconcile import Request, Result

logger = logging.getLogger(__name__)

CONFIRM_GRACE_SECONDS = 2.0
"""How long pods may take to confirm a change before the status admits that they have not. Within
it the status stays as it was: a change that every pod confirms at once is then one status write,
and the statuses of the server's tools, which follow its conditions, are not written at all."""

PROBLEM_RETRY_SECONDS = 30.0
"""How often a pass is repeated whose cause of failure no watch will tell of: an object in the way
that the operator does not own, a kind that is not installed, or a pod that does not answer."""


@dataclass(frozen=True, slots=True)
class _Assembled:
    """The last catalog of a server, and exactly what it was made from."""

    generation_of: ParsedServer
    objects: tuple[Compiled, ...]
    assembly: Assembly
    encoded: EncodedCatalog


class _Basis(NamedTuple):
    """What a server's children are made from, but for the content of its catalog."""

    generation_of: ParsedServer
    shards: int
    secrets: frozenset[str]
    facts: ClusterFacts


class MCPServerReconciler:
    """Turns an MCPServer and everything that it selects into running, confirmed gateways."""

    def __init__(
        self,
        *,
        cache: ClusterCache,
        compiler: Compiler,
        children: ChildrenApplier,
        confirmations: Confirmations,
        reporter: StatusReporter,
        confirmed_objects: ConfirmedObjects,
        installations: InstallationLeases,
        context: BuildContext,
    ) -> None:
        self._cache = cache
        self._compiler = compiler
        self._children = children
        self._confirmations = confirmations
        self._reporter = reporter
        self._confirmed_objects = confirmed_objects
        self._installations = installations
        self._context = context
        self._problems = ApplyProblems()
        self._assembled: dict[Key, _Assembled] = {}
        self._frames: dict[Key, tuple[_Basis, Frame]] = {}

    async def reconcile(self, request: Request) -> Result | None:
        """Bring one server up to date."""
        raw = self._cache.servers.store.get(request)
        if raw is None or is_deleting(raw):
            self._assembled.pop(request, None)
            self._frames.pop(request, None)
            self._confirmations.forget(request)
            self._confirmed_objects.forget(request)
            self._children.forget(request)
            self._problems.forget(request)
            return None
        if holder := await self._installations.other_installation(raw):
            self._reporter.warn(
                raw,
                RUN_ELSEWHERE,
                f"the installation {holder} runs this server and is alive: "
                f"{self._installations.installation} leaves it alone",
            )
            return Result(requeue_after=PROBLEM_RETRY_SECONDS)
        try:
            server = self._cache.parser.server(raw)
        except InvalidError as error:
            await self._refuse(raw, error)
            return None
        assembled = await self._assemble(request, server)
        facts = self._cache.facts(server.model, assembled.assembly.catalog)
        try:
            problem, failure = await self._apply(raw, server, assembled, facts)
        except OwnerGoneError:
            return None  # its deletion, or what it keeps of its namespace, will bring us back
        view = self._view(request, server, assembled, facts, problem)
        if failure is not None and problem is None:
            raise failure  # it may pass by itself, and until then nothing is said
        if (wait := _grace_left(view)) > 0:
            return Result(requeue_after=wait)
        conditions = server_conditions(view)
        await self._summarise(raw, view, conditions)
        if any(c.type is ConditionType.PROGRAMMED and c.status for c in conditions):
            self._confirmed_objects.record(request, assembled.assembly.fully_served)
        if failure is not None:
            raise failure
        return Result(requeue_after=PROBLEM_RETRY_SECONDS) if _incomplete(view) else None

    async def _assemble(self, key: Key, server: ParsedServer) -> _Assembled:
        objects = tuple(
            [
                await self._compiler.compile(obj)
                for kind in server.selectors
                for obj in self._cache.selected(server, kind)
            ]
        )
        known = self._assembled.get(key)
        if known and known.generation_of is server and _identical(known.objects, objects):
            return known
        assembly = build_catalog(server.model, objects)
        if server.model.spec.effective_mode == "Direct":
            assembly = deliverable(assembly)
        assembled = _Assembled(server, objects, assembly, encode(assembly.catalog))
        self._assembled[key] = assembled
        return assembled

    async def _apply(
        self, raw: Object, server: ParsedServer, assembled: _Assembled, facts: ClusterFacts
    ) -> tuple[Condition | None, ApiError | None]:
        """Return what to say of a failure, and the error to retry on, if there was one."""
        content: EncodedCatalog | Mapping[str, str] = assembled.encoded
        if server.model.spec.effective_mode == "Direct":
            files = direct_files(assembled.assembly.catalog)
            if (size := files_size(files)) > MAX_FILES_BYTES:
                return _too_large(size), None
            content = files
        frame = self._frame(key_of(raw), server, assembled, facts)
        began = asyncio.get_running_loop().time()
        outcome = await self._children.apply(raw, desired_children(server.model, content, frame))
        return self._problems.judge(raw, outcome, began), outcome.error

    def _frame(
        self, key: Key, server: ParsedServer, assembled: _Assembled, facts: ClusterFacts
    ) -> Frame:
        """Return all children but the catalog, built anew only if that makes a difference."""
        gateway = server.model.spec.effective_mode == "Gateway"
        basis = _Basis(
            server,
            shards=len(assembled.encoded.shards) if gateway else 0,
            secrets=frozenset(secret.name for secret in assembled.assembly.secrets),
            facts=facts,
        )
        known, frame = self._frames.get(key, (None, None))
        if frame is None or known != basis:
            frame = build_frame(
                server.model, basis.shards, basis.secrets, self._context, basis.facts
            )
            self._frames[key] = basis, frame
        return frame

    def _view(
        self,
        key: Key,
        server: ParsedServer,
        assembled: _Assembled,
        facts: ClusterFacts,
        problem: Condition | None,
    ) -> ObservedServer:
        pods = self._cache.pods_of(key)
        ready = [pod for pod in pods if is_ready(pod)]
        index = assembled.encoded.index
        confirmed: Confirmed | None = None
        if server.model.spec.effective_mode == "Gateway":
            confirmed = self._confirmations.expect(key, index.digest, [_pod(pod) for pod in ready])
        deployment = Key(key.namespace, child_name(key.name))
        return ObservedServer(
            server=server.model,
            assembly=assembled.assembly,
            digest=index.digest,
            size=index.bytes,
            deployment=self._cache.owned[DEPLOYMENTS].store.get(deployment),
            ready_pods=len(ready),
            failing=failing(pods),
            confirmed=confirmed,
            facts=facts,
            problem=problem,
        )

    async def _summarise(
        self, raw: Object, view: ObservedServer, conditions: Sequence[Condition]
    ) -> None:
        current = raw.get("status") or {}
        fields = server_fields(view)
        unchanged = current.get("configHash") == view.digest
        fields[STATUS_FIELD] = self._installations.installation or None
        fields["lastSyncTime"] = current.get("lastSyncTime") if unchanged else self._reporter.now()
        await self._reporter.write(MCPSERVERS, raw, fields, conditions)

    async def _refuse(self, raw: Object, error: InvalidError) -> None:
        """Say that the spec cannot be read; whatever runs keeps running."""
        current = dict(raw.get("status") or {})
        for field in ("observedGeneration", "conditions"):
            current.pop(field, None)
        reasons = {
            ConditionType.ACCEPTED: error.finding.reason,
            ConditionType.PROGRAMMED: Reason.NOT_ACCEPTED,
            ConditionType.READY: error.finding.reason,
        }
        conditions = [
            Condition(type_, status=False, reason=reason, message=error.finding.message)
            for type_, reason in reasons.items()
        ]
        await self._reporter.write(MCPSERVERS, raw, current, conditions)


def _identical(known: Sequence[Compiled], objects: Sequence[Compiled]) -> bool:
    """Compare by identity: an unchanged object compiles to the identical object."""
    return len(known) == len(objects) and all(
        one is other for one, other in zip(known, objects, strict=True)
    )


def _pod(raw: Object) -> Pod:
    return Pod(uid_of(raw), raw["metadata"]["name"], raw["status"]["podIP"], MANAGEMENT_PORT)


def _incomplete(view: ObservedServer) -> bool:
    unconfirmed = view.confirmed is not None and bool(view.confirmed.missing)
    return view.problem is not None or unconfirmed or lacks_gateway_api(view)


def _grace_left(view: ObservedServer) -> float:
    """Return the seconds that missing confirmations may still take, 0 where none is awaited."""
    if view.confirmed is None or not view.confirmed.missing:
        return 0.0
    return max(0.0, CONFIRM_GRACE_SECONDS - view.confirmed.waited)


def _too_large(size: int) -> Condition:
    return Condition(
        ConditionType.ACCEPTED,
        status=False,
        reason=Reason.CATALOG_TOO_LARGE,
        message=f"in mode Direct the catalog is one ConfigMap of at most {MAX_FILES_BYTES} bytes, "
        f"and this one takes {size}: select less, or use mode Gateway; the last one that "
        "fitted stays",
    )
