"""Outages that last: nobody listens, or versions expire again and again, or all is silent."""

from __future__ import annotations

import asyncio

from faults.actions import Lines, edit
from faults.mirror import Mirror, mirrored
from faults.outages import blindness
from faults.proxy import FaultProxy
from mcp_operator.core.meta import Key
from mcp_operator.runtime.client import Client
from support.objects import CONFIG_MAPS


async def test_a_watch_that_was_still_listing_when_it_was_cut_holds_up_no_outage(
    mirror: Mirror, subject: Client, client: Client, proxy: FaultProxy, namespace: str
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
        async with blindness(proxy) as told:
            await client.delete(CONFIG_MAPS, Key(namespace, "a"))
        await asyncio.wait_for(told.met.wait(), 30)
    assert other.result() == {"b": "1"}
    await mirror.holds(b="1")


async def _values(client: Client, namespace: str) -> dict[str, str]:
    async with mirrored(client, namespace) as other:
        await other.holds(b="1")
        return await other.values()


async def test_a_watch_that_comes_back_after_an_outage_finds_its_version_expired(
    mirror: Mirror, client: Client, proxy: FaultProxy, namespace: str
) -> None:
    await proxy.refuse()
    async with blindness(proxy) as told:
        await client.delete(CONFIG_MAPS, Key(namespace, "a"))
    assert not told.met.is_set()
    await proxy.accept()
    await mirror.holds(b="1")
    assert told.met.is_set()
    assert len(proxy.lists()) == 1
