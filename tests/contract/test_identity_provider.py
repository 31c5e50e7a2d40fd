"""A user logs in at a real OpenID provider, and the official client uses the tools.

The provider is `oidc-provider`, which the OpenID Foundation has certified. The test acts as the
browser: it logs in and consents. The client does everything else that MCP's authorization requires
after a 401: metadata, registration, PKCE, resource indicator, token.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
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
from support.served_samples import MODULE, reachable
from support.serving import serving, settings, write
from support.waiting import hang_guard

FOLDER = os.environ.get("MCP_OPERATOR_IDENTITY", "")
TYPESCRIPT = os.environ.get("MCP_OPERATOR_TS_CLIENT", "")
CALLBACK = "http://127.0.0.1:1/callback"
ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "how-to" / "authenticate-clients.md").read_text(encoding="utf-8")
REMOTE = os.environ.get("MCP_OPERATOR_CONNECT", "")

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
    """Keeps the tokens and registration that a client would keep on disk."""

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
    """Logs in as one user, consents, and records the visited URLs."""

    user: str
    callback: str = CALLBACK
    visited: list[str] = field(default_factory=list)

    async def open(self, url: str) -> None:
        jar = aiohttp.CookieJar(unsafe=True)  # cookies of an IP address
        async with aiohttp.ClientSession(cookie_jar=jar) as session:
            form: dict[str, str] | None = None
            asked = ["consent", "login"]
            while not url.startswith(self.callback):
                self.visited.append(url)
                method = "POST" if form else "GET"
                async with session.request(method, url, data=form, allow_redirects=False) as answer:
                    assert answer.status in (200, 302, 303), await answer.text()
                    form = None
                    if answer.status == 200:
                        form = {"prompt": asked.pop(), "login": self.user, "password": "any"}
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


async def provider(processes: ProcessGroup, port: int, resource: str) -> str:
    """Start the provider for one server; return its issuer once it responds."""
    processes.start("provider", ["node", Path(FOLDER) / "provider.mjs", str(port), resource])
    issuer = f"http://127.0.0.1:{port}"
    await reachable(f"{issuer}/.well-known/openid-configuration")
    return issuer


@pytest.fixture
async def shop(tmp_path: Path, processes: ProcessGroup) -> AsyncIterator[str]:
    """Serve files that trust the provider; yield the URL."""
    at, port = free_port(), free_port()
    url = f"http://127.0.0.1:{port}/mcp"
    issuer = await provider(processes, at, url)
    write(tmp_path, SERVER % {"issuer": issuer, "url": url})
    chosen = settings(tmp_path, port=port, services=f"login=127.0.0.1:{at}")
    async with serving(chosen) as served:
        assert served == url
        yield url


async def test_a_client_is_served_after_the_user_logs_in(
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


async def test_a_stored_token_needs_no_login(shop: str) -> None:
    storage = Storage()
    async with hang_guard(), logged_in(shop, Browser("alice"), storage) as client:
        await client.list_prompts()
    second = Browser("alice")
    async with hang_guard(), logged_in(shop, second, storage) as client:
        await client.list_prompts()

    assert second.visited == []


async def test_a_client_requests_the_scope_that_the_error_names(shop: str) -> None:
    browser, storage = Browser("alice"), Storage()
    async with hang_guard(), logged_in(shop, browser, storage) as client:
        await client.get_prompt("secret")

    assert storage.tokens is not None
    assert "mcp:admin" in (storage.tokens.scope or "")


@pytest.mark.skipif(
    not TYPESCRIPT,
    reason="MCP_OPERATOR_TS_CLIENT names no folder with node_modules (nox -s contract)",
)
async def test_the_typescript_client_is_served_after_the_user_logs_in(shop: str) -> None:
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


@pytest.mark.skipif(
    not REMOTE, reason="MCP_OPERATOR_CONNECT names no folder with mcp-remote (nox -s contract)"
)
@pytest.mark.parametrize(
    ("user", "tools"),
    [
        (
            "alice",
            ["cancel-order", "get-order", "place-order", "product-picture", "search-products"],
        ),
        ("bob", ["get-order", "product-picture", "search-products"]),
    ],
)
async def test_the_commands_of_the_guide_log_a_user_in(
    user: str, tools: list[str], tmp_path: Path, processes: ProcessGroup
) -> None:
    """Run the commands of the guide with free ports; the test acts as the browser."""
    at, port = free_port(), free_port()
    url = f"http://127.0.0.1:{port}/mcp"

    def moved(text: str) -> str:
        return text.replace("9000", str(at)).replace("8080", str(port))

    _, _, serve, _, remote = shown_commands()
    (tmp_path / "server.yaml").write_text(
        moved((ROOT / "examples" / "login" / "server.yaml").read_text(encoding="utf-8"))
    )
    words = [str(tmp_path / "server.yaml") if "login/" in word else moved(word) for word in serve]
    await provider(processes, at, url)
    processes.start("serve", [*MODULE, *words[1:], f"--port={port}"])
    await reachable(url)

    client = await asyncio.create_subprocess_exec(
        *("npx", "-p", "mcp-remote", *(moved(word) for word in remote[4:])),
        stdin=asyncio.subprocess.PIPE,  # it exits when its standard input ends
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=REMOTE,
        env={**os.environ, "HOME": str(tmp_path), "npm_config_offline": "true"},
    )
    assert client.stdout is not None
    async with hang_guard():
        while (line := await client.stdout.readline()) and not line.startswith(b"http://"):
            pass
        browser = Browser(user, "http://localhost:")
        await browser.open(line.decode().strip())
        async with aiohttp.ClientSession() as session:
            await session.get(browser.visited[-1])
        printed = await client.stdout.read()
        await client.wait()

    listed = printed.decode().partition("Tools: ")[2].partition("\n[")[0]
    assert [tool["name"] for tool in json.loads(listed)["tools"]] == tools


def shown_commands() -> list[list[str]]:
    """Return the words of each command in the guide's last section."""
    section = GUIDE.rpartition("\n## ")[2]
    shown = re.findall(r"^\$ ((?:.*\\\n)*.*)$", section, re.MULTILINE)
    return [shlex.split(each.replace("\\\n", " ")) for each in shown]
