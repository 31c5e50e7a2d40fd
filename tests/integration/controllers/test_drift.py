"""Every change of a field that the operator owns is reverted, and no other field is touched.

The fields are read from the `managedFields` of the children.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

from mcp_operator.builders.labels import HASH_ANNOTATION
from mcp_operator.builders.resources import (
    AUTOSCALERS,
    CHILDREN,
    CONFIGMAPS,
    DEPLOYMENTS,
    DISRUPTION_BUDGETS,
    SERVICEACCOUNTS,
    SERVICES,
)
from mcp_operator.core.meta import Object, Resource, key_of, resource_version_of, uid_of
from mcp_operator.runtime.errors import ApiError
from support.managed_fields import Mutation, Path, at, mutations, owned_fields, pointer
from support.namespace_cache import NamespaceCache
from support.operators import Operator
from support.shop import Shop

HASH: Path = ("metadata", "annotations", HASH_ANNOTATION)

_IN_CONTAINERS = "spec/template/spec/containers"
NEVER_CHANGED = {
    "Deployment replace spec/selector/matchLabels/app.kubernetes.io/instance",
    "Deployment replace spec/selector/matchLabels/app.kubernetes.io/name",
    "Deployment add spec/selector/matchLabels/theirs",
    "RoleBinding replace roleRef/apiGroup",
    "RoleBinding replace roleRef/kind",
    "RoleBinding replace roleRef/name",
    # The following must match something else in the same object.
    "Deployment replace spec/strategy/type",
    "Deployment replace spec/template/metadata/labels/app.kubernetes.io/instance",
    "Deployment replace spec/template/metadata/labels/app.kubernetes.io/name",
    f"Deployment replace {_IN_CONTAINERS}/gateway/env/FROM_POD/valueFrom/fieldRef/apiVersion",
    f"Deployment replace {_IN_CONTAINERS}/server/volumeMounts//etc/mcp/config/name",
    "HorizontalPodAutoscaler replace spec/metrics/0/type",
    "HorizontalPodAutoscaler replace spec/metrics/0/resource/target/type",
    "NetworkPolicy add spec/policyTypes/-",
    "RoleBinding replace subjects/0/kind",
}
"""Changes that the API server refuses. It refuses many more removals."""

_SPREAD = {
    "maxSkew": 2,
    "topologyKey": "example.com/rack",
    "whenUnsatisfiable": "DoNotSchedule",
    "labelSelector": {"matchLabels": {"app": "theirs"}},
}
_THEIR_POD = {
    "metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "2026-01-01T00:00:00Z"}},
    "spec": {
        "priorityClassName": "theirs",
        "containers": [
            {"name": "sidecar", "image": "example.com/sidecar:1"},
            {"name": "gateway", "env": [{"name": "THEIRS", "value": "kept"}]},
        ],
        "topologySpreadConstraints": [_SPREAD],
        "volumes": [{"name": "theirs", "emptyDir": {}}],
    },
}
THEIRS: Mapping[Resource, Object] = {
    # Paused, so that the changes do not roll out; scaled, as an autoscaler does.
    DEPLOYMENTS: {"spec": {"paused": True, "replicas": 3, "template": _THEIR_POD}},
    SERVICES: {"spec": {"sessionAffinity": "ClientIP", "ports": [{"name": "more", "port": 99}]}},
    CONFIGMAPS: {"data": {"theirs": "kept"}},
    SERVICEACCOUNTS: {"imagePullSecrets": [{"name": "theirs"}]},
    AUTOSCALERS: {"spec": {"behavior": {"scaleDown": {"stabilizationWindowSeconds": 7}}}},
}
"""Fields that other managers set on the children of `red`, in addition to `META`."""

META: Object = {"annotations": {"somebody": "else"}, "labels": {"their": "own"}}
PAUSED: Object = {"spec": {"paused": True}}

_CONTAINER: Path = ("spec", "template", "spec", "containers", (("name", "gateway"),))
EXCLUSIVE: tuple[tuple[Resource, Path, Object], ...] = (
    (DEPLOYMENTS, (*_CONTAINER, "env", (("name", "FROM_POD"),)), {"valueFrom": None, "value": "x"}),
    (DEPLOYMENTS, (*_CONTAINER, "env", (("name", "EMPTY"),)), {"value": "x"}),
    (DISRUPTION_BUDGETS, ("spec",), {"maxUnavailable": None, "minAvailable": 1}),
)
"""Fields of which the API server allows only one, and a change from one to the other."""


class Child:
    """One child, and the fields of it that the operator owns."""

    def __init__(self, shop: Shop, cached: NamespaceCache, resource: Resource, raw: Object) -> None:
        self._shop = shop
        self._cached = cached
        self.resource = resource
        self.name = key_of(raw).name
        self.owned = owned_fields(raw, "mcp-operator")
        self.refused: set[str] = set()
        self.spoilt = 0
        """How many changes left the hash annotation as it was: only these count as drift."""

    @property
    def live(self) -> Object:
        """The child in the cache; an object without a uid if it does not exist."""
        return self._cached.get(self.resource, self.name) or {"metadata": {}}

    def differs(self, obj: Object) -> Path | None:
        """Return a path at which an object differs from what the operator applied."""
        return next((path for path, value in self.owned.items() if at(obj, path) != value), None)

    async def spoil(self, mutation: Mutation) -> None:
        """Change the child, and wait until that is reverted, or record that it was refused."""
        for patch in mutation.patches(self.live):
            after = await self.patched(patch)
            if after is not None:
                break
        else:
            self.refused.add(f"{self.resource.kind} {mutation}")
            return
        if self.differs(after) is None:
            return  # it set the API server's default, or an unknown field
        self.spoilt += at(after, HASH) == self.owned[HASH]
        await self.restored(after, str(mutation))

    async def restored(self, after: Object, what: str, *gone: Path) -> None:
        """Wait until, after a change, every owned field has its value again.

        Also wait until there are no values at the paths in `gone`, which need not be owned.
        """

        def left() -> Path | None:
            found = (path for path in gone if at(self.live, path) is not None)
            return self.differs(self.live) or next(found, None)

        def is_restored() -> bool:
            return resource_version_of(self.live) > resource_version_of(after) and left() is None

        try:
            await self._cached.until(is_restored)
        except TimeoutError as error:
            said = f"{self.resource.kind} {self.name} after {what}: {left()} is not restored"
            raise AssertionError(said) from error

    async def patched(self, patch: list[Object]) -> Object | None:
        path = self.resource.path(*self._shop.key(self.name))
        headers = {"Content-Type": "application/json-patch+json"}
        try:
            raw = await self._shop.client.request("PATCH", path, body=patch, headers=headers)
        except ApiError as error:
            if error.status not in {400, 422}:
                raise
            return None
        found: Object = json.loads(raw)
        return found


async def children_of(shop: Shop, cached: NamespaceCache, server: str) -> list[Child]:
    """Return all children of a server."""
    found = []
    for resource in CHILDREN:
        query = {"labelSelector": f"mcp-operator.dev/server={server}"}
        path = resource.path(shop.namespace)
        listed = json.loads(await shop.client.request("GET", path, query=query))["items"]
        found += [Child(shop, cached, resource, raw) for raw in listed]
    return found


async def set_by_others(shop: Shop, child: Child, fields: Object) -> Object:
    """Apply fields as another manager, by force, as `kubectl apply --server-side` does."""
    resource = child.resource
    head = {"apiVersion": resource.api_version, "kind": resource.kind}
    metadata = {**shop.key(child.name)._asdict(), **fields.get("metadata", {})}
    obj = head | fields | {"metadata": metadata}
    return await shop.client.apply(resource, obj, field_manager="somebody")


def is_worthwhile(mutation: Mutation) -> bool:
    """Leave out what removes the owner, and the removal of single labels or annotations."""
    path = mutation.path
    if path[:2] == ("metadata", "ownerReferences"):
        return path[-1] == "blockOwnerDeletion"
    return mutation.op != "remove" or path[0] != "metadata" or len(path) == 2


def place(mutation: Mutation) -> tuple[str, str]:
    """Return the operation and the path of a mutation, without the names of list items."""
    return mutation.op, str(["*" if isinstance(step, tuple) else step for step in mutation.path])


def missing(wanted: Any, live: Any, path: str = "") -> list[str]:
    """Return the paths where an object lacks a wanted value; list items match by name."""
    if isinstance(wanted, dict):
        found = [
            missing(value, (live or {}).get(name), f"{path}/{name}")
            for name, value in wanted.items()
        ]
        return [each for one in found for each in one]
    if isinstance(wanted, list):
        return missing(_by_name(wanted), _by_name(live or []), path)
    return [] if wanted == live else [path]


def _by_name(items: list[Object]) -> Object:
    return {item.get("name") or item["topologyKey"]: item for item in items}


async def nothing_is_written(shop: Shop, operator: Operator) -> None:
    await operator.settled(shop.client)
    operator.forget_requests()
    for server in ("red", "blue"):
        await shop.patch("MCPServer", server, metadata={"annotations": {"touched": "1"}})
    await operator.settled(shop.client)
    # The number of pods can still change, which updates a status.
    assert [write for write in operator.writes if not write.endswith("/status")] == []


async def test_every_field_that_the_operator_owns_is_restored(
    complete: Shop, operator: Operator, cached: NamespaceCache
) -> None:
    """Change, add to and remove each field that the operator applied, one at a time."""
    red = await children_of(complete, cached, "red")
    blue = await children_of(complete, cached, "blue")
    assert {child.resource for child in red} == set(CHILDREN)
    theirs = {child: {"metadata": META, **THEIRS.get(child.resource, {})} for child in red}
    theirs |= {child: PAUSED for child in blue if child.resource == DEPLOYMENTS}
    for child, fields in theirs.items():
        await set_by_others(complete, child, fields)
    done = {(child.resource, place(one)) for child in red for one in mutations(child.owned)}

    async def spoil(child: Child) -> None:
        for mutation in mutations(child.owned):
            new = child in red or (child.resource, place(mutation)) not in done
            if new and is_worthwhile(mutation):
                await child.spoil(mutation)

    await operator.settled(complete.client)
    before = operator.drift_corrected()
    async with asyncio.TaskGroup() as group:
        for child in (*red, *blue):
            group.create_task(spoil(child))

    refused = {each for child in (*red, *blue) for each in child.refused}
    assert {each for each in refused if " remove " not in each} == NEVER_CHANGED
    spoilt = Counter[str]()
    for child in (*red, *blue):
        spoilt[child.resource.kind] += child.spoilt
    assert spoilt.total() > 400
    await operator.settled(complete.client)
    assert operator.drift_corrected() - before == spoilt
    await nothing_is_written(complete, operator)


async def test_deleted_children_are_all_recreated(
    complete: Shop, operator: Operator, cached: NamespaceCache
) -> None:
    children = await children_of(complete, cached, "red")
    children += await children_of(complete, cached, "blue")
    old = {child: uid_of(child.live) for child in children}
    for child in children:
        await complete.client.delete(child.resource, complete.key(child.name))

    def all_are_new() -> bool:
        return all(uid_of(child.live) not in {"", old[child]} for child in children)

    await cached.until(all_are_new)
    await nothing_is_written(complete, operator)


async def test_a_field_that_another_manager_force_applies_is_restored_and_its_own_fields_are_kept(
    complete: Shop, operator: Operator, cached: NamespaceCache
) -> None:
    ours = "app.kubernetes.io/instance"
    children = await children_of(complete, cached, "red")
    for child in children:
        theirs = THEIRS.get(child.resource, {}) | {"metadata": META}
        taken: Object = {"labels": {**META["labels"], ours: "theirs"}}
        after = await set_by_others(complete, child, theirs | {"metadata": {**META, **taken}})
        await child.restored(after, "a forced apply")
        assert missing(theirs, child.live) == []
    await nothing_is_written(complete, operator)


async def test_a_field_that_excludes_one_of_the_operator_is_replaced_by_it(
    complete: Shop, operator: Operator, cached: NamespaceCache
) -> None:
    """Replace a field by one that excludes it, as `kubectl set env` and `edit` do."""
    children = {child.resource: child for child in await children_of(complete, cached, "red")}
    for resource, path, change in EXCLUSIVE:
        child = children[resource]
        patch = [
            {"op": "add", "path": pointer(child.live, (*path, name)), "value": value}
            if value is not None
            else {"op": "remove", "path": pointer(child.live, (*path, name))}
            for name, value in change.items()
        ]
        after = await child.patched(patch)
        assert after is not None, f"the API server refuses {path}"
        theirs = [(*path, name) for name, value in change.items() if value is not None]
        await child.restored(after, f"{path} was replaced", *theirs)
    await nothing_is_written(complete, operator)


async def test_a_foreign_field_that_makes_the_object_invalid_is_reported_until_it_is_removed(
    complete: Shop, operator: Operator, cached: NamespaceCache
) -> None:
    """Server-side apply removes no field of another manager; a variable has one source."""
    children = {child.resource: child for child in await children_of(complete, cached, "red")}
    child = children[DEPLOYMENTS]
    place = pointer(child.live, (*_CONTAINER, "env", (("name", "PLAIN"),)))
    source = {"fieldRef": {"fieldPath": "metadata.name"}}
    theirs = {"op": "add", "path": f"{place}/valueFrom", "value": source}
    await child.patched([{"op": "remove", "path": f"{place}/value"}, theirs])
    said = await complete.wait_for_reason("MCPServer", "red", "Programmed", "ApplyFailed")
    assert "valueFrom: Invalid value" in said
    after = await child.patched([{"op": "remove", "path": f"{place}/valueFrom"}])
    assert after is not None
    await child.restored(after, "valueFrom was removed")
    await complete.wait_for_reason("MCPServer", "red", "Programmed", "NoReadyPods")
