"""The credentials that a call sends to its backend, and that results do not contain them."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import parse_qsl

import pytest

from mcp_operator.api.catalog import Backend, Credentials, Header, OAuth2, SecretKey
from mcp_operator.gateway.contract import Call, ToolResult, Validators
from mcp_operator.gateway.execute import HttpExecutor
from mcp_operator.gateway.table import Current, Table
from mcp_operator.gateway.upstream.answer import Answer
from mcp_operator.gateway.upstream.client import Tls
from mcp_operator.gateway.upstream.mapping import Request
from mcp_operator.gateway.upstream.reading import StreamLimits
from support.entries import argument, backend, catalog, tool
from support.fake_upstream import CANARY, FakeSecrets, FakeUpstream, fields
from support.results import completed

KEY = SecretKey(namespace="demo", name="api", key="token")
USER = SecretKey(namespace="demo", name="api", key="user")
SPECIAL = b"a&b=c d/secret"


async def call(
    upstream: Any, to: Backend, secrets: FakeSecrets | None = None, **arguments: Any
) -> ToolResult:
    called, current = tool(to=to), Current()
    current.swap(Table(catalog(called), "d"))
    executor = HttpExecutor(current, upstream, secrets or FakeSecrets())
    sent = Call(headers={"cookie": "sid=client; lang=de"})
    return await completed(executor.call_tool(called, arguments, sent))


def echo() -> FakeUpstream:
    return FakeUpstream(Answer(200, "text/plain", b"fine"))


def query_of(upstream: FakeUpstream) -> list[tuple[str, str]]:
    return parse_qsl(upstream.sent[-1][0].target.partition("?")[2])


@pytest.mark.parametrize(
    ("credentials", "header", "value"),
    [
        ({"type": "Bearer", "prefix": "Token "}, "Authorization", f"Token {CANARY.decode()}"),
        ({"type": "Header", "prefix": "ApiKey "}, "Authorization", f"ApiKey {CANARY.decode()}"),
        ({"type": "Header", "name": "X-Key"}, "X-Key", CANARY.decode()),
        ({"type": "Cookie", "name": "sid"}, "Cookie", f"sid={CANARY.decode()}"),
    ],
)
async def test_a_token_is_sent_in_the_declared_place_and_format(
    credentials: Any, header: str, value: str
) -> None:
    upstream = echo()
    await call(upstream, backend(credentials={"secret": KEY, **credentials}))
    assert upstream.headers[header] == value


async def test_a_token_in_the_query_is_encoded_and_comes_last() -> None:
    upstream = echo()
    to = backend(
        "/w",
        argument("q"),
        query=(Header(name="v", value="1"), Header(name="key", secret=KEY)),
        credentials=Credentials(type="Query", name="appid", prefix="x:", secret=KEY),
    )
    await call(upstream, to, FakeSecrets({"token": SPECIAL}), q="tea")
    plain = SPECIAL.decode()
    assert query_of(upstream) == [("v", "1"), ("q", "tea"), ("key", plain), ("appid", f"x:{plain}")]


@pytest.mark.parametrize("encoded", [b"a&b=c d/secret", b"a%26b%3Dc%20d%2Fsecret"])
async def test_a_token_of_the_query_is_redacted_in_the_result(encoded: bytes) -> None:
    upstream = FakeUpstream(Answer(404, "text/plain", b"no page /w?appid=" + encoded))
    to = backend(credentials=Credentials(type="Query", name="appid", secret=KEY))
    result = await call(upstream, to, FakeSecrets({"token": SPECIAL}))
    assert "secret" not in json.dumps(result.content)
    assert "[redacted]" in json.dumps(result.content)


@pytest.mark.parametrize("name", ["appid", "APPID", "appid[x]"])
async def test_an_argument_cannot_replace_a_token_in_the_query(name: str) -> None:
    upstream = echo()
    to = backend(
        "/", argument("q"), credentials=Credentials(type="Query", name="appid", secret=KEY)
    )
    assert (await call(upstream, to, q={name: "mine"})).is_error
    assert not upstream.sent


async def test_the_declared_cookie_replaces_cookies_of_the_client_and_refuses_arguments() -> None:
    credentials = Credentials(type="Cookie", name="sid", secret=KEY)
    upstream = echo()
    await call(upstream, backend(credentials=credentials, forward_headers=("cookie",)))
    assert upstream.headers["cookie" if "cookie" in upstream.headers else "Cookie"] == (
        f"lang=de; sid={CANARY.decode()}"
    )
    await call(upstream, backend("/", argument("a", "cookie"), credentials=credentials), a="1")
    assert upstream.headers["Cookie"] == f"a=1; sid={CANARY.decode()}"
    taken = backend("/", argument("a", "cookie"), credentials=credentials)
    assert (await call(upstream, taken, a={"sid": "mine"})).is_error


class OAuthBackend:
    """A backend that accepts one token, and a token endpoint that returns a new one each time."""

    def __init__(self, valid: str) -> None:
        self.valid = valid
        self.sent: list[Request] = []
        self.tokens = 0

    async def send(
        self, request: Request, tls: Tls, max_bytes: int, stream: StreamLimits | None = None
    ) -> Answer:
        self.sent.append(request)
        await asyncio.sleep(0)
        if request.target == "/token":
            self.tokens += 1
            body = json.dumps({"access_token": f"secret-token-{self.tokens}"}).encode()
            return Answer(200, "application/json", body)
        sent = dict(fields(request))["Authorization"]
        return Answer(200 if sent == f"Bearer {self.valid}" else 401, "text/plain", sent.encode())


def oauth() -> Backend:
    client = OAuth2(endpoint=backend("/token", host="login.demo.svc"))
    return backend(credentials=Credentials(type="OAuth2", secret=KEY, username=USER, oauth2=client))


SECRETS = {"token": CANARY, "user": b"shop"}


async def test_an_access_token_is_fetched_and_redacted_in_the_result() -> None:
    upstream = OAuthBackend("secret-token-1")
    result = await call(upstream, oauth(), FakeSecrets(SECRETS))
    assert not result.is_error
    assert result.content[0]["text"] == "Bearer [redacted]"
    assert [request.target for request in upstream.sent] == ["/token", "/"]


async def test_a_call_whose_token_is_refused_is_retried_once_with_a_new_one() -> None:
    upstream = OAuthBackend("secret-token-2")
    result = await call(upstream, oauth(), FakeSecrets(SECRETS))
    assert not result.is_error
    assert [request.target for request in upstream.sent] == ["/token", "/", "/token", "/"]


async def test_a_conditional_call_stays_conditional_when_it_is_retried_with_a_new_token() -> None:
    upstream, called = OAuthBackend("secret-token-2"), tool(to=oauth())
    current = Current()
    current.swap(Table(catalog(called), "d"))
    executor = HttpExecutor(current, upstream, FakeSecrets(SECRETS))
    await executor.call_tool(called, {}, Call(validators=Validators('"v1"')))
    asked = [dict(fields(request)) for request in upstream.sent if request.target == "/"]
    assert [headers["If-None-Match"] for headers in asked] == ['"v1"', '"v1"']


async def test_a_call_whose_new_token_is_refused_too_fails() -> None:
    upstream = OAuthBackend("other")
    secrets = FakeSecrets(SECRETS)
    assert (await call(upstream, oauth(), secrets)).is_error
    assert [request.target for request in upstream.sent] == ["/token", "/", "/token", "/"]
    assert {key.key for key in secrets.distrusted} == {"token", "user"}


async def test_a_tool_with_a_field_of_a_later_release_is_rejected() -> None:
    later = Backend.model_validate({"host": "a.b.svc", "port": 80, "sign": {"key": "x"}})
    nested = backend(headers=[{"name": "X", "value": "a", "encoding": "base64"}])
    table = Table(catalog(tool("a", later), tool("b", nested), tool("c")), "d")
    assert list(table.tools) == ["c"]
    assert "sign" in table.rejected["tool a"]
    assert "encoding" in table.rejected["tool b"]
