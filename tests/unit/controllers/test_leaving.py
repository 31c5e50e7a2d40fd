"""Namespaces that the operator no longer selects: their servers are kept, and not changed."""

from __future__ import annotations

import asyncio

import pytest

from mcp_operator.core.meta import Key
from mcp_operator.runtime.scope import Scope
from support.server_bench import LOGIN, Bench

SECRET_OLD_SECONDS = 30


async def served() -> Bench:
    """Return a server with one tool, in a namespace with the label that the operator selects."""
    bench = Bench(Scope(selector="mcp=yes"))
    bench.cluster.namespace("demo", mcp="yes")
    bench.cluster.put("Secret", "login", data={"token": ""})
    bench.cluster.tool("first", request=LOGIN)
    await bench.settled()
    assert [tool.name for tool in bench.catalog().tools] == ["first"]
    return bench


@pytest.mark.looptime
async def test_nothing_is_written_in_a_namespace_that_is_no_longer_selected() -> None:
    bench = await served()
    bench.cluster.namespace("demo")
    bench.cluster.writes.clear()
    bench.cluster.tool("second")
    assert await bench.reconcile() is None
    assert bench.cluster.writes == []
    assert [tool.name for tool in bench.catalog().tools] == ["first"]


@pytest.mark.looptime
async def test_a_namespace_that_is_deselected_during_a_reconciliation_keeps_its_catalog() -> None:
    bench = await served()
    await asyncio.sleep(SECRET_OLD_SECONDS)  # so that it is read again
    bench.cluster.tool("second", request=LOGIN)
    bench.cluster.writes.clear()

    def leave(_: Key) -> None:
        bench.cluster.namespace("demo")

    bench.cluster.on_read = leave
    await bench.reconcile()
    assert bench.cluster.cache.servers.store.get(Key("demo", "shop")) is None
    assert bench.cluster.writes == []
    assert [tool.name for tool in bench.catalog().tools] == ["first"]


@pytest.mark.looptime
async def test_a_namespace_that_is_selected_again_is_reconciled() -> None:
    bench = await served()
    bench.cluster.namespace("demo")
    bench.cluster.tool("second")
    bench.cluster.namespace("demo", mcp="yes")
    await bench.settled()
    assert {tool.name for tool in bench.catalog().tools} == {"first", "second"}
