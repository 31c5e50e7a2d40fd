"""An account with the roles of one way to install the operator, and nothing else."""

from __future__ import annotations

import copy
from collections.abc import Iterable

from mcp_operator.builders.resources import ROLEBINDINGS, ROLES, SERVICEACCOUNTS
from mcp_operator.core.meta import Key, Object, Resource
from mcp_operator.runtime.client import Client
from support.rights import Right, granted

_RBAC = ROLES.group

CLUSTER_ROLES = Resource(_RBAC, "v1", "clusterroles", "ClusterRole", namespaced=False)
CLUSTER_ROLE_BINDINGS = Resource(
    _RBAC, "v1", "clusterrolebindings", "ClusterRoleBinding", namespaced=False
)

KINDS = {
    resource.kind: resource
    for resource in (SERVICEACCOUNTS, ROLES, ROLEBINDINGS, CLUSTER_ROLES, CLUSTER_ROLE_BINDINGS)
}


class BoundRights:
    """The operator's ServiceAccount, its roles and their bindings.

    Args:
        objects: what is installed; everything but the above is left out.
        namespace: where it is installed. What belongs to the whole cluster gets a name after it,
            so that two tests do not share roles.

    Attributes:
        user: the name that the audit log has for the account.
        rights: what the roles that are bound to it grant.
    """

    account = "mcp-operator"

    def __init__(self, objects: Iterable[Object], namespace: str) -> None:
        self.user = f"system:serviceaccount:{namespace}:{self.account}"
        self._objects = [_renamed(obj, namespace) for obj in objects if obj["kind"] in KINDS]

    @property
    def rights(self) -> set[Right]:
        """What the roles grant that are bound to the account."""
        bound = [obj["roleRef"] for obj in self._objects if "roleRef" in obj]
        names = {(reference["kind"], reference["name"]) for reference in bound}
        return {
            right
            for obj in self._objects
            if (obj["kind"], obj["metadata"]["name"]) in names
            for right in granted(obj["rules"])
        }

    def without(self, resource: str) -> None:
        """Take the rules about a resource out of all roles."""
        for obj in self._objects:
            if "rules" in obj:
                obj["rules"] = [rule for rule in obj["rules"] if resource not in rule["resources"]]

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
