"""The challenge and the metadata that tell a refused client where to get a token."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from mcp_operator.gateway.protocol.message import HttpRequest
from mcp_operator.gateway.protocol.origin import OriginPolicy
from support.entries import tool
from support.identity import ISSUER, MovedClock, by_token, token
from support.mcp_http import JSON_HEADERS, Server, modern

WELL_KNOWN = "/.well-known/oauth-protected-resource"
RESOURCE = "https://mcp.example.com/shop"


def server(
    policy: OriginPolicy | None = None, paths: tuple[str, ...] = ("/mcp",), **jwt: Any
) -> Server:
    auth = by_token(**jwt)
    return Server(
        tool("search"), clock=MovedClock(), auth=auth, paths=paths, policy=policy, title="The shop"
    )


def get(path: str, **headers: str) -> HttpRequest:
    return HttpRequest("GET", JSON_HEADERS | headers, path=path)


def document(shop: Server, path: str, **headers: str) -> Any:
    answer = shop.endpoint.metadata(get(path, **headers))
    return None if answer is None else json.loads(answer.body)


async def test_the_challenge_has_the_url_of_the_metadata_and_the_scopes() -> None:
    shop = server(required_scopes=("mcp:use",), resource=RESOURCE)

    answer = await shop.respond(replace(modern("tools/list"), path="/mcp"))

    assert answer.status == 401
    assert answer.headers["www-authenticate"] == (
        f'Bearer resource_metadata="https://mcp.example.com{WELL_KNOWN}/shop", scope="mcp:use"'
    )


@pytest.mark.parametrize("host", ["[:::::]", "[1.2.3.4]", "[::1", "a b", '"', "[::1%25]:99999"])
async def test_the_challenge_to_an_invalid_host_has_no_url_of_the_metadata(host: str) -> None:
    answer = await server().respond(replace(modern("tools/list", host=host), path="/mcp"))

    assert (answer.status, answer.headers["www-authenticate"].strip()) == (401, "Bearer")


async def test_the_challenge_to_a_wrong_token_has_the_reason_and_does_not_quote_it() -> None:
    shop = server(resource=RESOURCE)

    answer = await shop.respond(modern("tools/list", authorization=f"Bearer {token(exp=1)}"))

    assert answer.headers["www-authenticate"] == (
        'Bearer error="invalid_token", error_description="The token is not accepted: '
        'the token has expired", '
        f'resource_metadata="https://mcp.example.com{WELL_KNOWN}/shop"'
    )


async def test_a_token_without_a_required_scope_gets_403() -> None:
    shop = server(required_scopes=("mcp:use", "mcp:write"), resource=RESOURCE)

    answer = await shop.respond(modern("tools/list", authorization=f"Bearer {token()}"))

    assert answer.status == 403
    challenge = answer.headers["www-authenticate"]
    assert challenge.startswith('Bearer error="insufficient_scope"')
    assert challenge.endswith('scope="mcp:use mcp:write"')
    assert shop.observer.authentications == ["forbidden"]


@pytest.mark.parametrize(
    "scopes",
    [
        {"scope": "mcp:use x"},
        {"scope": None, "scp": "mcp:use"},
        {"scope": None, "scp": ["mcp:use"]},
    ],
)
async def test_scopes_in_any_format_of_providers_are_accepted(scopes: dict[str, Any]) -> None:
    shop = server(required_scopes=("mcp:use",))

    await shop.result(modern("tools/list", authorization=f"Bearer {token(**scopes)}"))


@pytest.mark.parametrize("scope", ["", "mcp:user", "MCP:USE", "mcp", ["mcp:use extra"]])
async def test_a_scope_is_compared_as_a_whole(scope: Any) -> None:
    shop = server(required_scopes=("mcp:use",))
    request = modern("tools/list", authorization=f"Bearer {token(scope=scope)}")

    assert (await shop.respond(request)).status == 403


@pytest.mark.parametrize("path", [WELL_KNOWN, f"{WELL_KNOWN}/mcp", f"{WELL_KNOWN}/mcp/"])
def test_the_metadata_is_served_at_both_well_known_paths(path: str) -> None:
    shop = server(resource=RESOURCE, scopes_supported=("mcp:use",))

    assert document(shop, path) == {
        "resource": RESOURCE,
        "authorization_servers": [ISSUER],
        "bearer_methods_supported": ["header"],
        "resource_name": "The shop",
        "scopes_supported": ["mcp:use"],
    }


def test_the_resource_defaults_to_the_url_of_the_request() -> None:
    shop = server(paths=("/mcp", "/shop"))

    assert document(shop, f"{WELL_KNOWN}/shop")["resource"] == "http://shop.demo:8080/shop"
    assert document(shop, WELL_KNOWN, host="[::1]:8080")["resource"] == "http://[::1]:8080/mcp"


@pytest.mark.parametrize("host", ['evil"', "a b", "a/b", "", "user@host", "host:", 'x", scope="y'])
async def test_an_invalid_host_is_not_quoted(host: str) -> None:
    shop = server()
    answer = await shop.respond(replace(modern("tools/list", host=host), path="/mcp"))

    assert answer.headers["www-authenticate"] == "Bearer "
    assert document(shop, WELL_KNOWN, host=host)["resource"] == "/mcp"


@pytest.mark.parametrize(
    "path", ["/", "/mcp", f"{WELL_KNOWN}x", f"{WELL_KNOWN}/other", "/x" + WELL_KNOWN]
)
def test_other_paths_do_not_serve_metadata(path: str) -> None:
    assert document(server(), path) is None


def test_a_server_without_token_authentication_has_no_metadata() -> None:
    assert document(Server(tool("search")), WELL_KNOWN) is None


def test_the_metadata_is_served_only_for_get_and_allowed_hosts() -> None:
    shop = server(
        OriginPolicy(allowed_hosts=["shop.demo"], allowed_origins=["https://chat.example"])
    )
    posted = shop.endpoint.metadata(HttpRequest("POST", JSON_HEADERS, path=WELL_KNOWN))
    foreign = shop.endpoint.metadata(get(WELL_KNOWN, host="evil.example"))
    asked = shop.endpoint.metadata(get(WELL_KNOWN, origin="https://chat.example"))

    assert posted is not None
    assert (posted.status, posted.headers["allow"]) == (405, "GET, HEAD")
    assert foreign is not None
    assert foreign.status == 403
    assert asked is not None
    assert asked.headers["access-control-allow-origin"] == "https://chat.example"


async def test_a_preflight_for_the_metadata_allows_the_requested_headers() -> None:
    shop = server(OriginPolicy(allowed_origins=["https://chat.example"]))
    asked = {"origin": "https://chat.example", "access-control-request-headers": "mcp-version"}

    answer = shop.endpoint.metadata(replace(get(WELL_KNOWN, **asked), method="OPTIONS"))

    assert answer is not None
    assert answer.status == 204
    assert answer.headers["access-control-allow-origin"] == "https://chat.example"
    assert answer.headers["access-control-allow-headers"] == "mcp-version"


async def test_a_web_page_of_an_allowed_origin_can_read_the_challenge() -> None:
    shop = server(OriginPolicy(allowed_origins=["https://chat.example"]))

    answer = await shop.respond(modern("tools/list", origin="https://chat.example"))

    assert answer.status == 401
    assert "www-authenticate" in answer.headers["access-control-expose-headers"]


async def test_too_many_new_tokens_get_429_with_retry_after(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mcp_operator.gateway.policy.by_token.VERIFICATIONS_PER_SECOND", 1)
    shop = server()
    second = modern("tools/list", authorization=f"Bearer {token(sub='bob')}")
    await shop.result(modern("tools/list", authorization=f"Bearer {token()}"))

    answer = await shop.respond(second)

    assert (answer.status, answer.headers["retry-after"]) == (429, "1")
    assert "www-authenticate" not in answer.headers
