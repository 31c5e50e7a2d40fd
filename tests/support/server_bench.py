"""A cluster with a server, its reconciler, and pods whose responses a test sets."""

from __future__ import annotations

import asyncio
import base64
from datetime import UTC, datetime

from mcp_operator.api.catalog import Catalog
from mcp_operator.api.shards import INDEX_KEY, SHARD_KEY, Index, decode
from mcp_operator.api.v1alpha1 import MCPSERVERS
from mcp_operator.api.v1alpha1.serverstatus import MCPServerStatus
from mcp_operator.builders.context import BuildContext
from mcp_operator.builders.labels import child_labels
from mcp_operator.builders.resources import CONFIGMAPS
from mcp_operator.controllers.children import ChildrenApplier
from mcp_operator.controllers.compiler import Compiler
from mcp_operator.controllers.confirmations import Answer, AskError, Confirmations, Pod
from mcp_operator.controllers.confirmed_objects import ConfirmedObjects
from mcp_operator.controllers.installation_leases import InstallationLeases
from mcp_operator.controllers.long_work import LongWork
from mcp_operator.controllers.mcpserver import (
    CONFIRM_GRACE_SECONDS,
    MCPServerReconciler,
)
from mcp_operator.controllers.recorder import EventRecorder
from mcp_operator.controllers.reference_reader import ReferenceReader
from mcp_operator.controllers.server_keys import ServerKeys
from mcp_operator.controllers.status_reporter import StatusReporter
from mcp_operator.core.meta import Key, Object, Resource
from mcp_operator.runtime.apply import Applier
from mcp_operator.runtime.errors import ApiError
from mcp_operator.runtime.scope import Scope
from mcp_operator.runtime.status import StatusWriter
from support.cached_cluster import CachedCluster

SHOP = Key("demo", "shop")
CONFIG = Key("demo", "mcp-server-shop-config")
DIRECT = {"mode": "Direct", "image": "example/mcp:1"}
LOGIN = {"credentials": {"type": "Bearer", "secretRef": {"name": "login"}}}
FORBIDDEN = ApiError(403, "Forbidden", "denied by policy")


class Noon:
    def now(self) -> datetime:
        return datetime(2026, 1, 1, 12, tzinfo=UTC)


class Bench:
    """A cluster with a server, its reconciler, and pods whose responses the test sets."""

    def __init__(self, scope: Scope | None = None) -> None:
        self.cluster = CachedCluster(scope)
        self.cluster.service()
        self.cluster.server()
        self.serves: str | None = None
        self.lacks = ""
        self.redis: str | None = None
        cache = self.cluster.cache
        self.confirmed_objects = ConfirmedObjects()
        long_work = LongWork()
        self.compiler = Compiler(cache.parser, ReferenceReader(self.cluster, cache), LongWork())
        self.confirmations = Confirmations(self.ask)
        recorder = EventRecorder(self.cluster, controller="c", instance="i", clock=Noon())
        self.reconciler = MCPServerReconciler(
            cache=cache,
            compiler=self.compiler,
            long_work=long_work,
            children=ChildrenApplier(
                cache, Applier(self.cluster, hash_annotation="hash"), self.cluster
            ),
            confirmations=self.confirmations,
            reporter=StatusReporter(StatusWriter(self.cluster), recorder, Noon()),
            confirmed_objects=self.confirmed_objects,
            keys=ServerKeys(self.cluster),
            installations=InstallationLeases(self.cluster, Noon(), installation=""),
            context=BuildContext(gateway_image="example/gateway:1"),
        )

    async def ask(self, pod: Pod, digest: str) -> Answer:
        """Respond for a pod with the requested catalog, or with the one that the test sets."""
        if self.serves == "nothing":
            raise AskError("cannot be reached")
        return Answer(self.serves or digest, self.lacks, self.redis)

    async def reconcile(self) -> float | None:
        """Reconcile; return the seconds until the next reconciliation."""
        result = await self.reconciler.reconcile(SHOP)
        if (MCPSERVERS, SHOP) in self.cluster.objects:
            MCPServerStatus.model_validate(self.status)
        return result.requeue_after if result else None

    async def settled(self) -> None:
        """Reconcile, let the pods respond, and reconcile again."""
        await self.reconcile()
        await asyncio.sleep(CONFIRM_GRACE_SECONDS)
        await self.reconcile()

    def pod(self, name: str = "pod-1", *, ready: bool = True) -> None:
        conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
        self.cluster.put(
            "Pod",
            name,
            metadata={"labels": child_labels("shop", "Gateway")},
            status={"podIP": "10.0.0.1", "conditions": conditions},
        )

    def available(self) -> None:
        """Set the status of the Deployment to available."""
        conditions = [{"type": "Available", "status": "True"}]
        status = {"conditions": conditions, "replicas": 1, "readyReplicas": 1}
        self.cluster.put("Deployment", "mcp-server-shop", status=status)

    @property
    def status(self) -> Object:
        return self.cluster.status("MCPServer", "shop")

    def reason(self, type_: str) -> tuple[str, str]:
        status, reason, _ = self.cluster.conditions("MCPServer", "shop")[type_]
        return status, reason

    def child(self, resource: Resource, key: Key = CONFIG) -> Object:
        return self.cluster.objects[resource, key]

    def shards(self) -> list[str]:
        found = (key.name for resource, key in self.cluster.objects if resource == CONFIGMAPS)
        return sorted(name for name in found if name.startswith(CONFIG.name))

    def catalog(self) -> Catalog:
        """Read the catalog from its ConfigMaps."""
        names = self.shards()
        index = Index.model_validate_json(self.child(CONFIGMAPS)["data"][INDEX_KEY])
        raw = [self.child(CONFIGMAPS, Key("demo", name))["binaryData"][SHARD_KEY] for name in names]
        return decode(index, [base64.b64decode(shard) for shard in raw])

    def refuse(self, resource: Resource, verb: str, error: ApiError = FORBIDDEN) -> None:
        """Refuse writes of a resource from now on."""

        def refuse(which: str, obj: Object) -> None:
            if which == verb and obj["kind"] == resource.kind:
                raise error

        self.cluster.on_write = refuse
