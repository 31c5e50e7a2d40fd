"""Cache settings, from an object to the catalog."""

from __future__ import annotations

from mcp_operator.api.caching import CachePolicy, ServerCache
from mcp_operator.api.v1alpha1 import MCPServer
from mcp_operator.builders.compile_cache import compile_server_cache
from mcp_operator.builders.compile_resource import compile_resource
from mcp_operator.builders.compile_tool import compile_tool
from support.compiled import facts, operation, tool
from support.compiled_tools import entry
from support.manifests import server

MINUTE = {"ttl": "1m"}


def test_a_tool_caches_answers_for_each_client_unless_the_scope_is_shared() -> None:
    assert entry(method="GET").cache is None
    assert entry(method="GET", cache=MINUTE).cache == CachePolicy(ttl_seconds=60)
    shared = entry(method="GET", cache=MINUTE | {"scope": "Shared"})
    assert shared.cache == CachePolicy(ttl_seconds=60, shared=True)


def test_entries_inherit_the_cache_of_their_object_unless_they_set_their_own() -> None:
    tools = [{"name": "one", "path": "/"}, {"name": "two", "path": "/", "cache": {"ttl": "5s"}}]
    compiled = compile_tool(tool(method="GET", cache=MINUTE, tools=tools), facts())
    assert [one.cache.ttl_seconds for one in compiled.entries if one.cache] == [60, 5]  # type: ignore[union-attr]


def test_an_operation_of_a_resource_can_cache_content() -> None:
    [only] = compile_resource(operation(uri="a:b", cache=MINUTE), facts()).entries
    assert only.cache == CachePolicy(ttl_seconds=60)  # type: ignore[union-attr]


def compiled(**spec: object) -> ServerCache | None:
    return compile_server_cache(MCPServer.model_validate(server(**spec)))


def test_the_cache_settings_of_a_server_reach_the_catalog() -> None:
    assert compiled() is None
    assert compiled(cache={}) == ServerCache()
    assert compiled(
        cache={"lists": MINUTE, "resources": {"ttl": "5s", "scope": "Shared"}, "storage": "Redis"},
        redis={"serviceName": "redis"},
    ) == ServerCache(
        list_ttl_seconds=60, resources=CachePolicy(ttl_seconds=5, shared=True), in_redis=True
    )


def test_the_subscribe_interval_of_an_operation_becomes_its_poll_interval() -> None:
    [only] = compile_resource(operation(uri="a:b", subscribe={"interval": "1s"}), facts()).entries
    assert only.poll_seconds == 1  # type: ignore[union-attr]


def test_a_subscribe_interval_under_one_second_is_invalid() -> None:
    wrong = compile_resource(operation(uri="a:b", subscribe={"interval": "999ms"}), facts())
    assert wrong.entries == ()
    [finding] = wrong.findings
    assert "subscribe.interval is 999ms: set it to 1s or more" in finding.message
