"""An operator for a few of many namespaces, with the permissions of the chart."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from mcp_operator.api.reasons import Reason
from mcp_operator.builders.resources import DEPLOYMENTS, SECRETS
from mcp_operator.core.meta import Key, Object
from mcp_operator.runtime.client import Client
from support import gateway_api
from support.connected import NAMESPACES, own_namespace
from support.controlplane import Cluster
from support.helm import Library
from support.kubeconfigs import write_account_kubeconfig
from support.operator_account import OperatorAccount
from support.operator_process import OperatorProcess
from support.permissions import Permission, denied, granted
from support.reviews import allowed_in
from support.shop import Shop
from support.waiting import eventually

MANY = 10

CHOSEN = 3


class Installed:
    """An operator process with the account and the settings of a release of the chart.

    Attributes:
        shops: All namespaces; the operator watches some of them.
    """

    def __init__(self, shops: list[Shop], helm: Library, cluster: Cluster, folder: Path) -> None:
        self.shops = shops
        self._helm = helm
        self._cluster = cluster
        self._folder = folder
        self._stop = AsyncExitStack()
        self.home = shops[-1].namespace

    async def install(self, values: Object) -> OperatorAccount:
        """Create the account and the roles, run the operator with them, and wait until ready."""
        rendered = self._helm.render(values, namespace=self.home)
        account = OperatorAccount(rendered.objects, self.home)
        client = self.shops[0].client
        await account.apply(client)
        self._stop.push_async_callback(account.remove, client)
        path = self._folder / "kubeconfig"
        await write_account_kubeconfig(
            path, client, self._cluster.kubeconfig, self.home, account.name
        )
        env = {name: value for name, value in rendered.settings.items() if "NAMESPACE" in name}
        process = OperatorProcess(path, "", "--identity", "one", env=env)
        self._stop.push_async_callback(asyncio.to_thread, process.stop)
        await process.ready()
        return account

    async def uninstall(self) -> None:
        """Stop the operator and delete its account."""
        await self._stop.aclose()

    async def denied(self, account: OperatorAccount) -> list[str]:
        """Return a line for each request that was forbidden."""
        assert self._cluster.audit_log is not None
        return await asyncio.to_thread(denied, self._cluster.audit_log, account.user)


@pytest.fixture
async def installed(
    control_plane: Cluster, client: Client, crds_installed: None, helm4: Library, tmp_path: Path
) -> AsyncIterator[Installed]:
    """Ten namespaces, each with a server that has one tool, and an operator to install."""
    if control_plane.audit_log is None:
        pytest.skip("an existing cluster has no audit log that the test can read")
    await gateway_api.install(client)
    async with AsyncExitStack() as stack:
        shops = [await stack.enter_async_context(own_namespace(client)) for _ in range(MANY)]
        for shop in shops:
            await shop.service()
            await shop.create("Secret", "token", stringData={"token": "secret"})
            credentials = {"type": "Bearer", "secretRef": {"name": "token", "key": "token"}}
            await shop.tool("search", "red", request={"credentials": credentials})
            await shop.server("red")
        installed = Installed(shops, helm4, control_plane, tmp_path)
        yield installed
        await installed.uninstall()


async def label(shop: Shop, value: str | None) -> None:
    """Label the namespace of a shop."""
    change = {"metadata": {"labels": {"mcp": value}}}
    await shop.client.merge_patch(NAMESPACES, Key("", shop.namespace), change)


async def is_served(shop: Shop, **tools: str) -> None:
    """Wait until the server has all its children and the expected catalog."""
    await eventually(functools.partial(shop.served, "red"), tools or {"search": "first"})
    await eventually(functools.partial(shop.replicas, "red"), 1)
    await shop.wait_for_reason("MCPTool", "search", "Ready", Reason.SERVER_NOT_PROGRAMMED)


async def is_untouched(shop: Shop) -> None:
    """Check that the operator has written nothing in a namespace."""
    assert await shop.find(DEPLOYMENTS, "mcp-server-red") is None
    for kind, name in (("MCPTool", "search"), ("MCPServer", "red")):
        assert (await shop.get(kind, name))["status"] == {
            "observedGeneration": -1
        }  # the default of the CRD


async def test_with_named_namespaces_the_operator_has_access_to_no_other(
    installed: Installed,
) -> None:
    chosen, others = installed.shops[:CHOSEN], installed.shops[CHOSEN:]
    account = await installed.install({"watchNamespaces": [shop.namespace for shop in chosen]})
    for shop in chosen:
        await is_served(shop)
        await shop.patch("MCPTool", "search", spec={"description": "second"})
        await is_served(shop, search="second")
        await shop.delete("MCPTool", "search")
        await eventually(functools.partial(shop.served, "red"), {})
    for shop in others:
        await is_untouched(shop)
    assert await installed.denied(account) == []

    client = installed.shops[0].client
    everything = account.permissions
    leases = {each for each in everything if each.resource == "leases"}
    for shop in chosen:
        allowed = await allowed_in(client, shop.namespace, account.user, everything)
        assert allowed == everything - {each for each in leases if each.verb != "get"}
    for shop in others:
        allowed = await allowed_in(client, shop.namespace, account.user, everything)
        own = {each for each in leases if each.verb == "create"}  # other verbs only for one name
        assert allowed == (own if shop.namespace == installed.home else set())
    assert await allowed_in(client, "", account.user, everything) == set()


async def test_namespaces_are_added_and_removed_by_label_while_the_operator_runs(
    installed: Installed,
) -> None:
    first, second, *others = installed.shops
    await label(first, "yes")
    account = await installed.install({"watchNamespaceSelector": {"matchLabels": {"mcp": "yes"}}})
    await is_served(first)
    await is_untouched(second)

    await label(second, "yes")
    await is_served(second)

    await label(first, None)
    await second.tool("more", "red")
    await is_served(second, search="first", more="first")
    await first.patch("MCPTool", "search", spec={"description": "second"})
    await second.patch("MCPTool", "search", spec={"description": "second"})
    await is_served(second, search="second", more="first")
    assert await first.served("red") == {"search": "first"}
    await eventually(functools.partial(first.replicas, "red"), 1)
    assert await first.find(SECRETS, "mcp-server-red-keys") is not None

    await label(first, "yes")
    await is_served(first, search="second")
    for shop in others:
        await is_untouched(shop)
    assert await installed.denied(account) == []


def test_with_named_namespaces_the_release_namespace_has_only_the_role_for_leases(
    helm4: Library,
) -> None:
    rendered = helm4.render({"watchNamespaces": ["a", "b"]}, namespace="home")
    of_home = [
        role["rules"] for role in rendered.of("Role") if role["metadata"]["namespace"] == "home"
    ]
    assert [{each.resource for each in granted(rules)} for rules in of_home] == [{"leases"}]
    assert Permission("", "namespaces", "list") not in {
        each for role in rendered.of("Role") for each in granted(role["rules"])
    }
