"""Everything that one server is made of, in the order in which it must be applied."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

from mcp_operator.api.shards import EncodedCatalog
from mcp_operator.api.v1alpha1 import MCPServer
from mcp_operator.builders.configmap import build_files, build_shards
from mcp_operator.builders.context import BuildContext
from mcp_operator.builders.deployment import build_deployment
from mcp_operator.builders.ingress import build_ingress
from mcp_operator.builders.rbac import build_role, build_role_binding
from mcp_operator.builders.resources import (
    CONFIGMAPS,
    DEPLOYMENTS,
    INGRESSES,
    ROLEBINDINGS,
    ROLES,
    SERVICEACCOUNTS,
    SERVICES,
)
from mcp_operator.builders.service import build_service
from mcp_operator.builders.serviceaccount import build_service_account
from mcp_operator.core.meta import Object, Resource


class Child(NamedTuple):
    """One desired object and the resource it is applied to."""

    resource: Resource
    object: Object


def desired_children(
    server: MCPServer,
    content: EncodedCatalog | Mapping[str, str],
    secret_names: Collection[str],
    context: BuildContext,
) -> list[Child]:
    """Return a server's children in the order of application.

    Rights come before what they allow to read, shards before the index that names them, and the
    configuration before the pods that need it. A change of the catalog alone changes nothing but
    ConfigMaps, unless it takes another number of shards or names other Secrets.

    Args:
        server: The server, with the metadata that the API server gave it.
        content: The catalog, or in Direct mode the files by name.
        secret_names: The Secrets, of the server's own namespace, that the catalog names.
        context: What the operator's settings say.
    """
    children = [Child(SERVICEACCOUNTS, build_service_account(server))]
    if isinstance(content, EncodedCatalog):
        children += [
            Child(ROLES, build_role(server, len(content.shards), secret_names)),
            Child(ROLEBINDINGS, build_role_binding(server)),
        ]
        children += [Child(CONFIGMAPS, shard) for shard in build_shards(server, content)]
    else:
        children.append(Child(CONFIGMAPS, build_files(server, content)))
    children += [
        Child(DEPLOYMENTS, build_deployment(server, context)),
        Child(SERVICES, build_service(server)),
    ]
    if (ingress := build_ingress(server)) is not None:
        children.append(Child(INGRESSES, ingress))
    return children
