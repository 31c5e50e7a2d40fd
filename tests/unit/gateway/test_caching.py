"""The cache of results: for which calls, for which clients, and for how long."""

from __future__ import annotations

import ast
import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from mcp_operator.api.caching import CachePolicy, ServerCache
from mcp_operator.api.catalog import Auth, JsonObject, ResourceEntry, ToolEntry
from mcp_operator.gateway.caching.executor import STALE_SECONDS, CachingExecutor
from mcp_operator.gateway.caching.store import ENTRY_BYTES, Kept, Store
from mcp_operator.gateway.contract import (
    Call,
    ClientInput,
    InputRequired,
    Job,
    ResourceUnavailable,
    ToolResult,
    Validators,
)
from mcp_operator.gateway.table import Current
from support.entries import backend, resource, tool
from support.fake_executor import WithoutJobs
from support.mcp_http import table

MINUTE = CachePolicy(ttl_seconds=60)
SHARED = CachePolicy(ttl_seconds=60, shared=True)


@dataclass
class Backend(WithoutJobs):
    """An executor whose results contain the number of calls so far, and the call."""

    asked: list[Any] = field(default_factory=list)
    failing: bool = False
    etag: str = ""
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    cancelled: int = 0

    def __post_init__(self) -> None:
        self.gate.set()

    async def call_tool(
        self, tool: ToolEntry, arguments: JsonObject, call: Call
    ) -> ToolResult | InputRequired:
        text = await self._answer([tool.name, arguments, call.client, dict(call.headers)], call)
        return ToolResult(({"type": "text", "text": text},), is_error=self.failing)

    async def read_resource(
        self, entry: ResourceEntry, uri: str, variables: object, call: Call
    ) -> tuple[JsonObject, ...]:
        text = await self._answer([uri, call.client], call)
        if self.failing:
            raise ResourceUnavailable("gone")
        return ({"uri": uri, "text": text},)

    async def _answer(self, what: list[Any], call: Call) -> str:
        self.asked.append(what)
        number = len(self.asked)
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if call.validators is not None:
            call.validators.unchanged = bool(self.etag) and call.validators.etag == self.etag
            call.validators.etag = self.etag
        return f"{number}: {what}"


def executor(inner: Backend, **server: Any) -> CachingExecutor:
    current = Current()
    current.swap(table(**server))
    return CachingExecutor(inner, current, CollectorRegistry())


def text_of(result: ToolResult | InputRequired | Job) -> str:
    assert isinstance(result, ToolResult)
    text = result.content[0]["text"]
    assert isinstance(text, str)
    return text


def kept_tool(policy: CachePolicy | None = MINUTE, **fields: Any) -> ToolEntry:
    return tool("find", cache=policy, **fields)


async def call(
    cache: CachingExecutor, entry: ToolEntry, client: str = "ann", /, **arguments: Any
) -> str:
    return text_of(await cache.call_tool(entry, arguments, Call(client=client)))


@pytest.mark.looptime
async def test_a_result_is_cached_until_its_ttl_is_over() -> None:
    inner = Backend()
    cache, entry = executor(inner), kept_tool()

    first = await call(cache, entry, a=1, b=2)
    await asyncio.sleep(59)
    assert await call(cache, entry, b=2, a=1) == first
    await asyncio.sleep(2)
    assert await call(cache, entry, a=1, b=2) != first
    assert len(inner.asked) == 2


@pytest.mark.looptime
async def test_a_tool_without_a_cache_policy_is_called_each_time() -> None:
    inner = Backend()
    cache, entry = executor(inner), kept_tool(None)

    assert await call(cache, entry) != await call(cache, entry)


@pytest.mark.looptime
async def test_arguments_tools_and_catalog_entries_are_part_of_the_cache_key() -> None:
    cache = executor(Backend())
    entries = [kept_tool(), kept_tool(description="New."), tool("seek", cache=MINUTE)]

    answers = {await call(cache, entry, a=a) for entry in entries for a in (1, "1", None)}

    assert len(answers) == 9


@pytest.mark.looptime
async def test_forwarded_headers_are_part_of_the_cache_key() -> None:
    cache = executor(Backend())
    entry = kept_tool(SHARED, to=backend("/", forward_headers=("Accept-Language",)))

    async def asked(**headers: str) -> str:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return text_of(await cache.call_tool(entry, {}, Call(headers=named, client="ann")))

    english = await asked(accept_language="en", cookie="a")
    assert await asked(accept_language="en", cookie="b") == english
    assert await asked(accept_language="de") != english
    assert await asked() != english


@pytest.mark.looptime
async def test_only_shared_results_are_returned_to_other_clients() -> None:
    cache = executor(Backend())
    private, shared = kept_tool(MINUTE), kept_tool(SHARED)

    assert await call(cache, private, "ann") != await call(cache, private, "bob")
    assert await call(cache, shared, "ann") == await call(cache, shared, "bob")


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["ann", "bob", "https://idp ann", "https://idp a", ""]),
            st.dictionaries(st.sampled_from("ab"), st.integers(0, 2) | st.text(max_size=2)),
            st.dictionaries(st.sampled_from(["x-team", "cookie"]), st.sampled_from("xy")),
        ),
        max_size=20,
    )
)
def test_no_client_ever_gets_the_result_of_another_call(
    calls: list[tuple[str, dict[str, Any], dict[str, str]]],
) -> None:
    async def run() -> None:
        cache = executor(Backend())
        entry = kept_tool(to=backend("/", forward_headers=("X-Team",)))
        for client, arguments, headers in calls:
            answer = await cache.call_tool(entry, arguments, Call(headers=headers, client=client))
            _, _, said = text_of(answer).partition(": ")
            name, asked, by, sent = ast.literal_eval(said)
            assert (name, asked, by) == ("find", arguments, client)
            assert sent.get("x-team") == headers.get("x-team")

    asyncio.run(run())


@pytest.mark.looptime
async def test_errors_are_not_cached() -> None:
    inner = Backend(failing=True)
    cache, entry = executor(inner), kept_tool()
    await call(cache, entry)
    inner.failing = False

    good = await call(cache, entry)
    inner.failing = True
    assert await call(cache, entry) == good

    readable = resource("r", uri="a:b", backend=backend("/"), cache=MINUTE)
    with pytest.raises(ResourceUnavailable):
        await cache.read_resource(readable, "a:b", {}, Call())
    inner.failing = False
    assert await cache.read_resource(readable, "a:b", {}, Call())


@pytest.mark.looptime
async def test_a_call_with_input_bypasses_the_cache() -> None:
    inner = Backend()
    cache, entry = executor(inner), kept_tool()
    await call(cache, entry)

    await cache.call_tool(entry, {}, Call(client="ann", input=ClientInput({"q": 1})))

    assert len(inner.asked) == 2


@pytest.mark.looptime
async def test_a_stale_result_is_reused_if_the_backend_reports_no_change() -> None:
    inner = Backend(etag='"1"')
    cache, entry = executor(inner), kept_tool()
    first = await call(cache, entry)
    await asyncio.sleep(61)

    assert await call(cache, entry) == first
    assert await call(cache, entry) == first
    assert len(inner.asked) == 2
    await asyncio.sleep(61)
    inner.etag = '"2"'
    assert await call(cache, entry) != first
    await asyncio.sleep(61 + STALE_SECONDS)
    assert (await call(cache, entry)).startswith("4: ")


@pytest.mark.looptime
async def test_concurrent_equal_calls_share_one_request() -> None:
    inner = Backend()
    inner.gate.clear()
    cache, entry = executor(inner), kept_tool()
    waiting = [asyncio.create_task(call(cache, entry)) for _ in range(5)]
    await asyncio.sleep(1)
    waiting[0].cancel()  # the one that started the call
    await asyncio.sleep(1)

    inner.gate.set()

    assert len({await one for one in waiting[1:]}) == 1
    assert len(inner.asked) == 1
    assert inner.cancelled == 0


@pytest.mark.looptime
async def test_a_shared_call_is_cancelled_when_all_its_clients_have_disconnected() -> None:
    inner = Backend()
    inner.gate.clear()
    cache, entry = executor(inner), kept_tool()
    waiting = [asyncio.create_task(call(cache, entry)) for _ in range(3)]
    await asyncio.sleep(1)
    for one in waiting:
        one.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    await asyncio.sleep(1)

    assert inner.cancelled == 1
    inner.gate.set()
    assert await call(cache, entry)


@pytest.mark.looptime
async def test_contents_have_the_remaining_ttl_and_the_cache_scope() -> None:
    cache = executor(Backend())
    entry = resource("r", uri="a:b", backend=backend("/"), cache=SHARED)

    async def read(entry: ResourceEntry, cache: CachingExecutor = cache) -> tuple[float, bool]:
        asked = Call(client="ann")
        await cache.read_resource(entry, "a:b", {}, asked)
        return asked.fresh_seconds, asked.is_public

    assert await read(entry) == (60, True)
    await asyncio.sleep(20)
    seconds, is_public = await read(entry)
    assert (round(seconds), is_public) == (40, True)
    private = resource("r", uri="a:b", backend=backend("/"), cache=MINUTE)
    assert await read(private) == (60, False)
    authenticated = executor(Backend(), auth=Auth())
    assert await read(entry, authenticated) == (60, False)
    assert await read(resource("r", uri="a:b", text="x")) == (0, False)
    hinting = executor(Backend(), cache=ServerCache(resources=CachePolicy(ttl_seconds=5)))
    assert await read(resource("r", uri="a:b", text="x"), hinting) == (5, False)


def kept(size: int, owner: str = "ann") -> Kept:
    return Kept("x", 0.0, Validators(), size, owner)


def test_the_least_recently_used_result_is_evicted() -> None:
    store = Store(10 * ENTRY_BYTES)
    for n, owner in enumerate(["ann", "bob", "eve", "joe", "ida"]):
        store.put(str(n), kept(2 * ENTRY_BYTES, owner))
    assert store.get("0") is not None

    store.put("5", kept(2 * ENTRY_BYTES, "kim"))

    assert store.get("1") is None
    assert store.get("0") is not None
    assert store.size == 10 * ENTRY_BYTES


def test_a_client_over_its_share_evicts_its_own_results() -> None:
    store = Store(10 * ENTRY_BYTES)
    store.put("bob", kept(ENTRY_BYTES, "bob"))
    for n in range(20):
        store.put(str(n), kept(ENTRY_BYTES, "ann"))

    assert store.get("bob") is not None
    assert [n for n in range(20) if store.get(str(n))] == [15, 16, 17, 18, 19]
    assert store.size == 6 * ENTRY_BYTES


def test_a_result_that_is_too_large_removes_the_old_one_and_is_not_cached() -> None:
    store = Store(10 * ENTRY_BYTES)
    store.put("a", kept(ENTRY_BYTES))
    store.put("a", kept(6 * ENTRY_BYTES))

    assert store.get("a") is None
    assert store.size == 0
