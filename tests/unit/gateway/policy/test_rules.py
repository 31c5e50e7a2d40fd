"""Access rules: the same decision for lists and for calls."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mcp_operator.api.access import AccessRule, ClaimValues
from mcp_operator.api.catalog import Auth, JsonObject
from mcp_operator.api.prompts import PromptMessage
from mcp_operator.gateway.policy.access import matches
from mcp_operator.gateway.policy.principal import ANONYMOUS, Principal
from support.entries import prompt
from support.identity import API_KEYS, Clients, MovedClock, by_token, token
from support.mcp_http import Server, legacy, message_of, modern, post, table
from support.ruled_server import CATALOG, NAMES, URIS, server


async def listed(shop: Server, method: str, field: str, key: str) -> set[str]:
    result = await shop.result(modern(method))
    assert result["cacheScope"] == "private"
    return {entry[key] for entry in result[field]}


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("*", "", True),
        ("*", "anything", True),
        ("", "", True),
        ("a", "a", True),
        ("a", "ab", False),
        ("a*", "a", True),
        ("*a", "ba", True),
        ("a*a", "a", False),
        ("a*b*c", "a-b-c", True),
        ("a*b*c", "a-c-b", False),
        ("a*b*b", "ab", False),
        ("**", "x", True),
        ("a.c", "abc", False),
        ("[ab]", "a", False),
        ("a?c", "abc", False),
        ("A*", "abc", False),
    ],
)
def test_a_star_matches_any_characters_and_other_characters_match_literally(
    pattern: str,
    text: str,
    expected: bool,  # noqa: FBT001
) -> None:
    assert matches(pattern, text) is expected


def test_a_pattern_with_many_stars_is_matched_without_backtracking() -> None:
    assert matches("*a" * 128 + "b", "a" * 2048) is False


async def test_a_call_that_lacks_a_scope_gets_403_that_names_the_scope() -> None:
    rules = (AccessRule(tools=("delete-*",), any_scope=("orders:write", "admin")),)
    auth = by_token(required_scopes=("mcp:use",)).model_copy(update={"rules": rules})
    shop = Server(*CATALOG, clock=MovedClock(), auth=auth)
    header = f"Bearer {token()}"

    async def answer(method: str, params: JsonObject) -> Any:
        return await shop.respond(modern(method, params, authorization=header))

    closed = await answer("tools/call", {"name": "delete-order"})
    assert closed.status == 403
    challenge = closed.headers["www-authenticate"]
    assert 'error="insufficient_scope"' in challenge
    assert challenge.endswith('scope="mcp:use orders:write admin"')
    assert shop.executor.calls == []
    absent = await answer("tools/call", {"name": "search"})
    assert b"Unknown tool: search" in absent.body
    unknown = await answer("tools/call", {"name": "delete-nothing"})
    assert b"Unknown tool: delete-nothing" in unknown.body
    header = f"Bearer {token(scope='mcp:use admin')}"
    assert (await answer("tools/call", {"name": "delete-order"})).status == 200


async def test_a_rule_matches_nested_claims_and_lists_of_values() -> None:
    claims = (ClaimValues(name="realm_access.roles", values=("admin",)),)
    auth = by_token().model_copy(update={"rules": (AccessRule(tools=("*",), claims=claims),)})
    shop = Server(*CATALOG, clock=MovedClock(), auth=auth)

    async def count(**given: Any) -> int:
        request = modern("tools/list", authorization=f"Bearer {token(**given)}")
        return len((await shop.result(request))["tools"])

    assert await count(realm_access={"roles": ["user", "admin"]}) == len(NAMES)
    assert await count(realm_access={"roles": "admin"}) == len(NAMES)
    assert await count(**{"realm_access.roles": ["admin"]}) == len(NAMES)
    assert await count(realm_access={"roles": [{"admin": True}, 1]}) == 0
    assert await count(realm_access=["admin"]) == 0
    assert await count() == 0


async def test_a_prompt_does_not_embed_a_resource_that_its_client_cannot_read() -> None:
    rules = (AccessRule(prompts=("*",), principals=("*",)),)
    shop, _ = server(*rules)
    leak = PromptMessage(resource_uri=URIS[1])
    embedding = prompt(name="leak").model_copy(update={"messages": (leak,)})
    auth = API_KEYS.model_copy(update={"rules": rules})
    shop.current.swap(table(*CATALOG, embedding, auth=auth))

    _, error = await shop.error(modern("prompts/get", {"name": "leak"}))

    assert error["message"] == f"Resource not found: {URIS[1]}"


async def test_both_eras_apply_the_same_rules() -> None:
    shop, guard = server()
    guard.who = Principal("alice")
    session = await shop.initialize()

    old = await shop.result(legacy("tools/list", mcp_session_id=session))
    new = await shop.result(modern("tools/list"))

    assert [each["name"] for each in old["tools"]] == [each["name"] for each in new["tools"]]
    assert {each["name"] for each in old["tools"]} == {"get-order", "delete-order"}
    call = legacy("tools/call", {"name": "admin.reset"}, mcp_session_id=session)
    assert "Unknown tool" in (await shop.error(call))[1]["message"]
    subscribe = legacy("resources/subscribe", {"uri": URIS[1]}, mcp_session_id=session)
    assert "Resource not found" in (await shop.error(subscribe))[1]["message"]


async def test_a_stream_does_not_acknowledge_a_resource_that_the_client_cannot_read() -> None:
    shop, guard = server()
    guard.who = Principal("alice")
    wanted = {"notifications": {"resourceSubscriptions": list(URIS)}}

    stream = await shop.stream(modern("subscriptions/listen", wanted))

    acknowledged = message_of(await anext(stream.frames))["params"]["notifications"]
    assert acknowledged == {"resourceSubscriptions": [URIS[0]]}


async def test_lists_are_public_only_without_authentication() -> None:
    assert (await Server(*CATALOG).result(modern("tools/list")))["cacheScope"] == "public"
    keyed = Server(*CATALOG, secrets=Clients(alice="alice-0123456789abcdef"), auth=API_KEYS)
    request = modern("tools/list", x_api_key="alice-0123456789abcdef")
    assert (await keyed.result(request))["cacheScope"] == "private"


async def test_the_pages_of_a_filtered_list_contain_every_allowed_tool() -> None:
    rules = (AccessRule(tools=("get-*", "delete-*"), principals=("*",)),)
    shop, _ = server(*rules)
    auth = API_KEYS.model_copy(update={"rules": rules})
    shop.current.swap(table(*CATALOG, auth=auth, page_size=1))
    names, cursor = [], None
    while True:
        page = await shop.result(modern("tools/list", {"cursor": cursor} if cursor else {}))
        names += [each["name"] for each in page["tools"]]
        if (cursor := page.get("nextCursor")) is None:
            break

    assert names == ["delete-order", "get-order", "get-stock"]


async def test_changed_rules_apply_to_the_next_request() -> None:
    shop, guard = server()
    guard.who = Principal("alice")
    assert await listed(shop, "tools/list", "tools", "name") == {"get-order", "delete-order"}
    auth = Auth(
        api_keys=API_KEYS.api_keys, rules=(AccessRule(tools=("search",), principals=("alice",)),)
    )
    shop.current.swap(table(*CATALOG, auth=auth))
    assert await listed(shop, "tools/list", "tools", "name") == {"search"}


async def test_only_the_principal_that_opened_a_session_can_use_it() -> None:
    shop, guard = server()
    guard.who = Principal("alice", "issuer")
    session = await shop.initialize()
    assert (await shop.respond(legacy("ping", mcp_session_id=session))).status == 200

    for thief in (
        Principal("bob", "issuer"),
        Principal("alice", "other"),
        Principal("alice"),
        Principal(),
        Principal("issuer\nalice"),
    ):
        guard.who = thief
        answer = await shop.respond(legacy("ping", mcp_session_id=session))
        assert answer.status == 404


async def test_a_request_that_was_not_authenticated_gets_503_once_rules_apply() -> None:
    shop, guard = server()
    guard.who = ANONYMOUS
    session = legacy("initialize", {"protocolVersion": "2025-11-25"})

    for request in (modern("tools/list"), modern("tools/call", {"name": "search"}), session):
        assert (await shop.respond(request)).status == 503
    assert shop.executor.calls == []


async def test_the_name_header_does_not_grant_access_to_another_tool() -> None:
    shop, guard = server()
    guard.who = Principal("alice")
    hidden = {"name": "admin.reset", "arguments": {}}

    status, error = await shop.error(modern("tools/call", hidden, mcp_name="get-order"))
    assert (status, error["code"]) == (400, -32020)
    session = await shop.initialize()
    mirrored = {"mcp_session_id": session, "mcp_name": "get-order", "mcp_method": "tools/list"}
    _, error = await shop.error(legacy("tools/call", hidden, **mirrored))
    assert error["message"] == "Unknown tool: admin.reset"
    assert shop.executor.calls == []


async def test_a_batch_message_that_lacks_a_scope_does_not_affect_the_others() -> None:
    rules = (
        AccessRule(tools=("get-*",), principals=("*",)),
        AccessRule(tools=("delete-*",), any_scope=("orders:write",)),
    )
    auth = by_token().model_copy(update={"rules": rules})
    shop = Server(*CATALOG, clock=MovedClock(), auth=auth)
    header = f"Bearer {token()}"
    params = {"protocolVersion": "2025-03-26", "capabilities": {}, "clientInfo": {}}
    opened = await shop.respond(legacy("initialize", params, authorization=header))
    calls = [
        {"jsonrpc": "2.0", "id": name, "method": "tools/call", "params": {"name": name}}
        for name in ("get-order", "delete-order", "get-stock")
    ]

    session = opened.headers["mcp-session-id"]
    answer = await shop.respond(post(calls, authorization=header, mcp_session_id=session))

    answers = {each["id"]: each for each in json.loads(answer.body)}
    assert "result" in answers["get-order"]
    assert "lacks a scope" in answers["delete-order"]["error"]["message"]
    assert "result" in answers["get-stock"]


async def test_a_condition_of_a_rule_is_evaluated_with_the_claims_of_the_token(
    caplog: pytest.LogCaptureFixture,
) -> None:
    rules = (
        AccessRule(tools=("get-*",), when="claims.address.country == 'NL'"),
        AccessRule(tools=("delete-*",), when="'staff' in claims.groups && 'mcp:use' in scopes"),
        AccessRule(tools=("*",), when="no CEL"),
    )
    shop = Server(*CATALOG, clock=MovedClock(), auth=by_token().model_copy(update={"rules": rules}))

    async def names(**given: Any) -> set[str]:
        request = modern("tools/list", authorization=f"Bearer {token(**given)}")
        return {each["name"] for each in (await shop.result(request))["tools"]}

    assert await names(address={"country": "NL"}) == {"get-order", "get-stock"}
    assert await names(groups=["staff"]) == {"delete-order"}
    assert await names(groups=["staff"], scope="other") == set()
    assert await names(address="NL", groups="canary-5f1") == set()
    assert "Cannot evaluate the condition" in caplog.text
    assert "canary-5f1" not in str([vars(each) for each in caplog.records])
