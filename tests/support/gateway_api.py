"""The parts of the Gateway API that the operator uses, for clusters without it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mcp_operator.builders.resources import HTTPROUTES
from mcp_operator.controllers.cluster_cache import REFERENCE_GRANTS
from mcp_operator.core.meta import Key, Object, Resource
from mcp_operator.runtime.client import Client
from mcp_operator.runtime.errors import ApiError
from support.crds import DEFINITIONS, established
from support.waiting import eventually

NAME = f"{HTTPROUTES.plural}.{HTTPROUTES.group}"

_STRING: Object = {"type": "string"}
_REFERENCE: Object = {
    "group": {**_STRING, "default": HTTPROUTES.group},
    "kind": {**_STRING, "default": "Gateway"},
    "name": _STRING,
    "namespace": _STRING,
    "sectionName": _STRING,
    "port": {"type": "integer"},
}
_BACKEND: Object = {
    "group": {**_STRING, "default": ""},
    "kind": {**_STRING, "default": "Service"},
    "name": _STRING,
    "namespace": _STRING,
    "port": {"type": "integer"},
    "weight": {"type": "integer", "default": 1},
}
_PATH: Object = {"type": {**_STRING, "enum": ["Exact", "PathPrefix"]}, "value": _STRING}


def _object(**properties: Object) -> Object:
    return {"type": "object", "properties": properties}


def _list(items: Object) -> Object:
    return {"type": "array", "items": items}


def definition() -> Object:
    """Return a CRD of HTTPRoute with the fields and defaults of the operator's routes."""
    rule = _object(
        matches=_list(_object(path=_object(**_PATH))),
        backendRefs=_list(_object(**_BACKEND)),
    )
    spec = _object(
        parentRefs=_list(_object(**_REFERENCE)), hostnames=_list(_STRING), rules=_list(rule)
    )
    return _definition(HTTPROUTES, spec)


def _definition(resource: Resource, spec: Object) -> Object:
    version = {
        "name": resource.version,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": _object(spec=spec)},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": str(resource),
            # The API server requires it, because the group belongs to Kubernetes (KEP-1111).
            "annotations": {"api-approved.kubernetes.io": "unapproved, for tests"},
        },
        "spec": {
            "group": resource.group,
            "scope": "Namespaced",
            "names": {"kind": resource.kind, "plural": resource.plural},
            "versions": [version],
        },
    }


async def install(client: Client) -> None:
    """Install HTTPRoutes, unless the API server serves them."""
    with contextlib.suppress(ApiError):
        await client.create(DEFINITIONS, definition())
    await established(client, NAME)


async def install_grants(client: Client) -> None:
    """Install ReferenceGrants, unless the API server serves them."""
    source = _object(group=_STRING, kind=_STRING, namespace=_STRING)
    target = _object(group=_STRING, kind=_STRING, name=_STRING)
    spec = _object(**{"from": _list(source), "to": _list(target)})
    with contextlib.suppress(ApiError):
        await client.create(DEFINITIONS, _definition(REFERENCE_GRANTS, spec))
    await established(client, str(REFERENCE_GRANTS))


@asynccontextmanager
async def without(client: Client) -> AsyncIterator[None]:
    """Uninstall HTTPRoutes until the block ends."""

    async def is_gone() -> bool:
        try:
            await client.delete(DEFINITIONS, Key("", NAME))
        except ApiError as error:
            if error.is_not_found:
                return True
            raise
        return False

    try:
        await eventually(is_gone, expected=True)
        yield
    finally:
        await install(client)
