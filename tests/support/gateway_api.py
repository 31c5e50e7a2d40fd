"""Stands for the Gateway API: its kinds are served, and take anything."""

from __future__ import annotations

from mcp_operator.builders.resources import HTTPROUTES
from mcp_operator.controllers.world import REFERENCE_GRANTS
from mcp_operator.core.meta import Object, Resource
from mcp_operator.runtime.client import Client
from support.crds import DEFINITIONS, established

UNPROTECTED = {"api-approved.kubernetes.io": "unapproved, for tests"}
"""Without it the API server serves no group that ends in k8s.io (KEP-1111)."""


async def install_gateway_api(client: Client) -> None:
    """Have HTTPRoutes and ReferenceGrants served, from now on."""
    definitions = [_definition(resource) for resource in (HTTPROUTES, REFERENCE_GRANTS)]
    for definition in definitions:
        await client.apply(DEFINITIONS, definition)
    for definition in definitions:
        await established(client, definition["metadata"]["name"])


def _definition(resource: Resource) -> Object:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {
        "name": resource.version,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
    }
    return {
        "apiVersion": DEFINITIONS.api_version,
        "kind": DEFINITIONS.kind,
        "metadata": {"name": f"{resource.plural}.{resource.group}", "annotations": UNPROTECTED},
        "spec": {
            "group": resource.group,
            "scope": "Namespaced",
            "names": {
                "plural": resource.plural,
                "singular": resource.kind.lower(),
                "kind": resource.kind,
            },
            "versions": [version],
        },
    }
