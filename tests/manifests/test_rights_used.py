"""The operator's rights are those it uses: the roles against the API server's audit log.

A process of the operator runs with the token of a ServiceAccount that is bound to nothing but the
roles of the manifests, while everything happens to its objects that makes it use a right.
"""

from __future__ import annotations

import asyncio
import base64
import functools
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mcp_operator.api.reasons import Reason
from mcp_operator.builders.names import child_name, config_name
from mcp_operator.builders.resources import CHILDREN, CONFIGMAPS
from mcp_operator.core.meta import Object
from mcp_operator.runtime.client import Client
from support import gateway_api
from support.bound_rights import BoundRights
from support.controlplane import Cluster
from support.installations import Build
from support.kubeconfigs import write_account_kubeconfig
from support.operator_process import OperatorProcess
from support.rights import Right, denied, used
from support.shop import KINDS, Shop
from support.waiting import eventually

UNLOGGED = {Right("mcp-operator.dev", "mcpservers/finalizers", "update")}
"""Asked for by an admission plugin, not by a request that would be logged; the second test shows
that it is needed."""

SELECTING = {"matchLabels": {"team": "red"}}

EVERY_CHILD: Object = {
    "promptSelector": SELECTING,
    "resourceSelector": SELECTING,
    "autoscaling": {"maxReplicas": 3},
    "httpRoute": {"parentRefs": [{"name": "public"}]},
    "ingress": {"host": "shop.example.com"},
    "networkPolicy": {"mode": "Full"},
    "podDisruptionBudget": {"maxUnavailable": 1},
}
"""What makes a server have a child of every kind."""

FEWEST_CHILDREN: Object = {
    "mode": "Direct",
    "image": "example.com/server:1",
    "autoscaling": None,
    "httpRoute": None,
    "ingress": None,
    "networkPolicy": {"mode": "Disabled"},
    "podDisruptionBudget": None,
}

LARGE = base64.b64encode(random.Random(4).randbytes(600_000)).decode()  # noqa: S311 - a filling
"""Text that cannot be compressed: two of them do not fit into one ConfigMap."""


class Stage:
    """A namespace with the operator, which has no rights but those of the manifests."""

    def __init__(self, shop: Shop, admin: Path, log: Path, kubeconfig: Path) -> None:
        self.shop = shop
        self._admin = admin
        self._log = log
        self._kubeconfig = kubeconfig
        self._operator: OperatorProcess | None = None
        self.rights = BoundRights([], shop.namespace)

    async def start(self, rights: BoundRights, watched: str) -> None:
        """Run the operator for one namespace, or for all, and wait until it is ready."""
        await (await self.launch(rights, watched)).ready()

    async def launch(self, rights: BoundRights, watched: str) -> OperatorProcess:
        """Run the operator, ready or not."""
        client, namespace = self.shop.client, self.shop.namespace
        self.rights = rights
        await rights.apply(client)
        await write_account_kubeconfig(
            self._kubeconfig, client, self._admin, namespace, rights.account
        )
        flags = ("--lease-namespace", namespace, "--identity", "one")
        self._operator = OperatorProcess(self._kubeconfig, watched, *flags)
        return self._operator

    async def stop(self) -> None:
        """End the operator and take its rights."""
        if self._operator is not None:
            await asyncio.to_thread(self._operator.stop)
            await self.rights.remove(self.shop.client)
            self._operator = None

    async def used(self) -> set[Right]:
        """Return which rights have been used."""
        return await asyncio.to_thread(used, self._log, self.rights.user)

    async def denied(self) -> list[str]:
        """Return what was asked for in vain."""
        return await asyncio.to_thread(denied, self._log, self.rights.user)

    async def uses(self, *rights: Right) -> None:
        """Wait until rights have been used."""

        async def unused() -> set[Right]:
            return set(rights) - await self.used()

        await eventually(unused, set())


@pytest.fixture
async def stage(
    control_plane: Cluster, client: Client, namespace: str, crds_installed: None, tmp_path: Path
) -> AsyncIterator[Stage]:
    """A namespace for the operator, which is to be started yet."""
    if control_plane.audit_log is None:
        pytest.skip("the cluster is not ours, so there is no audit log to read")
    if not control_plane.has_controllers:
        pytest.skip("without kube-controller-manager no object goes with its owner")
    stage = Stage(
        Shop(client, namespace),
        control_plane.kubeconfig,
        control_plane.audit_log,
        tmp_path / "kubeconfig",
    )
    await gateway_api.install(client)
    yield stage
    await stage.stop()


async def furnish(shop: Shop) -> None:
    """Make objects of all kinds that refer to everything that can be referred to."""
    await shop.service()
    await shop.create("Secret", "token", stringData={"token": "secret"})
    await shop.create("ConfigMap", "texts", data={"manual": "Press the button."})
    credentials = {"type": "Bearer", "secretRef": {"name": "token", "key": "token"}}
    await shop.tool("search", "red", request={"credentials": credentials})
    await shop.prompt("greeting", "red")
    source = {"uri": "shop://manual", "configMapKeyRef": {"name": "texts", "key": "manual"}}
    await shop.resource("manual", "red", contentFrom=source, content=None)
    for number in ("one", "two"):
        await shop.resource(number, "red", content={"uri": f"shop://{number}", "text": LARGE})
    await shop.server("red", **EVERY_CHILD)


async def squat(shop: Shop) -> None:
    """Make strangers' objects that have the names of another server's children."""
    for resource in CHILDREN:
        name = config_name("red") if resource == CONFIGMAPS else child_name("red")
        live = await shop.client.get(resource, shop.key(name))
        body = {key: value for key, value in live.items() if key not in {"metadata", "status"}}
        for assigned in ("clusterIP", "clusterIPs"):
            body.get("spec", {}).pop(assigned, None)
        metadata = {"name": name.replace("red", "blue"), "namespace": shop.namespace}
        await shop.client.create(resource, body | {"metadata": metadata})


async def lose_and_find(shop: Shop) -> None:
    """Make the same thing happen twice, which the second time is told in the first's Event."""
    for _ in range(2):
        await shop.label("MCPTool", "search", "nobody")
        await shop.told("MCPTool", "search", "Ready", Reason.NOT_SELECTED)
        await shop.label("MCPTool", "search", "red")
        await shop.told("MCPTool", "search", "Ready", Reason.SERVER_NOT_PROGRAMMED)


@pytest.mark.parametrize("way", ["base", "components/namespaced-rbac"])
async def test_all_rights_are_used_and_none_is_missing(
    stage: Stage, build: Build, way: str
) -> None:
    shop = stage.shop
    rights = BoundRights(build(way, shop.namespace), shop.namespace)
    await stage.start(rights, "" if way == "base" else shop.namespace)
    await furnish(shop)
    everything = {"search", "greeting", "manual", "one", "two"}
    await eventually(functools.partial(served, shop), everything)
    await squat(shop)
    await shop.server("blue", team="red", **EVERY_CHILD)
    await stage.uses(*(Right(kind.group, kind.plural, "get") for kind in CHILDREN))
    await lose_and_find(shop)
    await shop.delete("MCPResource", "two")
    await stage.uses(Right("", "configmaps", "delete"))
    await shop.patch("MCPServer", "red", spec=FEWEST_CHILDREN)
    await stage.uses(Right("rbac.authorization.k8s.io", "rolebindings", "delete"))
    await stage.stop()
    assert await stage.denied() == []
    unused = rights.rights - await stage.used()
    assert sorted(unused - UNLOGGED - fallbacks(rights.rights)) == []


def fallbacks(rights: set[Right]) -> set[Right]:
    """Return the lists that stand in where the API server cannot stream one (KEP-3157)."""
    return {right._replace(verb="list") for right in rights if right.verb == "watch"}


async def test_without_the_right_to_finalizers_nothing_is_made(stage: Stage, build: Build) -> None:
    namespace = stage.shop.namespace
    rights = BoundRights(build("base", namespace), namespace)
    rights.without("mcpservers/finalizers")
    await stage.start(rights, namespace)
    await stage.shop.server("red")
    await stage.shop.told("MCPServer", "red", "Programmed", Reason.APPLY_FAILED)
    assert any("cannot set blockOwnerDeletion" in line for line in await stage.denied())


async def test_a_right_that_is_missing_is_told_by_name_and_waited_for(
    stage: Stage, build: Build
) -> None:
    namespace = stage.shop.namespace
    rights = BoundRights(build("base", namespace), namespace)
    rights.without("poddisruptionbudgets")
    operator = await stage.launch(rights, namespace)

    async def told() -> bool:
        return 'cannot watch resource \\"poddisruptionbudgets\\"' in operator.log()

    await eventually(told, expected=True)
    assert not await operator.is_ready()
    rule = {"apiGroups": ["policy"], "resources": ["poddisruptionbudgets"], "verbs": ["watch"]}
    await rights.grant(stage.shop.client, rule)
    await operator.ready()


async def test_another_installation_is_looked_at_before_its_server_is_taken_over(
    stage: Stage, build: Build
) -> None:
    namespace = stage.shop.namespace
    await stage.shop.server("red")
    claim = {"status": {"operator": "default/no-such-lease"}}
    await stage.shop.client.merge_patch(
        KINDS["MCPServer"], stage.shop.key("red"), claim, subresource="status"
    )
    await stage.start(BoundRights(build("base", namespace), namespace), "")
    await stage.uses(Right("", "services", "create"))
    assert await stage.denied() == []


async def served(shop: Shop) -> set[str]:
    return set(await shop.served("red") or ())
