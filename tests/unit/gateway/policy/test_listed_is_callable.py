"""Clients can call exactly what they are listed, for any principals and any rules."""

from __future__ import annotations

import asyncio
import json

from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_operator.api.access import AccessRule
from mcp_operator.api.catalog import JsonObject
from mcp_operator.gateway.policy.principal import Principal
from support.identity import API_KEYS
from support.mcp_http import Server, legacy, message_of, modern, table
from support.ruled_server import (
    CATALOG,
    NAMES,
    PROMPTS,
    RULES,
    TEMPLATES,
    URIS,
    allowed,
    principals,
    server,
)

Rules = tuple[AccessRule, ...]

rule_sets = st.lists(st.sampled_from(RULES), max_size=3, unique=True).map(tuple)


async def listed(shop: Server, method: str, field: str, key: str) -> set[str]:
    result = await shop.result(modern(method))
    assert result["cacheScope"] == "private"
    return {entry[key] for entry in result[field]}


async def served(shop: Server, method: str, params: JsonObject) -> bool:
    """Return whether the rules allow a request."""
    answer = await shop.respond(modern(method, params))
    if answer.status == 403:
        assert 'error="insufficient_scope"' not in answer.headers.get("www-authenticate", "")
        return False
    body = json.loads(answer.body)
    if "error" in body:
        assert body["error"]["message"].startswith(
            ("Unknown tool", "Unknown prompt", "Resource not found", "`ref` is neither a prompt")
        ), body
    return "result" in body


async def completed(shop: Server, ref: JsonObject) -> bool:
    """Return whether the completion finds its reference."""
    params = {"ref": ref, "argument": {"name": "none", "value": ""}}
    answer = await shop.respond(modern("completion/complete", params))
    return b"is neither a prompt" not in answer.body and answer.status != 403


async def subscribed(shop: Server) -> set[str]:
    """Return the acknowledged resources of a client that subscribes to all of them."""
    wanted = {"notifications": {"resourceSubscriptions": list(URIS)}}
    stream = await shop.stream(modern("subscriptions/listen", wanted))
    told = message_of(await anext(stream.frames))["params"]["notifications"]
    await stream.frames.aclose()
    return set(told.get("resourceSubscriptions", ()))


async def compare(shop: Server, principal: Principal, rules: Rules) -> None:
    """Compare everything that a client is listed and everything that it can use with the rules."""

    def expected(kind: str, names: tuple[str, ...]) -> set[str]:
        return {name for name in names if allowed(principal, kind, name, rules)}

    tools = await listed(shop, "tools/list", "tools", "name")
    assert tools == expected("tools", NAMES)
    for name in NAMES:
        assert await served(shop, "tools/call", {"name": name, "arguments": {}}) == (name in tools)
    prompts = await listed(shop, "prompts/list", "prompts", "name")
    assert prompts == expected("prompts", PROMPTS)
    for name in PROMPTS:
        assert await served(shop, "prompts/get", {"name": name}) == (name in prompts)
        assert await completed(shop, {"type": "ref/prompt", "name": name}) == (name in prompts)
    resources = await listed(shop, "resources/list", "resources", "uri")
    assert resources == expected("resources", URIS) == await subscribed(shop)
    for uri in URIS:
        assert await served(shop, "resources/read", {"uri": uri}) == (uri in resources)
    templates = await listed(shop, "resources/templates/list", "resourceTemplates", "uriTemplate")
    assert templates == expected("resources", TEMPLATES)
    for uri in TEMPLATES:
        read = await served(shop, "resources/read", {"uri": uri.replace("{id}", "7")})
        assert read == (uri in templates)
        assert await completed(shop, {"type": "ref/resource", "uri": uri}) == (uri in templates)


@settings(max_examples=1000, deadline=None)
@given(principals)
def test_any_client_can_call_exactly_what_it_is_listed(principal: Principal) -> None:
    shop, guard = server()
    guard.who = principal
    asyncio.run(compare(shop, principal, RULES))


@settings(max_examples=60, deadline=None)
@given(principals, st.lists(rule_sets, min_size=2, max_size=4))
def test_a_client_can_call_exactly_what_it_is_listed_after_each_change_of_rules(
    principal: Principal, sets: list[Rules]
) -> None:
    shop, guard = server()
    guard.who = principal

    async def change() -> None:
        session = await shop.initialize()
        for rules in sets:
            auth = API_KEYS.model_copy(update={"rules": rules})
            shop.current.swap(table(*CATALOG, auth=auth))
            await compare(shop, principal, rules)
            request = legacy("tools/list", mcp_session_id=session)
            old = {each["name"] for each in (await shop.result(request))["tools"]}
            assert old == {name for name in NAMES if allowed(principal, "tools", name, rules)}

    asyncio.run(change())


@settings(max_examples=60, deadline=None)
@given(st.lists(principals, min_size=2, max_size=5), rule_sets)
def test_alternating_clients_can_call_exactly_what_each_is_listed(
    clients: list[Principal], rules: Rules
) -> None:
    shop, guard = server()
    auth = API_KEYS.model_copy(update={"rules": rules})
    shop.current.swap(table(*CATALOG, auth=auth))

    async def take_turns() -> None:
        for principal in (*clients, *clients):
            guard.who = principal
            await compare(shop, principal, rules)

    asyncio.run(take_turns())
