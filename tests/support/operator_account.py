"""An account with the roles of one way to install the operator, and nothing else."""

from __future__ import annotations

import copy
from collections.abc import Iterable

from mcp_operator.builders.resources import ROLEBINDINGS, ROLES, SERVICEACCOUNTS
from mcp_operator.core.meta import Key, Object, Resource
from mcp_operator.runtime.client import Client
from support.permissions import Permission, granted

_RBAC = ROLES.group

CLUSTER_ROLES = Resource(_RBAC, "v1", "clusterroles", "ClusterRole", namespaced=False)
CLUSTER_ROLE_BINDINGS = Resource(
    _RBAC, "v1", "clusterrolebindings", "ClusterRoleBinding", namespaced=False
)

KINDS = {
    resource.kind: resource
    for resource in (SERVICEACCOUNTS, ROLES, ROLEBINDINGS, CLUSTER_ROLES, CLUSTER_ROLE_BINDINGS)
}


class OperatorAccount:
    """The operator's ServiceAccount, its roles and their bindings.

    Args:
        objects: what is installed; anything else is ignored.
        namespace: where it is installed. Cluster-scoped objects get it as a suffix of
            their names, so that no two tests share them.

    Attributes:
        user: the account's name in the audit log.
        permissions: what the roles that are bound to it grant.
    """

    name = "mcp-operator"

    def __init__(self, objects: Iterable[Object], namespace: str) -> None:
        self.user = f"system:serviceaccount:{namespace}:{self.name}"
        self._objects = [_renamed(obj, namespace) for obj in objects if obj["kind"] in KINDS]

    @property
    def permissions(self) -> set[Permission]:
        """What the roles grant that are bound to the account."""
        bound = [obj["roleRef"] for obj in self._objects if "roleRef" in obj]
        names = {(reference["kind"], reference["name"]) for reference in bound}
        return {
            permission
            for obj in self._objects
            if (obj["kind"], obj["metadata"]["name"]) in names
            for permission in granted(obj["rules"])
        }

    def without(self, resource: str) -> None:
        """Take the rules about a resource out of all roles."""
        for obj in self._objects:
            if "rules" in obj:
                obj["rules"] = [rule for rule in obj["rules"] if resource not in rule["resources"]]

    def forbid(self, verb: str, *resources: str) -> None:
        """Take a verb out of all rules about some resources."""
        for obj in self._objects:
            for rule in obj.get("rules", ()):
                if set(resources) & set(rule["resources"]):
                    rule["verbs"] = [each for each in rule["verbs"] if each != verb]

    async def grant(self, client: Client, rule: Object) -> None:
        """Add a rule to the first role that there is, when everything has been created."""
        role = next(obj for obj in self._objects if "rules" in obj)
        role["rules"] = [*role["rules"], rule]
        await client.apply(KINDS[role["kind"]], role)

    async def apply(self, client: Client) -> None:
        """Create everything."""
        for obj in self._objects:
            await client.create(KINDS[obj["kind"]], obj)

    async def remove(self, client: Client) -> None:
        """Delete what does not go with the namespace."""
        for obj in self._objects:
            resource = KINDS[obj["kind"]]
            if not resource.namespaced:
                await client.delete(resource, Key("", obj["metadata"]["name"]))


def _renamed(obj: Object, namespace: str) -> Object:
    result = copy.deepcopy(obj)
    named = [(result["kind"], result["metadata"])]
    if "roleRef" in result:
        named.append((result["roleRef"]["kind"], result["roleRef"]))
    for kind, holder in named:
        if kind.startswith("ClusterRole"):
            holder["name"] = f"{holder['name']}-{namespace}"
    return result
