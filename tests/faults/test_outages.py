"""Long outages: refused connections, versions that keep expiring, silent watches."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from aiohttp import ClientTimeout

from faults.actions import Lines, edit
from faults.observed_informer import ObservedInformer, observed_informer
from faults.outages import SHORTEST_PAUSES, expiry_storm, watch_outage
from faults.proxy import FaultProxy
from faults.stability import stable
from faults.tenants import everything, without
from mcp_operator.core.meta import Key
from mcp_operator.runtime import client as client_module
from mcp_operator.runtime.client import Client
from support.objects import CONFIG_MAPS
from support.operators import Operator
from support.shop import Shop
from support.waiting import eventually


async def test_a_watch_that_is_cut_during_its_list_does_not_delay_the_end_of_the_outage(
    observed: ObservedInformer, subject: Client, client: Client, proxy: FaultProxy, namespace: str
) -> None:
    listing = asyncio.Event()

    async def endless(lines: Lines) -> Lines:
        yield await anext(lines)
        listing.set()
        await asyncio.Event().wait()

    proxy.on("sendInitialEvents", edit(endless))
    async with asyncio.TaskGroup() as group:
        other = group.create_task(_values(subject, namespace))
        await listing.wait()
        async with watch_outage(proxy) as outage:
            await client.delete(CONFIG_MAPS, Key(namespace, "a"))
        await outage.met.wait()
    assert other.result() == {"b": "1"}
    await observed.holds(b="1")


async def _values(client: Client, namespace: str) -> dict[str, str]:
    async with observed_informer(client, namespace) as other:
        await other.holds(b="1")
        return await other.values()


async def test_a_watch_that_reconnects_after_an_outage_lists_again(
    observed: ObservedInformer, client: Client, proxy: FaultProxy, namespace: str
) -> None:
    await proxy.refuse()
    async with watch_outage(proxy) as outage:
        await client.delete(CONFIG_MAPS, Key(namespace, "a"))
    assert not outage.met.is_set()
    await proxy.accept()
    await observed.holds(b="1")
    assert outage.met.is_set()
    assert len(proxy.lists()) == 1


async def test_an_operator_misses_no_change_while_versions_keep_expiring(
    shop: Shop, short_pauses: None, operator: Operator, proxy: FaultProxy
) -> None:
    with expiry_storm(proxy):
        watches = len(proxy.kill())
        await shop.delete("MCPTool", "red-tool")
        await shop.label("MCPTool", "blue-tool", "red")
        await eventually(lambda: all_listed(proxy, watches), expected=True)
        for selection in {seen.selection for seen in proxy.lists()}:
            assert spread(proxy, selection) >= sum(SHORTEST_PAUSES)
        await shop.delete("MCPServer", "blue")
    red = without("red-tool") | {"blue-tool": "first"}
    await stable(shop, operator, {"red": red, "blue": None})


def spread(proxy: FaultProxy, selection: tuple[str, ...]) -> float:
    """Return the seconds between the first lists of a selection."""
    lists = [seen.at for seen in proxy.lists() if seen.selection == selection]
    return lists[len(SHORTEST_PAUSES)] - lists[0]


async def all_listed(proxy: FaultProxy, watches: int) -> bool:
    """Return whether each watch has listed more often than there are pauses."""
    listed = Counter(seen.selection for seen in proxy.lists())
    return len(listed) == watches and min(listed.values()) > len(SHORTEST_PAUSES)


async def test_silent_watches_are_reopened_and_deliver_the_missed_changes(
    shop: Shop, operator: Operator, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "_WATCH_TIMEOUT", ClientTimeout(sock_read=2))
    watches = len(proxy.kill())
    await eventually(lambda: reopened(proxy), watches)
    proxy.stall()
    await shop.delete("MCPTool", "red-tool")
    await shop.label("MCPTool", "blue-tool", "red")
    red = without("red-tool") | {"blue-tool": "first"}
    blue = {name: text for name, text in everything("blue").items() if name != "blue-tool"}
    await stable(shop, operator, {"red": red, "blue": blue})
    assert proxy.lists() == []


async def reopened(proxy: FaultProxy) -> int:
    return len({seen.selection for seen in proxy.watches()})
