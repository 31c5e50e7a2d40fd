"""All children of a server, in the order in which they must be applied."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from mcp_operator.api.v1alpha1 import MCPServer
from mcp_operator.builders.cluster_facts import ClusterFacts
from mcp_operator.builders.compile_auth import auth_secrets
from mcp_operator.builders.compile_redis import redis_secrets
from mcp_operator.builders.configmap import build_files, build_shards
from mcp_operator.builders.context import BuildContext
from mcp_operator.builders.deployment import build_deployment
from mcp_operator.builders.httproute import build_http_route
from mcp_operator.builders.ingress import build_ingress
from mcp_operator.builders.networkpolicy import build_network_policy
from mcp_operator.builders.podtemplate import passed_on
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
from mcp_operator.builders.server_catalog import ServerCatalog
from mcp_operator.builders.service import build_service
from mcp_operator.builders.serviceaccount import build_service_account, chosen_account
from mcp_operator.core.meta import Object, Resource

NEEDING_ACCOUNT: Final = frozenset({SERVICEACCOUNTS, ROLEBINDINGS, DEPLOYMENTS, AUTOSCALERS})
"""The children that do not change while the pods must not run as the chosen ServiceAccount. The
existing pods keep their account, and its permissions."""


class Child(NamedTuple):
    """One desired object and the resource it is applied to."""

    resource: Resource
    object: Object


def build_children(
    server: MCPServer, catalog: ServerCatalog, context: BuildContext, facts: ClusterFacts
) -> list[Child]:
    """Return all children of a server, in the order of application.

    Permissions come before the objects that they allow to read, the NetworkPolicy before the
    catalog whose backends it lets pods reach, shards before the index that names them, and the
    configuration before the pods that need it.

    Args:
        server: The server, with the metadata that the API server gave it.
        catalog: What its pods serve.
        context: What the operator's settings say.
        facts: The facts about the cluster that the children depend on.
    """
    children = [
        *_present((SERVICEACCOUNTS, build_service_account(server, context))),
        *_present((NETWORKPOLICIES, build_network_policy(server, context, facts))),
        *_configuration(server, catalog, context),
        *_present(
            (DEPLOYMENTS, build_deployment(server, context, catalog.digest)),
            (AUTOSCALERS, build_autoscaler(server)),
            (DISRUPTION_BUDGETS, build_disruption_budget(server)),
            (SERVICES, build_service(server)),
            (INGRESSES, build_ingress(server)),
            (HTTPROUTES, build_http_route(server) if facts.has_gateway_api else None),
        ),
    ]
    return _with_passed(children, *passed_on(server, context))


def _with_passed(
    children: list[Child], labels: Mapping[str, str], annotations: Mapping[str, str]
) -> list[Child]:
    """Add the labels and annotations that a server passes on; a child's own take precedence."""
    for child in children:
        metadata = child.object["metadata"]
        metadata["labels"] = {**labels, **metadata["labels"]}
        if annotations:
            metadata["annotations"] = {**annotations, **metadata.get("annotations", {})}
    return children


def _configuration(
    server: MCPServer, catalog: ServerCatalog, context: BuildContext
) -> Iterable[Child]:
    """Yield the ConfigMaps, and in mode Gateway before them the permission to read them."""
    if catalog.files is not None:
        yield Child(CONFIGMAPS, build_files(server, catalog.files))
    if catalog.encoded is None:
        return
    secrets = {secret.name for secret in catalog.assembly.secrets}
    settings = catalog.assembly.catalog.server
    secrets |= auth_secrets(settings.auth) | redis_secrets(settings.redis)
    yield Child(ROLES, build_role(server, len(catalog.encoded.shards), secrets))
    yield Child(ROLEBINDINGS, build_role_binding(server, chosen_account(server, context)))
    for shard in build_shards(server, catalog.encoded):
        yield Child(CONFIGMAPS, shard)


def _present(*children: tuple[Resource, Object | None]) -> Iterable[Child]:
    return (Child(resource, obj) for resource, obj in children if obj is not None)
