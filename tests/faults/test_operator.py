"""The operator with network faults: catalogs are updated, and only those that a change affects."""

from __future__ import annotations

import asyncio
import functools
import math
from collections import Counter
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web

from faults.actions import (
    Exchange,
    Lines,
    Recording,
    delay,
    drop,
    drop_answer,
    edit,
    failure,
    pass_on,
)
from faults.crashes import WRITE
from faults.outages import watch_outage
from faults.proxy import FaultProxy
from faults.stability import stable
from faults.tenants import ALL, TENANTS, create_tenants, everything, without
from faults.watch_edits import ChaoticStream
from support.operators import Operator, running_operator
from support.shop import Shop
from support.waiting import eventually


async def recreate_the_tool_for_nobody(shop: Shop) -> None:
    await shop.delete("MCPTool", "red-tool")
    await shop.tool("red-tool", "nobody")


MISSED: dict[str, tuple[Callable[[Shop], Awaitable[object]], dict[str, str]]] = {
    "a tool is deleted": (lambda shop: shop.delete("MCPTool", "red-tool"), without("red-tool")),
    "a prompt is deleted": (
        lambda shop: shop.delete("MCPPrompt", "red-prompt"),
        without("red-prompt"),
    ),
    "a resource is deleted": (
        lambda shop: shop.delete("MCPResource", "red-resource"),
        without("red-resource"),
    ),
    "a tool loses its label": (
        lambda shop: shop.label("MCPTool", "red-tool", None),
        without("red-tool"),
    ),
    "a Service is deleted": (
        lambda shop: shop.delete("Service", "red-orders"),
        without("red-tool"),
    ),
    "a tool is recreated for no server": (recreate_the_tool_for_nobody, without("red-tool")),
}


@pytest.mark.parametrize(
    ("change", "expected"), MISSED.values(), ids=[name.replace(" ", "-") for name in MISSED]
)
async def test_a_change_during_an_outage_of_all_watches_updates_only_its_server(
    shop: Shop,
    operator: Operator,
    proxy: FaultProxy,
    change: Callable[[Shop], Awaitable[object]],
    expected: dict[str, str],
) -> None:
    async with watch_outage(proxy) as outage:
        await change(shop)
    await outage.met.wait()
    writes = await stable(shop, operator, ALL | {"red": expected})
    assert [write for write in writes if "blue" in write] == []


async def test_an_outage_of_all_watches_without_changes_causes_no_writes(
    shop: Shop, operator: Operator, proxy: FaultProxy
) -> None:
    async with watch_outage(proxy) as outage:
        pass
    await outage.met.wait()
    cut = len({seen.path for seen in proxy.seen if "resourceVersion" in seen.query})
    await eventually(lambda: count_paths(proxy), cut)
    assert await stable(shop, operator, ALL) == []


async def count_paths(proxy: FaultProxy) -> int:
    return len({seen.path for seen in proxy.lists()})


async def test_nothing_is_written_before_every_cache_has_synced(
    shop: Shop, proxy: FaultProxy
) -> None:
    released = asyncio.Event()

    async def late(exchange: Exchange) -> web.StreamResponse:
        await released.wait()
        return await pass_on(exchange)

    await create_tenants(shop)
    proxy.on(r"GET .*/mcptools\?", late, times=math.inf)
    starting = asyncio.create_task(start_and_settle(shop, proxy))
    await eventually(lambda: is_listing(proxy, "mcptools"), expected=True)
    await asyncio.sleep(0.5)
    assert proxy.writes() == []
    released.set()
    await starting


async def start_and_settle(shop: Shop, proxy: FaultProxy) -> list[str]:
    """Run an operator until it has finished, and return what it wrote."""
    async with running_operator(proxy.kubeconfig, shop.namespace) as operator:
        return await stable(shop, operator, ALL)


async def is_listing(proxy: FaultProxy, plural: str) -> bool:
    return bool(proxy.watches(plural))


async def test_a_restart_with_out_of_date_lists_deletes_nothing_and_the_watch_corrects_it(
    shop: Shop, proxy: FaultProxy
) -> None:
    recordings = {kind: Recording() for kind in ("mcpservers", "mcptools", "services")}
    for kind, recording in recordings.items():
        proxy.on(rf"/{kind}\?.*sendInitialEvents", recording.record())
    await create_tenants(shop)
    await start_and_settle(shop, proxy)
    await shop.patch("MCPTool", "red-tool", spec={"description": "second"})
    await shop.server("green", team="blue")
    for kind, recording in recordings.items():
        assert recording.done.is_set()
        proxy.on(rf"/{kind}\?.*sendInitialEvents", recording.replay())
    proxy.seen.clear()
    async with running_operator(proxy.kubeconfig, shop.namespace) as operator:
        await operator.idle()
        assert [seen for seen in proxy.writes() if seen.method == "DELETE"] == []
        proxy.kill()
        red = everything("red") | {"red-tool": "second"}
        await stable(shop, operator, ALL | {"red": red, "green": everything("blue")})


async def test_the_operator_sees_its_own_writes_before_the_watch_delivers_them(
    shop: Shop, proxy: FaultProxy
) -> None:
    async def only_the_list(lines: Lines) -> Lines:
        async for line in lines:
            yield line
            if b"initial-events-end" in line:
                await asyncio.Event().wait()

    rule = proxy.on("labelSelector=.*watch=true", edit(only_the_list), times=math.inf)
    async with running_operator(proxy.kubeconfig, shop.namespace) as operator:
        await create_tenants(shop)
        for team in TENANTS:
            await eventually(functools.partial(shop.served, team), everything(team))
        await shop.patch("MCPTool", "red-tool", spec={"description": "second"})
        expected = everything("red") | {"red-tool": "second"}
        await eventually(lambda: shop.served("red"), expected)
        await operator.idle()
        children = Counter(
            seen.path
            for seen in proxy.writes()
            if "mcp-server-" in seen.path and "-config" not in seen.path
        )
        assert children
        assert set(children.values()) == {1}
        assert set(Counter(operator.reads).values()) == {1}  # one per name, before the write
        rule.end()
        proxy.kill()
        await stable(shop, operator, ALL | {"red": expected})


async def test_writes_without_a_response_still_lead_to_the_declared_state(
    shop: Shop, proxy: FaultProxy
) -> None:
    rule = proxy.on(WRITE, drop_answer(), times=12)
    await create_tenants(shop)
    await start_and_settle(shop, proxy)
    assert rule.met.is_set()


@pytest.mark.parametrize(
    "fault",
    [
        drop(),
        failure(500),
        failure(503),
        failure(409, "Conflict"),
        failure(429, "TooManyRequests", retryAfterSeconds=1),
        delay(0.5),
    ],
    ids=["dropped", "500", "503", "conflict", "429", "slow"],
)
async def test_the_declared_state_is_reached_though_every_second_write_fails(
    shop: Shop, proxy: FaultProxy, fault: Callable[[Exchange], Awaitable[web.StreamResponse]]
) -> None:
    turn = iter(range(1_000_000))

    async def every_second(exchange: Exchange) -> web.StreamResponse:
        return await (fault if next(turn) % 2 == 0 else pass_on)(exchange)

    proxy.on(WRITE, every_second, times=30)
    await create_tenants(shop)
    await start_and_settle(shop, proxy)
    proxy.forget()
    assert await start_and_settle(shop, proxy) == []


async def describe_blue(shop: Shop, *texts: str) -> None:
    """Edit a tool and a prompt concurrently, so that some events arrive together."""
    await asyncio.gather(
        *(
            shop.patch(f"MCP{kind}", f"blue-{kind.lower()}", spec={"description": text})
            for text in texts
            for kind in ("Tool", "Prompt")
        )
    )


async def test_delayed_reordered_and_broken_watches_lead_to_the_declared_state(
    shop: Shop, proxy: FaultProxy, short_pauses: None
) -> None:
    chaos = ChaoticStream(seed=7)
    proxy.on("watch=true", edit(chaos.edit), times=math.inf)
    async with running_operator(proxy.kubeconfig, shop.namespace) as operator:
        await create_tenants(shop)
        await stable(shop, operator, ALL)
        rounds = 0
        while not all(chaos.done.values()):
            rounds += 1
            assert rounds < 100, f"some faults did not happen by chance: {chaos.done}"
            await describe_blue(shop, f"first of {rounds}", f"second of {rounds}")
            await describe_blue(shop, f"third of {rounds}")
        await shop.delete("MCPTool", "red-tool")
        await shop.label("MCPTool", "blue-tool", "red")
        text = f"third of {rounds}" if rounds else "first"
        red = without("red-tool") | {"blue-tool": text}
        blue = {"blue-prompt": text if rounds else "", "blue-resource": "first"}
        await stable(shop, operator, {"red": red, "blue": blue})
