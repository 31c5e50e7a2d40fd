"""Kubeconfigs that act as a ServiceAccount, as a process in a Pod does."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import yaml

from mcp_operator.core.meta import Object
from mcp_operator.runtime.client import Client

_TOKEN_SECONDS = 3600
"""Longer than a test. The minimum of the API server is ten minutes."""


async def write_account_kubeconfig(
    path: Path,
    client: Client,
    admin: Path,
    namespace: str,
    account: str,
    *,
    bound_to: Object | None = None,
) -> None:
    """Write a kubeconfig with a new token of a ServiceAccount.

    Args:
        path: The file to write.
        client: The client of an administrator, which requests the token.
        admin: A kubeconfig of the same cluster, for its address and CA.
        namespace: The ServiceAccount's namespace.
        account: The ServiceAccount's name.
        bound_to: A reference to the Pod with whose deletion the token expires.
    """
    spec: Object = {"expirationSeconds": _TOKEN_SECONDS}
    if bound_to:
        spec["boundObjectRef"] = bound_to
    answer = await client.request(
        "POST",
        f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token",
        body={"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec},
    )
    token = json.loads(answer)["status"]["token"]
    await asyncio.to_thread(_write, path, admin, token)


def _write(path: Path, admin: Path, token: str) -> None:
    config: Object = yaml.safe_load(admin.read_text(encoding="utf-8"))
    for user in config["users"]:
        user["user"] = {"token": token}
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
