"""The permissions of a user, as `kubectl auth can-i` reads them."""

from __future__ import annotations

import json
from collections.abc import Iterable

from mcp_operator.runtime.client import Client
from support.permissions import Permission


async def allowed_in(
    client: Client, namespace: str, user: str, permissions: Iterable[Permission]
) -> set[Permission]:
    """Return which of some permissions a user has in a namespace, or in all if empty."""
    return {each for each in permissions if await _is_allowed(client, namespace, user, each)}


async def _is_allowed(client: Client, namespace: str, user: str, asked: Permission) -> bool:
    resource, _, subresource = asked.resource.partition("/")
    attributes = {
        "namespace": namespace,
        "verb": asked.verb,
        "group": asked.group,
        "resource": resource,
        "subresource": subresource,
    }
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": user, "resourceAttributes": attributes},
    }
    path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
    answer = json.loads(await client.request("POST", path, body=review))
    return bool(answer["status"]["allowed"])
