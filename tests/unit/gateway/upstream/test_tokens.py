"""Access tokens: fetched once, cached until they expire, never shown."""

from __future__ import annotations

import asyncio
import json
from urllib.parse import parse_qs

import pytest

from mcp_operator.api.catalog import Credentials, OAuth2, SecretKey
from mcp_operator.gateway.upstream.answer import Answer
from mcp_operator.gateway.upstream.client import Tls, UpstreamError
from mcp_operator.gateway.upstream.mapping import Request
from mcp_operator.gateway.upstream.reading import StreamLimits
from mcp_operator.gateway.upstream.tokens import MAX_TOKENS, Tokens
from support.entries import backend
from support.fake_upstream import FakeSecrets, fields

pytestmark = pytest.mark.looptime

SECRETS = {"id": b"shop client\n", "secret": b"p@ss:word/1"}


class TokenEndpoint:
    """Responds with a new token each time, or as the test sets it."""

    def __init__(self, **fields: object) -> None:
        self.fields = fields
        self.status = 200
        self.body: bytes | None = None
        self.sent: list[Request] = []
        self.error: Exception | None = None

    async def send(
        self, request: Request, tls: Tls, max_bytes: int, stream: StreamLimits | None = None
    ) -> Answer:
        self.sent.append(request)
        await asyncio.sleep(1)
        if self.error:
            raise self.error
        token = {"access_token": f"token-{len(self.sent)}", "token_type": "Bearer"}
        body = self.body or json.dumps(token | self.fields).encode()
        return Answer(self.status, "application/json", body)


def credentials(**fields: object) -> Credentials:
    endpoint = backend("/token", host="login.example.com", external=True)
    return Credentials(
        type="OAuth2",
        secret=SecretKey(namespace="demo", name="s", key="secret"),
        username=SecretKey(namespace="demo", name="s", key="id"),
        oauth2=OAuth2.model_validate({"endpoint": endpoint, **fields}),
    )


def tokens(endpoint: TokenEndpoint) -> Tokens:
    return Tokens(endpoint, FakeSecrets(SECRETS))


async def token(source: Tokens, **fields: object) -> str:
    return (await source.token(credentials(**fields)))[0]


@pytest.fixture
def endpoint() -> TokenEndpoint:
    return TokenEndpoint(expires_in=3600)


async def test_a_token_request_has_basic_authentication_and_the_declared_scopes(
    endpoint: TokenEndpoint,
) -> None:
    await token(tokens(endpoint), scopes=("read", "write"), audience="a b", resource="https://r")
    [request] = endpoint.sent
    assert (request.method, request.host, request.target) == ("POST", "login.example.com", "/token")
    assert request.external
    assert parse_qs((request.body or b"").decode()) == {
        "grant_type": ["client_credentials"],
        "scope": ["read write"],
        "audience": ["a b"],
        "resource": ["https://r"],
    }
    headers = dict(fields(request))
    assert headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert headers["Authorization"] == "Basic c2hvcCtjbGllbnQ6cCU0MHNzJTNBd29yZCUyRjE="


async def test_the_client_can_authenticate_in_the_form(endpoint: TokenEndpoint) -> None:
    await token(tokens(endpoint), in_form=True)
    [request] = endpoint.sent
    assert "Authorization" not in dict(fields(request))
    form = parse_qs((request.body or b"").decode())
    assert (form["client_id"], form["client_secret"]) == (["shop client"], ["p@ss:word/1"])


async def test_concurrent_calls_share_one_token(endpoint: TokenEndpoint) -> None:
    source = tokens(endpoint)
    assert set(await asyncio.gather(*(token(source) for _ in range(20)))) == {"token-1"}
    assert len(endpoint.sent) == 1


async def test_a_call_that_waits_for_a_cancelled_one_fetches_its_own_token(
    endpoint: TokenEndpoint,
) -> None:
    source = tokens(endpoint)
    first = asyncio.create_task(token(source))
    second = asyncio.create_task(token(source))
    await asyncio.sleep(0.5)
    first.cancel()
    assert await second == "token-2"


async def test_a_token_is_fetched_again_shortly_before_it_expires(endpoint: TokenEndpoint) -> None:
    source = tokens(endpoint)
    await token(source)
    await asyncio.sleep(3500)
    assert await token(source) == "token-1"
    await asyncio.sleep(75)
    assert await token(source) == "token-2"


@pytest.mark.parametrize(
    ("lifetime", "kept"),
    [
        *((100, 89), ("100", 89), (None, 265), ("soon", 265), (True, 0.5)),
        pytest.param(10**400, 265, id="400 digits"),
    ],
)
async def test_a_token_is_cached_for_the_lifetime_in_the_response(
    lifetime: object, kept: int
) -> None:
    endpoint = TokenEndpoint(expires_in=lifetime)
    source = tokens(endpoint)
    await token(source)
    await asyncio.sleep(kept)
    assert await token(source) == "token-1"
    await asyncio.sleep(10)
    assert await token(source) == "token-2"


async def test_a_refused_token_is_replaced_once(endpoint: TokenEndpoint) -> None:
    source = tokens(endpoint)
    source.reject(await token(source))
    assert await token(source) == "token-2"
    source.reject("token-1")
    assert await token(source) == "token-2"


async def test_each_set_of_credentials_and_scopes_has_its_own_token(
    endpoint: TokenEndpoint,
) -> None:
    secrets = FakeSecrets(SECRETS)
    source = Tokens(endpoint, secrets)
    assert await token(source) == "token-1"
    assert await token(source, scopes=("read",)) == "token-2"
    secrets.values["secret"] = b"rotated"
    assert await token(source) == "token-3"


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (401, b'{"error":"invalid_client","error_description":"p@ss:word/1"}', "invalid_client"),
        (400, b'{"error":"<script>p@ss:word/1"}', "answered 400."),
        (500, b"p@ss:word/1", "answered 500."),
        (200, b"[]", "answered 200."),
        (200, b'{"access_token":""}', "answered 200."),
        (200, b'{"access_token":"a\\r\\nX-Admin: 1"}', "answered 200."),
        (200, b'{"access_token":"a","token_type":"mac"}', "not a bearer token"),
        (302, b"", "answered 302."),
    ],
)
async def test_an_invalid_token_response_is_an_error_that_shows_no_secret(
    endpoint: TokenEndpoint, status: int, body: bytes, said: str
) -> None:
    endpoint.status, endpoint.body = status, body or b" "
    with pytest.raises(UpstreamError) as caught:
        await token(tokens(endpoint))
    assert caught.value.reason == "credentials"
    assert said in str(caught.value)
    assert "p@ss" not in repr(caught.value)


async def test_a_failure_is_shared_by_concurrent_calls_and_retried_later(
    endpoint: TokenEndpoint,
) -> None:
    source = tokens(endpoint)
    endpoint.error = UpstreamError("connect", "The backend refuses connections.")
    results = await asyncio.gather(*(token(source) for _ in range(5)), return_exceptions=True)
    assert {str(result) for result in results} == {"The backend refuses connections."}
    assert len(endpoint.sent) == 1
    endpoint.error = None
    await asyncio.sleep(1)
    assert await token(source) == "token-2"


async def test_the_number_of_cached_tokens_is_bounded(endpoint: TokenEndpoint) -> None:
    source = tokens(endpoint)
    await token(source)
    names = (str(number) for number in range(MAX_TOKENS))
    await asyncio.gather(*(token(source, audience=name) for name in names))
    assert await token(source) == f"token-{MAX_TOKENS + 2}"
