"""The roles grant exactly the permissions that the operator uses, as the audit log shows.

An operator process runs with the token of a ServiceAccount that is bound only to the roles of the
manifests, while the test causes every action that needs a permission.
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
from mcp_operator.builders.resources import (
    CHILDREN,
    CONFIGMAPS,
    DEPLOYMENTS,
    SERVICEACCOUNTS,
    SERVICES,
)
from mcp_operator.core.meta import Object, Resource, uid_of
from mcp_operator.runtime.client import Client
from support import gateway_api
from support.controlplane import Cluster
from support.installations import Build
from support.kubeconfigs import write_account_kubeconfig
from support.operator_account import OperatorAccount
from support.operator_process import OperatorProcess
from support.permissions import Permission, denied, used
from support.shop import KINDS, Shop
from support.waiting import eventually

UNLOGGED = {
    Permission("mcp-operator.dev", "mcpservers/finalizers", "update"),
    Permission("", "serviceaccounts", "delete"),
    Permission("", "services", "delete"),
    Permission("apps", "deployments", "delete"),
}
"""Permissions that an admission plugin checks without a logged request; two tests show that they
are needed."""

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
"""A spec with which a server has a child of every kind."""

FEWEST_CHILDREN: Object = {
    "mode": "Direct",
    "image": "example.com/server:1",
    "autoscaling": None,
    "httpRoute": None,
    "ingress": None,
    "networkPolicy": {"mode": "Disabled"},
    "podDisruptionBudget": None,
}

LARGE = base64.b64encode(random.Random(4).randbytes(600_000)).decode()  # noqa: S311 - only data
"""Text that does not compress: two of them do not fit into one ConfigMap."""


class RestrictedOperator:
    """A namespace and an operator that has only the permissions of the manifests."""

    def __init__(self, shop: Shop, admin: Path, log: Path, kubeconfig: Path) -> None:
        self.shop = shop
        self._admin = admin
        self._log = log
        self._kubeconfig = kubeconfig
        self._operator: OperatorProcess | None = None
        self.account = OperatorAccount([], shop.namespace)

    async def start(self, account: OperatorAccount, watched: str) -> None:
        """Run the operator for one namespace, or for all, and wait until it is ready."""
        await (await self.launch(account, watched)).ready()

    async def launch(self, account: OperatorAccount, watched: str) -> OperatorProcess:
        """Run the operator without waiting until it is ready."""
        client, namespace = self.shop.client, self.shop.namespace
        self.account = account
        await account.apply(client)
        await write_account_kubeconfig(
            self._kubeconfig, client, self._admin, namespace, account.name
        )
        flags = ("--lease-namespace", namespace, "--identity", "one")
        self._operator = OperatorProcess(self._kubeconfig, watched, *flags)
        return self._operator

    async def stop(self) -> None:
        """Stop the operator and delete its account."""
        if self._operator is not None:
            await asyncio.to_thread(self._operator.stop)
            await self.account.remove(self.shop.client)
            self._operator = None

    async def used(self) -> set[Permission]:
        """Return the permissions that have been used."""
        return await asyncio.to_thread(used, self._log, self.account.user)

    async def denied(self) -> list[str]:
        """Return a line for each request that was forbidden."""
        return await asyncio.to_thread(denied, self._log, self.account.user)

    async def uses(self, *permissions: Permission) -> None:
        """Wait until some permissions have been used; fail if a request was forbidden."""

        async def unused() -> set[Permission]:
            assert await self.denied() == []
            return set(permissions) - await self.used()

        await eventually(unused, set())


@pytest.fixture
async def restricted(
    control_plane: Cluster, client: Client, namespace: str, crds_installed: None, tmp_path: Path
) -> AsyncIterator[RestrictedOperator]:
    """A namespace, and an operator that the test starts."""
    if control_plane.audit_log is None:
        pytest.skip("an existing cluster has no audit log that the test can read")
    if not control_plane.has_controllers:
        pytest.skip("without kube-controller-manager no object is deleted with its owner")
    restricted = RestrictedOperator(
        Shop(client, namespace),
        control_plane.kubeconfig,
        control_plane.audit_log,
        tmp_path / "kubeconfig",
    )
    await gateway_api.install(client)
    yield restricted
    await restricted.stop()


async def create_objects(shop: Shop) -> None:
    """Create objects of all kinds, with every reference that they can have."""
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


async def delete_child(child: Resource, shop: Shop) -> None:
    """Delete a child of the server `red`, and wait until it is recreated."""
    key = shop.key(child_name("red"))
    before = await shop.client.get(child, key)
    await shop.client.delete(child, key)

    async def is_recreated() -> bool:
        live = await shop.find(child, key.name)
        return live is not None and uid_of(live) != uid_of(before)

    await eventually(is_recreated, expected=True)


async def take_names(shop: Shop) -> None:
    """Create objects with the names of the children that the server `blue` will have."""
    for resource in CHILDREN:
        name = config_name("red") if resource == CONFIGMAPS else child_name("red")
        live = await shop.client.get(resource, shop.key(name))
        body = {key: value for key, value in live.items() if key not in {"metadata", "status"}}
        for assigned in ("clusterIP", "clusterIPs"):
            body.get("spec", {}).pop(assigned, None)
        metadata = {"name": name.replace("red", "blue"), "namespace": shop.namespace}
        await shop.client.create(resource, body | {"metadata": metadata})


async def unselect_twice(shop: Shop) -> None:
    """Let a tool lose and get its label twice, so that an Event is updated with a count."""
    for _ in range(2):
        await shop.label("MCPTool", "search", "nobody")
        await shop.wait_for_reason("MCPTool", "search", "Ready", Reason.NOT_SELECTED)
        await shop.label("MCPTool", "search", "red")
        await shop.wait_for_reason("MCPTool", "search", "Ready", Reason.SERVER_NOT_PROGRAMMED)


@pytest.mark.parametrize("way", ["base", "components/namespaced-rbac"])
async def test_every_granted_permission_is_used_and_no_request_is_forbidden(
    restricted: RestrictedOperator, build: Build, way: str
) -> None:
    shop = restricted.shop
    account = OperatorAccount(build(way, shop.namespace), shop.namespace)
    await restricted.start(account, "" if way == "base" else shop.namespace)
    await create_objects(shop)
    everything = {"search", "greeting", "manual", "one", "two"}
    await eventually(functools.partial(served, shop), everything)
    await restricted.uses(Permission("", "secrets", "create"))
    for child in (DEPLOYMENTS, SERVICES):  # after the first, the operator compares the others
        await delete_child(child, shop)
    await restricted.uses(Permission("mcp-operator.dev", "mcpservers", "get"))
    await orphan_child(DEPLOYMENTS, shop)
    await take_names(shop)
    await shop.server("blue", team="red", **EVERY_CHILD)
    await restricted.uses(*(Permission(kind.group, kind.plural, "get") for kind in CHILDREN))
    await unselect_twice(shop)
    await shop.delete("MCPResource", "two")
    await restricted.uses(Permission("", "configmaps", "delete"))
    await shop.patch("MCPServer", "red", spec=FEWEST_CHILDREN)
    await restricted.uses(Permission("rbac.authorization.k8s.io", "rolebindings", "delete"))
    await restricted.stop()
    assert await restricted.denied() == []
    unused = account.permissions - await restricted.used()
    assert sorted(unused - UNLOGGED - fallbacks(account.permissions)) == []


def fallbacks(permissions: set[Permission]) -> set[Permission]:
    """Return the list permissions that are needed if the API server cannot stream lists."""
    return {
        permission._replace(verb="list") for permission in permissions if permission.verb == "watch"
    }


async def test_nothing_is_created_without_the_permission_to_update_finalizers(
    restricted: RestrictedOperator, build: Build
) -> None:
    namespace = restricted.shop.namespace
    account = OperatorAccount(build("base", namespace), namespace)
    account.without("mcpservers/finalizers")
    await restricted.start(account, namespace)
    await restricted.shop.server("red")
    await restricted.shop.wait_for_reason("MCPServer", "red", "Programmed", Reason.APPLY_FAILED)
    assert any("cannot set blockOwnerDeletion" in line for line in await restricted.denied())


async def test_no_child_is_adopted_without_the_permission_to_delete_it(
    restricted: RestrictedOperator, build: Build
) -> None:
    shop, namespace = restricted.shop, restricted.shop.namespace
    lasting = (SERVICEACCOUNTS, SERVICES, DEPLOYMENTS)
    account = OperatorAccount(build("base", namespace), namespace)
    account.forbid("delete", *(each.plural for each in lasting))
    await restricted.start(account, namespace)
    await shop.server("red")
    await shop.wait_for_reason("MCPServer", "red", "Programmed", Reason.NO_READY_PODS)
    for resource in reversed(lasting):
        await orphan_child(resource, shop)
        await eventually(
            functools.partial(was_forbidden_to_adopt, restricted, resource), expected=True
        )
    await shop.wait_for_reason("MCPServer", "red", "Programmed", Reason.APPLY_FAILED)


async def was_forbidden_to_adopt(restricted: RestrictedOperator, resource: Resource) -> bool:
    """Return whether a request that sets the owner of an object of a kind was forbidden."""
    lines = await restricted.denied()
    return any(f"/{resource.plural}/" in line and "you can't delete" in line for line in lines)


async def orphan_child(resource: Resource, shop: Shop) -> None:
    """Remove the owner reference from a child of the server `red`."""
    change = {"metadata": {"ownerReferences": None}}
    await shop.client.merge_patch(resource, shop.key(child_name("red")), change)


async def test_a_missing_permission_is_logged_and_the_operator_waits_for_it(
    restricted: RestrictedOperator, build: Build
) -> None:
    namespace = restricted.shop.namespace
    account = OperatorAccount(build("base", namespace), namespace)
    account.without("poddisruptionbudgets")
    operator = await restricted.launch(account, namespace)

    async def is_logged() -> bool:
        return 'cannot watch resource \\"poddisruptionbudgets\\"' in operator.log()

    await eventually(is_logged, expected=True)
    assert not await operator.is_ready()
    rule = {"apiGroups": ["policy"], "resources": ["poddisruptionbudgets"], "verbs": ["watch"]}
    await account.grant(restricted.shop.client, rule)
    await operator.ready()


async def test_the_operator_can_read_the_lease_of_another_installation_and_take_over(
    restricted: RestrictedOperator, build: Build
) -> None:
    namespace = restricted.shop.namespace
    await restricted.shop.server("red")
    claim = {"status": {"operator": "default/no-such-lease"}}
    await restricted.shop.client.merge_patch(
        KINDS["MCPServer"], restricted.shop.key("red"), claim, subresource="status"
    )
    await restricted.start(OperatorAccount(build("base", namespace), namespace), "")
    await restricted.uses(Permission("", "services", "create"))
    assert await restricted.denied() == []


async def served(shop: Shop) -> set[str]:
    return set(await shop.served("red") or ())
