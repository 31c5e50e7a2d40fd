"""The permissions of a gateway: to read its catalog, its key, and the catalog's Secrets."""

from __future__ import annotations

from collections.abc import Collection

from mcp_operator.api.v1alpha1 import MCPServer
from mcp_operator.builders.context import child
from mcp_operator.builders.names import child_name, config_name, keys_name
from mcp_operator.builders.resources import (
    CONFIGMAPS,
    ROLEBINDINGS,
    ROLES,
    SECRETS,
    SERVICEACCOUNTS,
)
from mcp_operator.core.meta import Object


def build_role(server: MCPServer, shards: int, secret_names: Collection[str]) -> Object:
    """Return the Role of a gateway.

    Args:
        server: The server.
        shards: How many ConfigMaps hold its catalog.
        secret_names: The Secrets, of the server's own namespace, that its catalog names.
    """
    name = server.name
    rules: list[Object] = [
        {
            "apiGroups": [CONFIGMAPS.group],
            "resources": [CONFIGMAPS.plural],
            # resourceNames permit a list or watch whose field selector is metadata.name.
            "verbs": ["get", "list", "watch"],
            "resourceNames": [config_name(name, shard) for shard in range(shards)],
        },
        {
            "apiGroups": [SECRETS.group],
            "resources": [SECRETS.plural],
            "verbs": ["get"],
            "resourceNames": sorted({keys_name(name), *secret_names}),
        },
    ]
    return {**child(server, ROLES, child_name(name)), "rules": rules}


def reads_key(role: Object | None, server: str) -> bool:
    """Return whether a Role lets the pods of a server read the Secret with their key."""
    rules = (role or {}).get("rules") or ()
    return any(keys_name(server) in (rule.get("resourceNames") or ()) for rule in rules)


def build_role_binding(server: MCPServer, account: str) -> Object:
    """Return the RoleBinding from the server's Role to the ServiceAccount of its pods.

    Args:
        server: The server.
        account: The chosen account; empty for the one that the operator creates.
    """
    name = child_name(server.name)
    return {
        **child(server, ROLEBINDINGS, name),
        "roleRef": {"apiGroup": ROLES.group, "kind": ROLES.kind, "name": name},
        "subjects": [
            {
                "kind": SERVICEACCOUNTS.kind,
                "name": account or name,
                "namespace": server.namespace,
            }
        ],
    }
