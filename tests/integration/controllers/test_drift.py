"""Whatever becomes of a child is put right, unless the child is somebody else's."""

from __future__ import annotations

import functools
import json
from typing import Any

import pytest

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
from mcp_operator.core.meta import Object, Resource, uid_of
from mcp_operator.runtime.errors import ApiError
from support.managed_fields import Path, at, owned_leaves, pointer
from support.operators import Operator
from support.shop import Shop
from support.waiting import eventually

RESTORED_WITHIN = 5.0
"""Seconds that a difference may last."""

EVERYTHING: dict[str, Any] = {
    "ingress": {"host": "a.example.com"},
    "autoscaling": {"minReplicas": 2, "maxReplicas": 4},
    "networkPolicy": {"mode": "Full"},
}
KINDS = [resource for resource in CHILDREN if resource != HTTPROUTES]  # see test_routes.py

_SELECTOR: Object = {"matchLabels": {"app": "theirs"}}
_REF: Object = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "theirs"}
_TARGET: Object = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "theirs"}
_POD: Object = {
    "metadata": {"labels": {"app": "theirs"}},
    "spec": {"containers": [{"name": "theirs", "image": "theirs"}]},
}
FOREIGN: dict[Resource, Object] = {
    SERVICEACCOUNTS: {},
    NETWORKPOLICIES: {"spec": {"podSelector": {}}},
    ROLES: {"rules": []},
    ROLEBINDINGS: {"roleRef": _REF},
    CONFIGMAPS: {"data": {"a": "b"}},
    DEPLOYMENTS: {"spec": {"replicas": 0, "selector": _SELECTOR, "template": _POD}},
    AUTOSCALERS: {"spec": {"scaleTargetRef": _TARGET, "maxReplicas": 1}},
    DISRUPTION_BUDGETS: {"spec": {"selector": _SELECTOR}},
    SERVICES: {"spec": {"ports": [{"port": 1234}]}},
    INGRESSES: {"spec": {"defaultBackend": {"service": {"name": "x", "port": {"number": 1}}}}},
}
"""A minimal object of each kind, of somebody else."""

by_kind = pytest.mark.parametrize("resource", KINDS, ids=lambda resource: resource.kind)


def name_of(resource: Resource) -> str:
    return "mcp-server-red-config" if resource == CONFIGMAPS else "mcp-server-red"


@pytest.fixture
async def red(shop: Shop, operator: Operator) -> Shop:
    """A server `red` that has one child of every kind, settled."""
    await shop.server("red", **EVERYTHING)
    await shop.tool("search", "red")
    await eventually(functools.partial(shop.served, "red"), {"search": "first"})
    await operator.idle()
    return shop


async def whole(shop: Shop, resource: Resource) -> Object:
    """Return a child as the API server has it, managed fields and all."""
    raw = await shop.client.request("GET", resource.path(*shop.key(name_of(resource))))
    found: Object = json.loads(raw)
    return found


@by_kind
async def test_a_deleted_child_is_made_again(red: Shop, resource: Resource) -> None:
    old = await whole(red, resource)
    await red.client.delete(resource, red.key(name_of(resource)))

    async def is_new() -> bool:
        new = await red.find(resource, name_of(resource))
        return new is not None and uid_of(new) != uid_of(old)

    await eventually(is_new, expected=True, seconds=RESTORED_WITHIN)


async def test_every_field_that_is_ours_is_put_back(red: Shop, operator: Operator) -> None:
    """Change, and where the API server lets one, remove each field that the operator applied."""
    tried = []
    for resource in KINDS:
        before = await whole(red, resource)
        for path, value in owned_leaves(before, "mcp-operator").items():
            # Who does not name the server as its owner does not belong to it.
            if path[:2] == ("metadata", "ownerReferences"):
                continue
            for operation in ({"op": "replace", "value": _other(value)}, {"op": "remove"}):
                if await changed(red, resource, path, operation):
                    await put_back(red, resource, path, value)
                    tried.append((resource.kind, *path))
    assert {kind for kind, *_ in tried} == {resource.kind for resource in KINDS}
    assert len(set(tried)) > 100
    await operator.idle()
    operator.forget_requests()
    await red.patch("MCPServer", "red", metadata={"annotations": {"touched": "1"}})
    await operator.idle()
    assert operator.writes == []


async def changed(shop: Shop, resource: Resource, path: Path, operation: Object) -> bool:
    """Change one field of a child; return False where the API server refuses."""
    try:
        await shop.client.request(
            "PATCH",
            resource.path(*shop.key(name_of(resource))),
            body=[{**operation, "path": pointer(path)}],
            headers={"Content-Type": "application/json-patch+json"},
        )
    except ApiError as error:
        if error.status not in {400, 422}:
            raise
        return False
    return True


async def put_back(shop: Shop, resource: Resource, path: Path, value: Any) -> None:
    async def now() -> Any:
        return at(await whole(shop, resource), path)

    try:
        await eventually(now, value, seconds=RESTORED_WITHIN)
    except AssertionError as error:
        raise AssertionError(f"{resource.kind}{pointer(path)}: {error}") from error


def _other(value: Any) -> Any:
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case _:
            return f"{value}x"


@by_kind
async def test_an_object_in_the_way_that_is_not_ours_is_never_touched(
    shop: Shop, operator: Operator, resource: Resource
) -> None:
    metadata = {"name": name_of(resource), "namespace": shop.namespace}
    theirs = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata}
    before = await shop.client.create(resource, theirs | FOREIGN[resource])
    await shop.server("red", **EVERYTHING)

    async def reason() -> str:
        return (await shop.condition("MCPServer", "red", "Programmed"))[1]

    await eventually(reason, "Conflict")
    _, _, message = await shop.condition("MCPServer", "red", "Ready")
    name = f"{shop.namespace}/{name_of(resource)}"
    assert f"{resource.kind} {name} exists already and has no owner" in message
    await operator.idle()
    after = await whole(shop, resource)
    managers = {entry["manager"] for entry in after["metadata"].get("managedFields", ())}
    assert "mcp-operator" not in managers
    assert uid_of(after) == uid_of(before)
    for field in FOREIGN[resource]:
        assert after[field] == before[field]


async def test_without_autoscaling_the_number_of_pods_is_put_back_too(
    shop: Shop, operator: Operator
) -> None:
    await shop.server("red", replicas=2)
    await eventually(functools.partial(shop.replicas, "red"), 2)
    assert await changed(shop, DEPLOYMENTS, ("spec", "replicas"), {"op": "replace", "value": 5})
    await put_back(shop, DEPLOYMENTS, ("spec", "replicas"), 2)
