"""`serve` with clients that authenticate."""

from __future__ import annotations

from pathlib import Path

import aiohttp
import pytest

from support.identity import token
from support.network import free_port
from support.serving import serving, settings, write

KEYED = """\
apiVersion: mcp-operator.dev/v1alpha1
kind: MCPServer
metadata: {name: shop}
spec:
  toolSelector: {}
  auth: {type: APIKey, apiKey: {secretRef: {name: clients}}}
"""

TOKENS = """\
apiVersion: mcp-operator.dev/v1alpha1
kind: MCPServer
metadata: {name: shop}
spec:
  toolSelector: {}
  auth:
    type: JWT
    jwt:
      issuer: https://login.example.com
      audiences: [shop]
      jwksConfigMapRef: {name: keys, key: jwks.json}
"""

CLIENTS = """\
---
apiVersion: v1
kind: Secret
metadata: {name: clients}
stringData: {alice: placeholder-of-alice}
"""


async def listed(url: str, key: str) -> int:
    """Return the status of a request with an API key."""
    headers = {"Authorization": f"Bearer {key}"}
    async with aiohttp.ClientSession() as session, session.post(url, headers=headers) as response:
        return response.status


async def test_clients_authenticate_with_a_secret_in_the_files_or_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MCP_OPERATOR_SECRET_DEFAULT_CLIENTS_ALICE", "from-the-environment")
    write(tmp_path, KEYED, CLIENTS)
    async with serving(settings(tmp_path, port=free_port())) as url:
        assert await listed(url, "placeholder-of-alice") == 401
        assert await listed(url, "from-the-environment") == 415, (
            "the client is authenticated, and its request has no body"
        )


async def test_the_reason_why_no_client_can_authenticate_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path, TOKENS)
    async with serving(settings(tmp_path, port=free_port())) as url:
        assert await listed(url, token()) == 503

    [said] = [each for each in caplog.records if "be authenticated" in each.getMessage()]
    assert said.__dict__["error"] == (
        "no client can authenticate, so none is served: ConfigMap default/keys does not exist"
        ": create it, or correct the name"
    )


async def test_requests_get_503_when_the_secret_with_the_keys_is_missing(tmp_path: Path) -> None:
    write(tmp_path, KEYED)
    async with serving(settings(tmp_path, port=free_port())) as url:
        assert await listed(url, "placeholder-of-alice") == 503
