"""Having a real API server decide on objects, without storing them."""

from __future__ import annotations

import json
from typing import Any

from mcp_operator.api.crd import DEFINITIONS
from mcp_operator.core.meta import Object, Resource
from mcp_operator.runtime.client import Client

RESOURCES: dict[str, Resource] = {one.resource.kind: one.resource for one in DEFINITIONS}


async def admit(client: Client, obj: Object, namespace: str = "default") -> dict[str, Any]:
    """Have the API server decide, as `kubectl create --dry-run=server --validate=strict`."""
    path = RESOURCES[obj["kind"]].path(namespace)
    answer = await client.request(
        "POST",
        path,
        query={"dryRun": "All", "fieldValidation": "Strict"},
        body={**obj, "metadata": {**obj["metadata"], "namespace": namespace}},
    )
    admitted: dict[str, Any] = json.loads(answer)
    return admitted
