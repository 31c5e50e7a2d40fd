"""Calls that exceed the limits of a server."""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import replace
from typing import Any

import pytest

from mcp_operator.api.access import AccessRule
from mcp_operator.api.catalog import ApiKeys, Auth
from mcp_operator.api.limits import LimitRule, RateLimit, RateLimits
from mcp_operator.gateway.limits.plan import Plan
from mcp_operator.gateway.protocol.message import HttpRequest
from mcp_operator.gateway.upstream.secret_values import StaticSecrets
from support.entries import prompt, resource, tool
from support.mcp_http import Server, legacy, modern, table

pytestmark = pytest.mark.looptime


def rate(requests: int = 1, seconds: int = 60, burst: int | None = None) -> RateLimit:
    return RateLimit(requests=requests, seconds=seconds, burst=burst or requests)


def call(name: str = "search", address: str = "192.0.2.1", **headers: str) -> HttpRequest:
    return replace(modern("tools/call", {"name": name}, **headers), address=address)


def read(uri: str) -> HttpRequest:
    return modern("resources/read", {"uri": uri})


async def statuses(server: Server, *requests: HttpRequest) -> list[int]:
    return [(await server.respond(request)).status for request in requests]


def server(*entries: Any, **limits: Any) -> Server:
    return Server(*(entries or [tool()]), rate_limits=RateLimits(**limits))


async def test_a_call_over_the_limit_gets_429_with_retry_after() -> None:
    shop = server(shared=rate(2, seconds=60))
    assert await statuses(shop, call(), call()) == [200, 200]
    answer = await shop.respond(call())
    assert (answer.status, answer.headers["retry-after"]) == (429, "30")
    error = json.loads(answer.body)["error"]
    assert error["code"] == -31001
    assert error["message"].endswith("try again in 30 seconds")
    assert [name for name, _ in shop.executor.calls] == ["search", "search"]

    await asyncio.sleep(30)
    assert await statuses(shop, call(), call()) == [200, 429]


async def test_a_refused_call_is_counted_as_rejected_and_not_as_a_tool_call() -> None:
    shop = server(shared=rate())
    await statuses(shop, call(), call())
    assert [outcome for _, _, outcome in shop.observer.requests] == ["ok", "rejected"]
    assert shop.observer.tools == [("search", "ok")]
    assert shop.observer.limits == ["shared"]


async def test_the_audit_log_records_a_refused_call(caplog: pytest.LogCaptureFixture) -> None:
    shop = Server(tool(), rate_limits=RateLimits(shared=rate()), audit="Failures")
    with caplog.at_level(logging.INFO):
        await statuses(shop, call(), call())
    [line] = [record for record in caplog.records if record.message == "A client made a call"]
    assert (line.__dict__["tool"], line.__dict__["outcome"]) == ("search", "rejected")


async def test_each_client_has_its_own_limit() -> None:
    shop = server(per_client=rate())
    assert await statuses(
        shop, call(), call(), call(address="192.0.2.2"), call(address="192.0.2.2")
    ) == [200, 429, 200, 429]
    assert shop.observer.limits == ["perClient", "perClient"]


async def test_an_authenticated_client_has_one_limit_across_its_addresses() -> None:
    keys = {"alice": "a" * 32, "bob": "b" * 32}
    secret = {"kind": "Secret", "metadata": {"namespace": "demo", "name": "keys"}}
    shop = Server(
        tool(),
        secrets=StaticSecrets([secret | {"stringData": keys}]),
        auth=Auth(api_keys=ApiKeys(namespace="demo", name="keys")),
        rate_limits=RateLimits(per_client=rate()),
    )
    alice, bob = (f"Bearer {key}" for key in keys.values())
    found = [
        call(authorization=alice),
        call(authorization=alice, address="192.0.2.2"),
        call(authorization=bob),
    ]
    assert await statuses(shop, *found) == [200, 429, 200]


async def test_lists_and_discovery_do_not_count_toward_the_limit() -> None:
    shop = server(shared=rate())
    assert (
        await statuses(shop, call(), *[modern("tools/list"), modern("server/discover")] * 9)
        == [200] * 19
    )


async def test_prompts_resources_and_completions_count_toward_the_limit() -> None:
    shop = server(tool(), prompt("hello"), resource(uri="docs://a", text="a"), shared=rate())
    reference = {"type": "ref/prompt", "name": "review"}
    completion = {"ref": reference, "argument": {"name": "x", "value": ""}}
    await statuses(shop, call())
    assert (
        await statuses(
            shop,
            modern("prompts/get", {"name": "review"}),
            read("docs://a"),
            modern("completion/complete", completion),
            call("unknown"),
        )
        == [429] * 4
    )


async def test_revisions_with_sessions_count_each_call_of_a_batch() -> None:
    shop = server(shared=rate(2))
    session = await shop.initialize("2025-03-26")
    request = legacy("tools/call", {"name": "search"}, mcp_session_id=session)
    assert await statuses(shop, request) == [200]
    batch = [json.loads(request.body) | {"id": number} for number in (1, 2)]
    answer = await shop.respond(replace(request, body=json.dumps(batch).encode()))
    assert ["error" in each for each in json.loads(answer.body)] == [False, True]


async def test_tools_that_match_a_pattern_share_its_limit_and_others_do_not() -> None:
    shop = server(
        tool("orders-get"),
        tool("orders-list"),
        tool("stock"),
        tools=(LimitRule(pattern="orders-*", shared=rate()),),
    )
    assert await statuses(shop, call("orders-get"), call("orders-list"), *[call("stock")] * 5) == [
        200,
        429,
        *[200] * 5,
    ]
    assert shop.observer.limits == ["tools"]


async def test_a_call_must_be_within_the_limit_of_every_matching_pattern() -> None:
    narrow = LimitRule(pattern="a", per_client=rate())
    wide = LimitRule(pattern="*", shared=rate(3))
    shop = server(tool("a"), tool("b"), tools=(narrow, wide))
    assert await statuses(shop, *[call("a")] * 9, *[call("b")] * 3) == [
        200,
        *[429] * 8,
        *[200] * 2,
        429,
    ]


async def test_prompts_and_resources_have_their_own_patterns() -> None:
    rules = (LimitRule(pattern="*", shared=rate()),)
    shop = server(prompt("x"), resource(uri="docs://a", text="a"), prompts=rules, resources=rules)
    get = modern("prompts/get", {"name": "review"})
    assert await statuses(shop, get, get, read("docs://a"), read("docs://a")) == [
        *(200, 429),
        *(200, 429),
    ]
    assert shop.observer.limits == ["prompts", "resources"]


async def test_resources_of_a_template_share_a_limit() -> None:
    template = resource(uri_template="docs://{id}", text="a")
    shop = server(template, resources=(LimitRule(pattern="docs://{id}", shared=rate()),))
    assert await statuses(shop, read("docs://1"), read("docs://2")) == [200, 429]


async def test_calls_without_permission_do_not_count_toward_the_limit_of_a_tool() -> None:
    keys = {"alice": "a" * 32, "bob": "b" * 32}
    secret = {"kind": "Secret", "metadata": {"namespace": "demo", "name": "keys"}}
    allowed = AccessRule(tools=("*",), principals=("alice",))
    shop = Server(
        tool(rate_limit=rate()),
        secrets=StaticSecrets([secret | {"stringData": keys}]),
        auth=Auth(api_keys=ApiKeys(namespace="demo", name="keys"), rules=(allowed,)),
    )
    alice, bob = (f"Bearer {key}" for key in keys.values())
    assert (
        await statuses(shop, *[call(authorization=bob)] * 3, call(authorization=alice)) == [200] * 4
    )
    assert shop.executor.calls == [("search", {})]


async def test_a_tool_has_its_own_limit() -> None:
    shop = Server(tool("a", rate_limit=rate()), tool("b"))
    assert await statuses(shop, call("a"), call("a"), *[call("b")] * 3) == [200, 429, *[200] * 3]
    assert shop.observer.limits == ["tool"]


async def test_a_call_over_the_concurrency_limit_of_a_tool_gets_429() -> None:
    shop = Server(tool("a", max_concurrent_requests=1), tool("b"))
    shop.executor.gate.clear()
    first = asyncio.create_task(shop.respond(call("a")))
    await shop.executor.started.wait()
    answer = await shop.respond(call("a"))
    assert (answer.status, answer.headers["retry-after"]) == (429, "1")
    shop.executor.gate.set()
    assert (await first).status == 200
    assert await statuses(shop, call("a"), call("b")) == [200, 200]
    assert shop.observer.limits == ["toolConcurrency"]


async def test_a_call_over_the_concurrency_limit_does_not_count_toward_the_rate_limit() -> None:
    shop = Server(tool(max_concurrent_requests=1, rate_limit=rate(2)))
    shop.executor.gate.clear()
    first = asyncio.create_task(shop.respond(call()))
    await shop.executor.started.wait()
    assert await statuses(shop, *[call()] * 5) == [429] * 5
    shop.executor.gate.set()
    await first
    assert await statuses(shop, call(), call()) == [200, 429]


async def test_new_limits_apply_at_once_and_include_earlier_calls() -> None:
    shop = server(shared=rate(3))
    await statuses(shop, *[call()] * 3)
    shop.current.swap(table(tool(), rate_limits=RateLimits(shared=rate(3, burst=1))))
    assert await statuses(shop, call()) == [429]
    shop.current.swap(table(tool()))
    assert await statuses(shop, *[call()] * 9) == [200] * 9


async def test_a_call_over_the_concurrency_limit_of_a_client_gets_429() -> None:
    shop = Server(tool(), max_concurrent_requests_per_client=1)
    shop.executor.gate.clear()
    first = asyncio.create_task(shop.respond(call()))
    await shop.executor.started.wait()
    answer = await shop.respond(call())
    assert (answer.status, answer.headers["retry-after"]) == (429, "1")
    shop.executor.gate.set()
    assert (await first).status == 200
    assert await statuses(shop, call()) == [200]


def test_the_key_of_a_bucket_does_not_contain_the_name_of_the_client() -> None:
    plan = Plan(table(tool(), rate_limits=RateLimits(per_client=rate())).catalog)
    [bucket] = plan.buckets(None, "https://login.example.com alice")
    assert "alice" not in bucket.key
