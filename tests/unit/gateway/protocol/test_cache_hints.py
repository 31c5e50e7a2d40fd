"""Cache hints: how long clients can cache lists and contents."""

from __future__ import annotations

import pytest

from mcp_operator.api.caching import CachePolicy, ServerCache
from mcp_operator.api.catalog import JsonObject
from support.entries import resource, tool
from support.mcp_http import Server, legacy, modern, table

README = resource("readme", uri="file:///readme", text="Read me.")
LISTS = ["tools/list", "prompts/list", "resources/list", "resources/templates/list"]


def hints(result: JsonObject) -> tuple[object, object]:
    return result["ttlMs"], result["cacheScope"]


@pytest.mark.parametrize("method", [*LISTS, "server/discover"])
async def test_lists_have_a_ttl_of_zero_unless_the_server_sets_one(method: str) -> None:
    assert hints(await Server(tool("add")).result(modern(method))) == (0, "public")
    keeping = Server(tool("add"), cache=ServerCache(list_ttl_seconds=1.5))
    assert hints(await keeping.result(modern(method))) == (1500, "public")


async def test_the_next_list_lacks_a_deleted_tool_and_has_a_ttl_of_zero() -> None:
    server = Server(tool("add"), tool("sum"))
    await server.result(modern("tools/list"))

    server.current.swap(table(tool("sum")))

    listed = await server.result(modern("tools/list"))
    assert [each["name"] for each in listed["tools"]] == ["sum"]
    assert hints(listed)[0] == 0


async def test_contents_have_a_ttl_of_zero_and_a_private_scope_by_default() -> None:
    read = modern("resources/read", {"uri": "file:///readme"})
    assert hints(await Server(README).result(read)) == (0, "private")


async def test_results_in_a_session_have_no_cache_hints() -> None:
    server = Server(README, cache=ServerCache(resources=CachePolicy(ttl_seconds=5)))
    session = await server.initialize()

    request = legacy("resources/read", {"uri": "file:///readme"}, mcp_session_id=session)

    assert (await server.result(request)).keys() == {"contents"}
