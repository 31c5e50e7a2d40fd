"""Objects that a server does not own are never written or deleted, whatever their names."""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from mcp_operator.api.shards import encode
from mcp_operator.builders import server_catalog
from mcp_operator.builders.labels import SERVER_LABEL, child_labels
from mcp_operator.builders.resources import (
    AUTOSCALERS,
    CHILDREN,
    CONFIGMAPS,
    DEPLOYMENTS,
    DISRUPTION_BUDGETS,
    HTTPROUTES,
    INGRESSES,
    NETWORKPOLICIES,
    ROLEBINDINGS,
    ROLES,
    SERVICEACCOUNTS,
    SERVICES,
)
from mcp_operator.controllers import mcpserver
from mcp_operator.core.meta import (
    Object,
    Resource,
    is_controlled_by,
    key_of,
    labels_of,
    owner_reference,
    uid_of,
)
from support.complete import GATEWAY
from support.namespace_cache import NamespaceCache
from support.operators import Operator
from support.shop import Shop
from support.waiting import eventually

LITTLE: Mapping[str, Any] = {
    "mode": "Direct",
    "image": "example.com/mcp:1",
    **dict.fromkeys(("autoscaling", "env", "httpRoute", "ingress", "networkPolicy")),
    "podDisruptionBudget": {"enabled": False},
}
"""A change of a spec that leaves as few children as possible."""

ALWAYS = (
    (SERVICEACCOUNTS, ""),
    (CONFIGMAPS, "-config"),
    (DEPLOYMENTS, ""),
    (SERVICES, ""),
)
"""The children that are left."""

_SELECTOR: Object = {"matchLabels": {"app": "theirs"}}
_ROLE: Object = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "theirs"}
_TARGET: Object = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "theirs"}
_POD: Object = {
    "metadata": {"labels": {"app": "theirs"}},
    "spec": {"containers": [{"name": "theirs", "image": "theirs"}]},
}
CONTENT: Mapping[Resource, Object] = {
    SERVICEACCOUNTS: {},
    NETWORKPOLICIES: {"spec": {"podSelector": {}}},
    ROLES: {"rules": []},
    ROLEBINDINGS: {"roleRef": _ROLE},
    CONFIGMAPS: {"data": {"a": "b"}},
    DEPLOYMENTS: {"spec": {"replicas": 0, "selector": _SELECTOR, "template": _POD}},
    AUTOSCALERS: {"spec": {"scaleTargetRef": _TARGET, "maxReplicas": 1}},
    DISRUPTION_BUDGETS: {"spec": {"selector": _SELECTOR}},
    SERVICES: {"spec": {"ports": [{"port": 1234}]}},
    INGRESSES: {"spec": {"defaultBackend": {"service": {"name": "x", "port": {"number": 1}}}}},
    HTTPROUTES: {"spec": {"hostnames": ["theirs.example.com"]}},
}
"""A minimal foreign object of each kind."""

CHANGED_BY_KUBERNETES = (DEPLOYMENTS, AUTOSCALERS, DISRUPTION_BUDGETS)
"""Kinds whose controllers write their statuses, which changes the resource version."""

OWNERS: Mapping[str, tuple[bool, Object | None]] = {
    "nobody": (False, None),
    "nobody, labeled as ours": (True, None),
    "somebody else": (False, {"apiVersion": "v1", "kind": "ConfigMap", "name": "somebody"}),
    # The API server does not serve this version, so the garbage collector deletes nothing.
    "a former server": (True, {"apiVersion": "mcp-operator.dev/v1alpha0", "kind": "MCPServer"}),
}
"""Owners of a conflicting object, and whether it has the operator's labels."""

Names = list[tuple[Resource, str]]


@dataclass(frozen=True)
class Foreign:
    """A foreign object with the name of a child of a server."""

    server: str
    resource: Resource
    name: str
    before: Object


@pytest.fixture
async def names(complete: Shop, cached: NamespaceCache) -> Names:
    """The resource and the name suffix of each child of a server.

    ServiceAccounts are left out, because the operator uses one that has no controller.
    """
    noise = "".join(hashlib.sha256(bytes([number])).hexdigest() for number in range(20))
    await complete.resource("noise", "red", content={"uri": "shop://noise", "text": noise})
    await cached.until(lambda: cached.get(CONFIGMAPS, "mcp-server-red-config-2") is not None)
    return [
        (resource, key_of(child).name.removeprefix("mcp-server-red"))
        for resource in CHILDREN
        for child in cached.list(resource)
        if labels_of(child).get(SERVER_LABEL) == "red" and resource != SERVICEACCOUNTS
    ]


@pytest.fixture(autouse=True)
def _small_shards_and_short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_catalog, "encode", functools.partial(encode, shard_bytes=400))
    monkeypatch.setattr(mcpserver, "PROBLEM_RETRY_SECONDS", 1.0)


@pytest.fixture
async def somebody(shop: Shop) -> Object:
    """An object that can own others."""
    return await shop.create("ConfigMap", "somebody")


async def put_in_the_way(
    shop: Shop, server: str, child: tuple[Resource, str], owner: str, somebody: Object
) -> Foreign:
    """Create an object with the name of a child of a server that does not exist yet."""
    resource, suffix = child
    labeled, reference = OWNERS[owner]
    name = f"mcp-server-{server}{suffix}"
    metadata: Object = {"name": name, "namespace": shop.namespace}
    if labeled:
        metadata["labels"] = child_labels(server, "Gateway")
    if reference:
        metadata["ownerReferences"] = [{**owner_reference(somebody), "name": server, **reference}]
    head = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata}
    before = await shop.client.create(resource, head | CONTENT[resource])
    return Foreign(server, resource, name, before)


async def is_untouched(shop: Shop, each: Foreign) -> bool:
    """Return whether an object is unchanged, and only Kubernetes has written to it."""
    raw = await shop.client.request("GET", each.resource.path(*shop.key(each.name)))
    after = json.loads(raw)
    managers = {entry["manager"] for entry in after["metadata"].get("managedFields", ())}
    kept = ["uid", "labels", "ownerReferences", "generation", "deletionTimestamp"]
    if each.resource not in CHANGED_BY_KUBERNETES:
        kept.append("resourceVersion")
    same = [after["metadata"].get(name) == each.before["metadata"].get(name) for name in kept]
    same += [after[name] == each.before[name] for name in CONTENT[each.resource]]
    return all(same) and managers <= {"mcp-operator-tests", "kube-controller-manager"}


def is_made(cached: NamespaceCache, each: Foreign, server: Object) -> bool:
    """Return whether the server's own child has replaced the foreign object."""
    child = cached.get(each.resource, each.name)
    return child is not None and is_controlled_by(child, server)


async def test_one_conflicting_object_is_reported_and_no_child_is_created(
    complete: Shop, names: Names, cached: NamespaceCache, somebody: Object
) -> None:
    """Otherwise pods could run as a foreign ServiceAccount, or an Ingress use a foreign Service."""
    shop = complete
    foreign = [
        await put_in_the_way(shop, f"server-{number}", child, owner, somebody)
        for number, (child, owner) in enumerate(zip(names, itertools.cycle(OWNERS), strict=False))
    ]
    made = {each.server: await shop.server(each.server, "red", **GATEWAY) for each in foreign}
    for each in foreign:
        said = await shop.wait_for_reason("MCPServer", each.server, "Programmed", "Conflict")
        assert f"{each.resource.kind} {shop.namespace}/{each.name} already exists and" in said
    for each in foreign:
        assert children(cached, made[each.server]) == [], each
        assert await is_untouched(shop, each), each


async def test_a_service_account_without_a_controller_is_used_unchanged_and_kept(
    shop: Shop, operator: Operator, somebody: Object
) -> None:
    account, theirs = (SERVICEACCOUNTS, ""), "somebody else"
    ours = [
        await put_in_the_way(shop, f"server-{number}", account, owner, somebody)
        for number, owner in enumerate(OWNERS)
        if OWNERS[owner][1] is None
    ]
    await put_in_the_way(shop, "owned", account, theirs, somebody)
    for each in ours:
        await shop.server(each.server)
        await shop.wait_for_reason("MCPServer", each.server, "Programmed", "NoReadyPods")
        await shop.delete("MCPServer", each.server)
    await shop.server("owned")
    await shop.wait_for_reason("MCPServer", "owned", "Programmed", "Conflict")
    await operator.settled(shop.client)
    for each in ours:
        assert await is_untouched(shop, each), each


def children(cached: NamespaceCache, server: Object) -> list[str]:
    """Return the kinds and names of the objects that a server owns."""
    return [
        f"{resource.kind} {key_of(child).name}"
        for resource in CHILDREN
        for child in cached.list(resource)
        if is_controlled_by(child, server)
    ]


async def test_every_conflicting_object_is_reported(
    complete: Shop, names: Names, somebody: Object
) -> None:
    shop = complete
    foreign = [await put_in_the_way(shop, "all", each, "nobody", somebody) for each in names]
    await shop.server("all", "red", **GATEWAY)
    said = await shop.wait_for_reason("MCPServer", "all", "Programmed", "Conflict")
    for each in foreign:
        assert f"{each.resource.kind} {shop.namespace}/{each.name}" in said


async def test_a_running_server_stays_unchanged_while_a_new_child_has_a_name_conflict(
    complete: Shop, cached: NamespaceCache, somebody: Object
) -> None:
    shop = complete
    await shop.server("plain", "red", mode="Gateway", image="example.com/gateway:1")
    await shop.wait_for_reason("MCPServer", "plain", "Programmed", "NoReadyPods")
    await put_in_the_way(shop, "plain", (INGRESSES, ""), "nobody", somebody)

    change = {"ingress": GATEWAY["ingress"], "image": "example.com/gateway:2"}
    await shop.patch("MCPServer", "plain", spec=change)

    await shop.wait_for_reason("MCPServer", "plain", "Programmed", "Conflict")
    assert has_image(cached, "example.com/gateway:1")

    await shop.client.delete(INGRESSES, shop.key("mcp-server-plain"))
    await cached.until(functools.partial(has_image, cached, "example.com/gateway:2"))


def has_image(cached: NamespaceCache, image: str) -> bool:
    """Return whether the pod template of the server `plain` has an image."""
    deployment = cached.get(DEPLOYMENTS, "mcp-server-plain")
    assert deployment is not None
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    return bool(container["image"] == image)


async def test_a_child_is_created_once_the_conflicting_object_is_deleted(
    complete: Shop, names: Names, cached: NamespaceCache, somebody: Object
) -> None:
    shop = complete
    servers: dict[str, Object] = {}
    foreign = [
        await put_in_the_way(shop, f"server-{number}", child, owner, somebody)
        for number, owner in enumerate(OWNERS)
        for child in names
    ]
    for each in foreign:
        if each.server not in servers:
            servers[each.server] = await shop.server(each.server, "red", **GATEWAY)
    for server in servers:
        await shop.wait_for_reason("MCPServer", server, "Programmed", "Conflict")
    for each in foreign:
        assert await is_untouched(shop, each), each
        await shop.client.delete(each.resource, shop.key(each.name))
    for each in foreign:
        await cached.until(functools.partial(is_made, cached, each, servers[each.server]))
    for server in servers:
        await shop.wait_for_reason("MCPServer", server, "Programmed", "NoReadyPods")


async def test_a_conflicting_object_is_kept_when_a_feature_is_removed_or_the_server_deleted(
    complete: Shop, names: Names, cached: NamespaceCache, somebody: Object
) -> None:
    """For each owner, one server conflicts in every child, one only in children of features."""
    shop = complete
    servers = {f"{kind}-{n}": owner for kind in ("all", "few") for n, owner in enumerate(OWNERS)}
    foreign = [
        await put_in_the_way(shop, server, child, owner, somebody)
        for server, owner in servers.items()
        for child in names
        if child != ALWAYS[-1] and not (server.startswith("few") and child in ALWAYS)
    ]
    for server in servers:
        await shop.server(server, "red", **GATEWAY)
    for server in servers:
        await shop.wait_for_reason("MCPServer", server, "Programmed", "Conflict")
        await shop.patch("MCPServer", server, spec=LITTLE)
    for server in servers:
        expected = "NotReported" if server.startswith("few") else "Conflict"
        await shop.wait_for_reason("MCPServer", server, "Programmed", expected)
        await eventually(functools.partial(mode, shop, server), "Direct")
    for each in foreign:
        assert await is_untouched(shop, each), each
    for server in servers:
        await shop.delete("MCPServer", server)
    for server in servers:
        made = functools.partial(cached.get, ALWAYS[-1][0], f"mcp-server-{server}")
        await cached.until(lambda made=made: made() is None)  # type: ignore[misc]
    for each in foreign:
        assert await is_untouched(shop, each), each


async def mode(shop: Shop, server: str) -> object:
    """Return the mode in a server's status."""
    return (await shop.get("MCPServer", server))["status"].get("mode")


async def test_a_child_without_its_owner_reference_and_label_is_left_unchanged(
    complete: Shop, names: Names
) -> None:
    shop = complete
    taken = []
    for resource, suffix in set(names) - set(ALWAYS):
        key = shop.key(f"mcp-server-red{suffix}")
        change = {"metadata": {"ownerReferences": None, "labels": {SERVER_LABEL: None}}}
        before = await shop.client.merge_patch(resource, key, change)
        taken.append((resource, key, before["metadata"]))
    await shop.wait_for_reason("MCPServer", "red", "Programmed", "Conflict")
    await shop.patch("MCPServer", "red", spec=LITTLE)
    await shop.wait_for_reason("MCPServer", "red", "Programmed", "NotReported")
    await shop.delete("MCPServer", "red")
    await shop.server("red", **GATEWAY)
    await shop.wait_for_reason("MCPServer", "red", "Programmed", "Conflict")
    for resource, key, before in taken:
        after = (await shop.client.get(resource, key))["metadata"]
        for field in ("uid", "generation", "labels", "ownerReferences"):
            assert after.get(field) == before.get(field), (resource, field)


async def test_a_recreated_server_gets_new_children_once_the_old_ones_are_deleted(
    complete: Shop, names: Names, cached: NamespaceCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mcpserver, "PROBLEM_RETRY_SECONDS", 1000.0)  # a retry would come too late
    shop = complete
    before = await shop.get("MCPServer", "red")
    await shop.delete("MCPServer", "red")
    after = await shop.server("red", **GATEWAY)
    assert uid_of(after) != uid_of(before)
    for resource, suffix in names:
        child = Foreign("red", resource, f"mcp-server-red{suffix}", {})
        await cached.until(functools.partial(is_made, cached, child, after))
    await shop.wait_for_reason("MCPServer", "red", "Programmed", "NoReadyPods")
