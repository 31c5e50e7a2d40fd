"""A person logs in at a real OpenID provider, and the official client gets to its tools.

The provider is `oidc-provider`, which the OpenID foundation has certified. The test is the browser:
it logs in and consents. Everything else is done by the client as MCP's authorization has it, from
the 401 on: metadata, registration, PKCE, resource indicator, token.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urljoin, urlsplit

import aiohttp
import httpx2
import pytest
from mcp.client.auth import OAuthClientProvider
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import (
    AuthorizationCodeResult,
    OAuthClientInformationFull,
    OAuthClientMetadata,
    OAuthToken,
)
from pydantic import AnyUrl

from support.network import free_port
from support.processes import ProcessGroup
from support.serving import serving, settings, write
from support.waiting import eventually, hang_guard

FOLDER = os.environ.get("MCP_OPERATOR_IDENTITY", "")
TYPESCRIPT = os.environ.get("MCP_OPERATOR_TS_CLIENT", "")
CALLBACK = "http://127.0.0.1:1/callback"

pytestmark = pytest.mark.skipif(
    not (FOLDER and shutil.which("node")),
    reason="MCP_OPERATOR_IDENTITY names no folder with a provider (nox -s contract)",
)

SERVER = """\
apiVersion: mcp-operator.dev/v1alpha1
kind: MCPServer
metadata: {name: shop}
spec:
  toolSelector: {}
  audit: All
  auth:
    type: JWT
    jwt:
      issuer: %(issuer)s
      audiences: ["%(url)s"]
      jwksURI: http://login.default.svc:80/jwks
      requiredScopes: ["mcp:use"]
    rules:
      - {name: users, principals: ["*"], prompts: [hello]}
      - {name: admins, anyScope: ["mcp:admin"], prompts: ["*"]}
---
apiVersion: mcp-operator.dev/v1alpha1
kind: MCPPrompt
metadata: {name: hello}
spec: {name: hello, template: Hello}
---
apiVersion: mcp-operator.dev/v1alpha1
kind: MCPPrompt
metadata: {name: secret}
spec: {name: secret, template: For administrators}
"""


@dataclass
class Storage:
    """Keeps what a client would keep on disk."""

    tokens: OAuthToken | None = None
    client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


@dataclass
class Browser:
    """Logs in as one person, says yes, and keeps where it is led in the end."""

    person: str
    visited: list[str] = field(default_factory=list)

    async def open(self, url: str) -> None:
        jar = aiohttp.CookieJar(unsafe=True)  # cookies of an address, not of a name
        async with aiohttp.ClientSession(cookie_jar=jar) as session:
            form: dict[str, str] | None = None
            asked = ["consent", "login"]
            while not url.startswith(CALLBACK):
                self.visited.append(url)
                method = "POST" if form else "GET"
                async with session.request(method, url, data=form, allow_redirects=False) as answer:
                    assert answer.status in (200, 302, 303), await answer.text()
                    form = None
                    if answer.status == 200:
                        form = {"prompt": asked.pop(), "login": self.person, "password": "any"}
                    else:
                        url = urljoin(url, answer.headers["location"])
            self.visited.append(url)

    async def result(self) -> AuthorizationCodeResult:
        query = parse_qs(urlsplit(self.visited[-1]).query)
        assert "code" in query, query
        return AuthorizationCodeResult(
            code=query["code"][0], state=query["state"][0], iss=query["iss"][0]
        )


@asynccontextmanager
async def logged_in(url: str, browser: Browser, storage: Storage) -> AsyncIterator[Client]:
    auth = OAuthClientProvider(
        url,
        OAuthClientMetadata(redirect_uris=[AnyUrl(CALLBACK)], token_endpoint_auth_method="none"),  # noqa: S106
        storage,
        redirect_handler=browser.open,
        callback_handler=browser.result,
    )
    async with (
        httpx2.AsyncClient(auth=auth) as http,
        Client(streamable_http_client(url, http_client=http)) as client,
    ):
        yield client


@pytest.fixture
async def shop(tmp_path: Path, processes: ProcessGroup) -> AsyncIterator[str]:
    """Serve files that trust the provider; gives the URL."""
    at, port = free_port(), free_port()
    url = f"http://127.0.0.1:{port}/mcp"
    processes.start("provider", ["node", Path(FOLDER) / "provider.mjs", str(at), url])
    issuer = f"http://127.0.0.1:{at}"

    async def answers() -> bool:
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.get(f"{issuer}/.well-known/openid-configuration") as answer,
            ):
                return answer.status == 200
        except aiohttp.ClientError:
            return False

    await eventually(answers, expected=True)
    write(tmp_path, SERVER % {"issuer": issuer, "url": url})
    chosen = settings(tmp_path, port=port, services=f"login=127.0.0.1:{at}")
    async with serving(chosen) as served:
        assert served == url
        yield url


async def test_a_person_logs_in_and_their_client_is_served(
    shop: str, caplog: pytest.LogCaptureFixture
) -> None:
    browser, storage = Browser("alice"), Storage()
    async with hang_guard(), logged_in(shop, browser, storage) as client:
        prompts = [prompt.name for prompt in (await client.list_prompts()).prompts]
        await client.get_prompt("hello")

    assert prompts == ["hello"]
    query = parse_qs(urlsplit(browser.visited[0]).query)
    assert query["resource"] == [shop]
    assert query["code_challenge_method"] == ["S256"]
    assert "mcp:use" in query["scope"][0].split(" ")
    assert storage.tokens is not None
    assert storage.tokens.access_token not in caplog.text
    (call,) = [each for each in caplog.records if each.getMessage() == "A client made a call"]
    assert call.__dict__["client"] == "alice"


async def test_a_token_that_was_kept_is_good_without_a_login(shop: str) -> None:
    storage = Storage()
    async with hang_guard(), logged_in(shop, Browser("alice"), storage) as client:
        await client.list_prompts()
    second = Browser("alice")
    async with hang_guard(), logged_in(shop, second, storage) as client:
        await client.list_prompts()

    assert second.visited == []


async def test_a_client_asks_for_the_scope_that_it_is_told_it_lacks(shop: str) -> None:
    browser, storage = Browser("alice"), Storage()
    async with hang_guard(), logged_in(shop, browser, storage) as client:
        await client.get_prompt("secret")

    assert storage.tokens is not None
    assert "mcp:admin" in (storage.tokens.scope or "")


@pytest.mark.skipif(
    not TYPESCRIPT,
    reason="MCP_OPERATOR_TS_CLIENT names no folder with node_modules (nox -s contract)",
)
async def test_a_person_logs_in_with_the_typescript_client(shop: str) -> None:
    node = await asyncio.create_subprocess_exec(
        *("node", Path(TYPESCRIPT) / "login.mjs", shop, CALLBACK),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert node.stdin is not None
    assert node.stdout is not None
    async with hang_guard():
        browser = Browser("bob")
        await browser.open(json.loads(await node.stdout.readline()))
        node.stdin.write(f"{browser.visited[-1]}\n".encode())
        prompts = json.loads(await node.stdout.readline())
        assert await node.wait() == 0

    assert prompts == ["hello"]
    assert parse_qs(urlsplit(browser.visited[0]).query)["resource"] == [shop]
