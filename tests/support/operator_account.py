"""An account with only the roles of one way to install the operator."""

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
        objects: the installed objects; kinds other than roles and bindings are ignored.
        namespace: the namespace. Cluster-scoped objects get it as a suffix of
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
        """The permissions of the roles that are bound to the account."""
        bound = [obj["roleRef"] for obj in self._objects if "roleRef" in obj]
        names = {(reference["kind"], reference["name"]) for reference in bound}
        return {
            permission
            for obj in self._objects
            if (obj["kind"], obj["metadata"]["name"]) in names
            for permission in granted(obj["rules"])
        }

    def without(self, resource: str) -> None:
        """Remove the rules for a resource from all roles."""
        for obj in self._objects:
            if "rules" in obj:
                obj["rules"] = [rule for rule in obj["rules"] if resource not in rule["resources"]]

    def forbid(self, verb: str, *resources: str) -> None:
        """Remove a verb from all rules for some resources."""
        for obj in self._objects:
            for rule in obj.get("rules", ()):
                if set(resources) & set(rule["resources"]):
                    rule["verbs"] = [each for each in rule["verbs"] if each != verb]

    async def grant(self, client: Client, rule: Object) -> None:
        """Add a rule to the first role, after `apply`."""
        role = next(obj for obj in self._objects if "rules" in obj)
        role["rules"] = [*role["rules"], rule]
        await client.apply(KINDS[role["kind"]], role)

    async def apply(self, client: Client) -> None:
        """Create the account, the roles and the bindings."""
        for obj in self._objects:
            await client.create(KINDS[obj["kind"]], obj)

    async def remove(self, client: Client) -> None:
        """Delete the cluster-scoped objects."""
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
