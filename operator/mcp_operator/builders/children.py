"""Everything that one server is made of, in the order in which it must be applied."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from mcp_operator.api.shards import EncodedCatalog
from mcp_operator.api.v1alpha1 import MCPServer
from mcp_operator.builders.cluster_facts import ClusterFacts
from mcp_operator.builders.configmap import build_files, build_shards
from mcp_operator.builders.context import BuildContext
from mcp_operator.builders.deployment import build_deployment
from mcp_operator.builders.httproute import build_http_route
from mcp_operator.builders.ingress import build_ingress
from mcp_operator.builders.networkpolicy import build_network_policy
from mcp_operator.builders.rbac import build_role, build_role_binding
from mcp_operator.builders.resources import (
    AUTOSCALERS,
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
from mcp_operator.builders.scaling import build_autoscaler, build_disruption_budget
from mcp_operator.builders.service import build_service
from mcp_operator.builders.serviceaccount import build_service_account
from mcp_operator.core.meta import Object, Resource


class Child(NamedTuple):
    """One desired object and the resource it is applied to."""

    resource: Resource
    object: Object


class Frame(NamedTuple):
    """A server's children but for the catalog: a change of its content leaves them as they are."""

    before: list[Child]
    after: list[Child]


def build_frame(
    server: MCPServer,
    shards: int,
    secret_names: Collection[str],
    context: BuildContext,
    facts: ClusterFacts,
) -> Frame:
    """Return what is applied before a server's catalog, and what after it.

    A change of the catalog alone changes none of it, unless it takes another number of shards or
    names other Secrets or, with a NetworkPolicy of mode Full, other Services.

    Args:
        server: The server, with the metadata that the API server gave it.
        shards: How many ConfigMaps its pods read by themselves; 0 in Direct mode.
        secret_names: The Secrets, of the server's own namespace, that the catalog names.
        context: What the operator's settings say.
        facts: What the cluster has around the server.
    """
    before: list[tuple[Resource, Object | None]] = [
        (SERVICEACCOUNTS, build_service_account(server)),
        (NETWORKPOLICIES, build_network_policy(server, context, facts)),
    ]
    if shards:
        before += [
            (ROLES, build_role(server, shards, secret_names)),
            (ROLEBINDINGS, build_role_binding(server)),
        ]
    after: list[tuple[Resource, Object | None]] = [
        (DEPLOYMENTS, build_deployment(server, context)),
        (AUTOSCALERS, build_autoscaler(server)),
        (DISRUPTION_BUDGETS, build_disruption_budget(server)),
        (SERVICES, build_service(server)),
        (INGRESSES, build_ingress(server)),
    ]
    if facts.has_gateway_api:
        after.append((HTTPROUTES, build_http_route(server)))
    return Frame(_wanted(before), _wanted(after))


def desired_children(
    server: MCPServer, content: EncodedCatalog | Mapping[str, str], frame: Frame
) -> list[Child]:
    """Return a server's children in the order of application.

    Rights come before what they allow to read, the NetworkPolicy before what it lets pods reach,
    shards before the index that names them, and the configuration before the pods that need it.

    Args:
        server: The server, with the metadata that the API server gave it.
        content: The catalog, or in Direct mode the files by name.
        frame: All other children.
    """
    if isinstance(content, EncodedCatalog):
        configuration = build_shards(server, content)
    else:
        configuration = [build_files(server, content)]
    return [*frame.before, *(Child(CONFIGMAPS, each) for each in configuration), *frame.after]


def _wanted(children: Iterable[tuple[Resource, Object | None]]) -> list[Child]:
    return [Child(resource, obj) for resource, obj in children if obj is not None]
