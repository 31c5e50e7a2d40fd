"""Dry-run requests with which a real API server judges objects."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from aiohttp import ClientTimeout
from pydantic_core import to_json

from mcp_operator.api.crd import DEFINITIONS
from mcp_operator.core.meta import Object, Resource
from mcp_operator.runtime.client import Client
from mcp_operator.runtime.transport import Request
from support.waiting import HANG_SECONDS

RESOURCES: dict[str, Resource] = {one.resource.kind: one.resource for one in DEFINITIONS}


async def admit(client: Client, obj: Object, namespace: str = "default") -> dict[str, Any]:
    """Create an object in a dry run, like `kubectl create --dry-run=server --validate=strict`."""
    path = RESOURCES[obj["kind"]].path(namespace)
    answer = await client.request(
        "POST",
        path,
        query={"dryRun": "All", "fieldValidation": "Strict"},
        body={**obj, "metadata": {**obj["metadata"], "namespace": namespace}},
    )
    admitted: dict[str, Any] = json.loads(answer)
    return admitted


class Verdict(NamedTuple):
    """The response of the API server; each cause names a field."""

    status: int
    warnings: str
    message: str
    causes: tuple[str, ...] = ()

    @property
    def is_clean(self) -> bool:
        return self.status == 200 and not self.warnings


async def judge(client: Client, resource: Resource, obj: Object) -> Verdict:
    """Apply an object in a dry run, like `kubectl apply --server-side --dry-run=server`."""
    metadata = obj["metadata"]
    request = Request(
        "PATCH",
        resource.path(metadata.get("namespace", ""), metadata["name"]),
        query={
            "dryRun": "All",
            "fieldValidation": "Strict",
            "fieldManager": "test",
            "force": "true",
        },
        headers={"Content-Type": "application/apply-patch+yaml", "Accept": "application/json"},
        data=to_json(obj),
        timeout=ClientTimeout(total=HANG_SECONDS),
    )
    answer = await client._transport._authorized(request)
    body = json.loads(await answer.read())
    created = 200 if answer.status == 201 else answer.status
    message = body.get("message", "") if created != 200 else ""
    causes = (body.get("details") or {}).get("causes", ()) if created != 200 else ()
    told = tuple(f"{one.get('field')}: {one.get('message')}" for one in causes)
    return Verdict(created, answer.headers.get("warning", ""), message, told)
