"""The reconciler of MCPServer: gather, assemble, build, apply, ask the pods, summarise."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from mcp_operator.api.conditions import Condition, ConditionType
from mcp_operator.api.reasons import Reason
from mcp_operator.api.shards import EncodedCatalog, encode
from mcp_operator.api.v1alpha1 import MCPSERVERS
from mcp_operator.builders.assembly import Assembly
from mcp_operator.builders.catalog import build_catalog
from mcp_operator.builders.children import Frame, build_frame, desired_children
from mcp_operator.builders.context import BuildContext
from mcp_operator.builders.deployment import MANAGEMENT_PORT
from mcp_operator.builders.direct import MAX_FILES_BYTES, deliverable, direct_files, files_size
from mcp_operator.builders.members import Compiled, InvalidError, MemberKind
from mcp_operator.builders.names import child_name
from mcp_operator.builders.resources import DEPLOYMENTS
from mcp_operator.builders.surroundings import Surroundings
from mcp_operator.controllers.children import ChildrenApplier, OwnerGoneError
from mcp_operator.controllers.claims import RUN_ELSEWHERE, STATUS_FIELD, Claims
from mcp_operator.controllers.compiler import Compiler
from mcp_operator.controllers.confirmations import Confirmations, Confirmed, Pod
from mcp_operator.controllers.ledger import Ledger
from mcp_operator.controllers.parsing import ParsedServer
from mcp_operator.controllers.pods import failing, is_ready
from mcp_operator.controllers.serving import (
    ServerView,
    lacks_gateway_api,
    server_conditions,
    server_fields,
)
from mcp_operator.controllers.statuses import Statuses
from mcp_operator.controllers.world import World
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
    """The last catalog of a server, and exactly what it was made from.

    Of the members, `news` are those that the catalog before did not have as they are, until they
    have been told of.
    """

    generation_of: ParsedServer
    members: tuple[Compiled, ...]
    news: tuple[Compiled, ...]
    assembly: Assembly
    encoded: EncodedCatalog


class _Basis(NamedTuple):
    """What a server's children are made from, but for the content of its catalog."""

    generation_of: ParsedServer
    shards: int
    secrets: frozenset[str]
    around: Surroundings


class MCPServerReconciler:
    """Turns an MCPServer and everything that it selects into running, confirmed gateways."""

    def __init__(
        self,
        *,
        world: World,
        compiler: Compiler,
        children: ChildrenApplier,
        confirmations: Confirmations,
        statuses: Statuses,
        ledger: Ledger,
        claims: Claims,
        context: BuildContext,
    ) -> None:
        self._world = world
        self._compiler = compiler
        self._children = children
        self._confirmations = confirmations
        self._statuses = statuses
        self._ledger = ledger
        self._claims = claims
        self._context = context
        self._assembled: dict[Key, _Assembled] = {}
        self._frames: dict[Key, tuple[_Basis, Frame]] = {}
        self._published: list[Callable[[MemberKind, Key], None]] = []

    def on_published(self, handler: Callable[[MemberKind, Key], None]) -> None:
        """Call `handler` with each changed member of a catalog once that has been applied."""
        self._published.append(handler)

    async def reconcile(self, request: Request) -> Result | None:
        """Bring one server up to date."""
        raw = self._world.servers.store.get(request)
        if raw is None or is_deleting(raw):
            self._assembled.pop(request, None)
            self._frames.pop(request, None)
            self._confirmations.forget(request)
            self._ledger.forget(request)
            self._children.forget(request)
            return None
        if holder := await self._claims.holder(raw):
            self._statuses.tell(
                raw,
                RUN_ELSEWHERE,
                f"the installation {holder} runs this server and is alive: "
                f"{self._claims.installation} leaves it alone",
            )
            return Result(requeue_after=PROBLEM_RETRY_SECONDS)
        try:
            server = self._world.parser.server(raw)
        except InvalidError as error:
            await self._refuse(raw, error)
            return None
        assembled = await self._assemble(request, server)
        around = self._world.surroundings(server.model, assembled.assembly.catalog)
        try:
            problem, failure = await self._apply(raw, server, assembled, around)
        except OwnerGoneError:
            return None  # its deletion, or what it keeps of its namespace, will bring us back
        self._tell_published(request, assembled)
        view = self._view(request, server, assembled, around, problem)
        if (wait := _grace_left(view)) > 0:
            return Result(requeue_after=wait)
        conditions = server_conditions(view)
        await self._summarise(raw, view, conditions)
        if any(c.type is ConditionType.PROGRAMMED and c.status for c in conditions):
            self._ledger.settle(request, assembled.assembly.whole)
        if failure is not None:
            raise failure
        return Result(requeue_after=PROBLEM_RETRY_SECONDS) if _incomplete(view) else None

    async def _assemble(self, key: Key, server: ParsedServer) -> _Assembled:
        members = tuple(
            [
                await self._compiler.compile(member)
                for kind in server.selectors
                for member in self._world.selected(server, kind)
            ]
        )
        known = self._assembled.get(key)
        if known and known.generation_of is server and _identical(known.members, members):
            return known
        assembly = build_catalog(server.model, members)
        if server.model.spec.effective_mode == "Direct":
            assembly = deliverable(assembly)
        before = {id(member) for member in known.members} if known else set()
        news = tuple(member for member in members if id(member) not in before)
        assembled = _Assembled(server, members, news, assembly, encode(assembly.catalog))
        self._assembled[key] = assembled
        return assembled

    async def _apply(
        self, raw: Object, server: ParsedServer, assembled: _Assembled, around: Surroundings
    ) -> tuple[Condition | None, ApiError | None]:
        """Return what to say of a failure, and the error to retry on, if there was one."""
        content: EncodedCatalog | Mapping[str, str] = assembled.encoded
        if server.model.spec.effective_mode == "Direct":
            files = direct_files(assembled.assembly.catalog)
            if (size := files_size(files)) > MAX_FILES_BYTES:
                return _too_large(size), None
            content = files
        frame = self._frame(key_of(raw), server, assembled, around)
        outcome = await self._children.apply(raw, desired_children(server.model, content, frame))
        if outcome.error is not None:
            if outcome.error.is_retryable:
                raise outcome.error
            return _failed(outcome.error), outcome.error
        if outcome.conflicts:
            message = "; ".join(outcome.conflicts)
            problem = Condition(
                ConditionType.PROGRAMMED, status=False, reason=Reason.CONFLICT, message=message
            )
            return problem, None
        return None, None

    def _tell_published(self, key: Key, assembled: _Assembled) -> None:
        if not assembled.news:
            return
        for member in assembled.news:
            for handler in self._published:
                handler(member.kind, member.key)
        self._assembled[key] = replace(assembled, news=())

    def _frame(
        self, key: Key, server: ParsedServer, assembled: _Assembled, around: Surroundings
    ) -> Frame:
        """Return all children but the catalog, built anew only if that makes a difference."""
        gateway = server.model.spec.effective_mode == "Gateway"
        basis = _Basis(
            server,
            shards=len(assembled.encoded.shards) if gateway else 0,
            secrets=frozenset(secret.name for secret in assembled.assembly.secrets),
            around=around,
        )
        known, frame = self._frames.get(key, (None, None))
        if frame is None or known != basis:
            frame = build_frame(
                server.model, basis.shards, basis.secrets, self._context, basis.around
            )
            self._frames[key] = basis, frame
        return frame

    def _view(
        self,
        key: Key,
        server: ParsedServer,
        assembled: _Assembled,
        around: Surroundings,
        problem: Condition | None,
    ) -> ServerView:
        pods = self._world.pods_of(key)
        ready = [pod for pod in pods if is_ready(pod)]
        index = assembled.encoded.index
        confirmed: Confirmed | None = None
        if server.model.spec.effective_mode == "Gateway":
            confirmed = self._confirmations.expect(key, index.digest, [_pod(pod) for pod in ready])
        deployment = Key(key.namespace, child_name(key.name))
        return ServerView(
            server=server.model,
            assembly=assembled.assembly,
            digest=index.digest,
            size=index.bytes,
            deployment=self._world.owned[DEPLOYMENTS].store.get(deployment),
            ready_pods=len(ready),
            failing=failing(pods),
            confirmed=confirmed,
            surroundings=around,
            problem=problem,
        )

    async def _summarise(
        self, raw: Object, view: ServerView, conditions: Sequence[Condition]
    ) -> None:
        current = raw.get("status") or {}
        fields = server_fields(view)
        unchanged = current.get("configHash") == view.digest
        fields[STATUS_FIELD] = self._claims.installation or None
        fields["lastSyncTime"] = current.get("lastSyncTime") if unchanged else self._statuses.now()
        await self._statuses.write(MCPSERVERS, raw, fields, conditions)

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
        await self._statuses.write(MCPSERVERS, raw, current, conditions)


def _identical(known: Sequence[Compiled], members: Sequence[Compiled]) -> bool:
    """Compare by identity: an unchanged member compiles to the identical object."""
    return len(known) == len(members) and all(
        one is other for one, other in zip(known, members, strict=True)
    )


def _pod(raw: Object) -> Pod:
    return Pod(uid_of(raw), raw["metadata"]["name"], raw["status"]["podIP"], MANAGEMENT_PORT)


def _incomplete(view: ServerView) -> bool:
    unconfirmed = view.confirmed is not None and bool(view.confirmed.missing)
    return view.problem is not None or unconfirmed or lacks_gateway_api(view)


def _grace_left(view: ServerView) -> float:
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


def _failed(error: ApiError) -> Condition:
    return Condition(
        ConditionType.PROGRAMMED,
        status=False,
        reason=Reason.APPLY_FAILED,
        message=f"the API server refused a child: {error}",
    )
