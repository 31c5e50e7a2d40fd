"""Children without an owner, after an orphaning deletion or a restore, are adopted again."""

from __future__ import annotations

import functools
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from faults.end_state import differences, end_state
from mcp_operator.api.v1alpha1 import MCPSERVERS
from mcp_operator.builders.labels import SERVER_LABEL
from mcp_operator.builders.names import child_name, keys_name
from mcp_operator.builders.resources import CHILDREN, INGRESSES, SECRETS, SERVICES
from mcp_operator.core.meta import Object, Resource, is_controlled_by, key_of, labels_of, uid_of
from mcp_operator.runtime.errors import ApiError
from support.complete import GATEWAY
from support.controlplane import Cluster
from support.namespace_cache import NamespaceCache
from support.operators import Operator, running_operator
from support.shop import KINDS, Shop
from support.waiting import eventually

ORPHAN = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Orphan"}

REPLACED = ("uid", "resourceVersion", "generation", "creationTimestamp", "ownerReferences")
"""Metadata that Velero does not restore (velero, pkg/restore/restore.go, resetMetadata)."""

Saved = list[tuple[Resource, Object]]


def children(cached: NamespaceCache, server: str) -> Iterator[Object]:
    """Yield the objects that have the label of a server's children, whatever owns them."""
    for resource in CHILDREN:
        for obj in cached.list(resource):
            if labels_of(obj).get(SERVER_LABEL) == server:
                yield obj


def uids(cached: NamespaceCache, server: str) -> dict[str, str]:
    return {f"{obj['kind']} {key_of(obj).name}": uid_of(obj) for obj in children(cached, server)}


def all_are_of(cached: NamespaceCache, server: Object) -> bool:
    name = key_of(server).name
    return all(is_controlled_by(obj, server) for obj in children(cached, name))


async def orphan(shop: Shop, cached: NamespaceCache, server: str) -> None:
    """Delete a server as `kubectl delete --cascade=orphan` does, and wait for it."""
    await shop.client.request("DELETE", MCPSERVERS.path(*shop.key(server)), body=ORPHAN)
    await eventually(functools.partial(shop.find, MCPSERVERS, server), None)

    def none_is_owned() -> bool:
        left = children(cached, server)
        return not any(obj["metadata"].get("ownerReferences") for obj in left)

    await cached.until(none_is_owned)


async def delete_with_children(shop: Shop, cached: NamespaceCache, *servers: str) -> None:
    """Delete servers, and wait until all their children are deleted."""
    for server in servers:
        await shop.delete("MCPServer", server)
    for server in servers:
        await cached.until(lambda server=server: not uids(cached, server))  # type: ignore[misc]


async def test_a_recreated_server_adopts_orphaned_children(
    complete: Shop, cached: NamespaceCache, operator: Operator
) -> None:
    shop = complete
    before = uids(cached, "red")
    await orphan(shop, cached, "red")

    after = await shop.server("red", **GATEWAY)

    await cached.until(functools.partial(all_are_of, cached, after))
    await operator.settled(shop.client)
    assert uids(cached, "red") == before
    assert "Conflict" not in await shop.events("red")
    assert not operator.drift_corrected().total()
    await delete_with_children(shop, cached, "red")


async def test_an_orphan_that_the_recreated_server_does_not_need_is_deleted(
    complete: Shop, cached: NamespaceCache, operator: Operator
) -> None:
    await orphan(complete, cached, "red")

    await complete.server("red")

    await cached.until(lambda: cached.get(INGRESSES, child_name("red")) is None)
    await operator.settled(complete.client)
    assert cached.get(SERVICES, child_name("red")) is not None


async def test_a_removed_owner_reference_is_restored(
    complete: Shop, cached: NamespaceCache
) -> None:
    red = await complete.get("MCPServer", "red")
    for resource in (SERVICES, INGRESSES):
        change = {"metadata": {"ownerReferences": None}}
        await complete.client.merge_patch(resource, complete.key(child_name("red")), change)
    await eventually(functools.partial(_is_of, complete, INGRESSES, red), expected=True)
    await eventually(functools.partial(_is_of, complete, SERVICES, red), expected=True)


async def _is_of(shop: Shop, resource: Resource, server: Object) -> bool:
    return is_controlled_by(await shop.client.get(resource, shop.key(child_name("red"))), server)


async def back_up(shop: Shop) -> Saved:
    """Read the servers, the objects they select and their children, with all metadata."""
    saved: Saved = []
    ours = [KINDS[kind] for kind in ("MCPServer", "MCPTool", "MCPPrompt", "MCPResource")]
    for resource in (*ours, *CHILDREN, SECRETS):
        raw = json.loads(await shop.client.request("GET", resource.path(shop.namespace)))
        head = {"apiVersion": resource.api_version, "kind": resource.kind}
        saved += [
            (resource, head | item)
            for item in raw["items"]
            if resource in ours or item["metadata"]["name"].startswith("mcp-server-")
        ]
    return saved


async def restore(shop: Shop, resource: Resource, saved: Object) -> None:
    """Restore an object as Velero does; an object that exists is left unchanged."""
    metadata = {name: value for name, value in saved["metadata"].items() if name not in REPLACED}
    fields = metadata.pop("managedFields", [])
    if "labels" in metadata:
        metadata["labels"] |= {"velero.io/restore-name": "after-the-fire"}
    content: dict[str, Any] = {k: v for k, v in saved.items() if k not in {"metadata", "status"}}
    if resource == SERVICES:
        for assigned in ("clusterIP", "clusterIPs"):
            content["spec"] = {k: v for k, v in content["spec"].items() if k != assigned}
    try:
        await shop.client.create(resource, content | {"metadata": metadata})
        change = {"metadata": {"managedFields": fields}}
        await shop.client.merge_patch(resource, key_of(saved), change)
    except ApiError as error:
        if not error.is_already_exists:
            raise


@pytest.mark.parametrize(
    ("seed", "left_out"),
    [(0, ()), (1, ()), (2, (*CHILDREN, SECRETS))],
    ids=["all", "all in another order", "only what users declared"],
)
async def test_a_restore_in_any_order_ends_in_the_state_of_the_backup(
    seed: int,
    left_out: tuple[Resource, ...],
    complete: Shop,
    cached: NamespaceCache,
    operator: Operator,
) -> None:
    shop = complete
    wanted = await end_state(shop.client, shop.namespace)
    saved = [each for each in await back_up(shop) if each[0] not in left_out]
    await delete_with_children(shop, cached, "red", "blue")
    for resource, obj in saved:
        if resource.group == MCPSERVERS.group and resource != MCPSERVERS:
            await shop.client.delete(resource, key_of(obj))
    await operator.settled(shop.client)
    random.Random(seed).shuffle(saved)  # noqa: S311 - an order

    for resource, obj in saved:
        await restore(shop, resource, obj)

    for name in ("red", "blue"):
        server = await shop.get("MCPServer", name)
        await cached.until(functools.partial(all_are_of, cached, server))
        await eventually(functools.partial(shop.replicas, name), 2)
        assert "Conflict" not in await shop.events(name)
    await operator.settled(shop.client)
    await eventually(functools.partial(changes, shop, wanted), "")
    await delete_with_children(shop, cached, "red", "blue")


async def changes(shop: Shop, wanted: dict[str, Any]) -> str:
    """Return the differences to the wanted state, line by line."""
    found = await end_state(shop.client, shop.namespace)
    return differences(_comparable(wanted), _comparable(found))


def _comparable(state: dict[str, Any]) -> dict[str, Any]:
    """Leave out the label that a restore adds, and the random node ports of Services."""
    for obj in state.values():
        obj.get("metadata", {}).get("labels", {}).pop("velero.io/restore-name", None)
        for port in obj["spec"].get("ports", ()) if obj["kind"] == "Service" else ():
            port.pop("nodePort", None)
    return state


async def test_a_secret_of_keys_that_is_restored_before_its_server_is_kept(
    complete: Shop, cached: NamespaceCache, operator: Operator
) -> None:
    shop = complete
    [key] = [obj for resource, obj in await back_up(shop) if resource == SECRETS]
    await delete_with_children(shop, cached, "red")
    await eventually(functools.partial(shop.find, SECRETS, keys_name("red")), None)
    await restore(shop, SECRETS, key)

    await shop.server("red", **GATEWAY)

    await shop.wait_for_reason("MCPServer", "red", "Programmed", "NoReadyPods")
    await operator.settled(shop.client)
    assert (await shop.get("Secret", keys_name("red")))["data"] == key["data"]


async def test_a_new_operator_recreates_every_deleted_child_as_it_was(
    complete: Shop, cached: NamespaceCache, operator: Operator, control_plane: Cluster
) -> None:
    shop = complete
    wanted = await end_state(shop.client, shop.namespace)
    await operator.stop()
    for resource, obj in await back_up(shop):
        if resource.group != MCPSERVERS.group:
            await shop.client.delete(resource, key_of(obj))
    await cached.until(lambda: not uids(cached, "red") and not uids(cached, "blue"))

    async with running_operator(control_plane.kubeconfig, shop.namespace) as successor:
        await successor.settled(shop.client)
        await eventually(functools.partial(changes, shop, wanted), "")
        await delete_with_children(shop, cached, "red", "blue")
