"""Clients share the concurrency limit of the requests that wait for backends."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack

import pytest

from mcp_operator.gateway.protocol.gate import Gate
from mcp_operator.gateway.protocol.jsonrpc import RpcError
from mcp_operator.gateway.shares import RECENT_SECONDS

pytestmark = pytest.mark.looptime


def status_for(gate: Gate, client: str, limit: int = 4) -> int:
    """Return the status that a request of a client would be refused with, or 200."""
    try:
        with gate.enter(limit, client):
            return 200
    except RpcError as refused:
        return refused.status if refused.retry_after == 1 else 0


async def test_a_single_client_can_use_the_whole_limit() -> None:
    gate = Gate()
    with ExitStack() as held:
        for _ in range(4):
            held.enter_context(gate.enter(4, "a"))

        assert status_for(gate, "a") == 503
    assert status_for(gate, "a") == 200


async def test_a_client_among_others_can_use_half_of_the_limit() -> None:
    gate = Gate()
    with ExitStack() as held:
        for client in ("a", "b", "a"):
            held.enter_context(gate.enter(4, client))

        assert status_for(gate, "a") == 429
        assert status_for(gate, "c") == status_for(gate, "b") == 200
    assert gate.busy == 0
    assert status_for(gate, "a") == 200


async def test_a_client_with_the_whole_limit_gets_429_once_another_client_arrives() -> None:
    gate = Gate()
    with ExitStack() as held:
        first = held.enter_context(ExitStack())
        first.enter_context(gate.enter(4, "a"))
        for _ in range(3):
            held.enter_context(gate.enter(4, "a"))
        assert status_for(gate, "b") == 503

        first.close()

        assert status_for(gate, "a") == 429
        assert status_for(gate, "b") == 200


async def test_a_client_without_recent_requests_does_not_reduce_the_share_of_others() -> None:
    gate = Gate()
    assert status_for(gate, "b") == 200
    with gate.enter(2, "a"):
        assert status_for(gate, "a", limit=2) == 429
        await asyncio.sleep(RECENT_SECONDS)
        assert status_for(gate, "a", limit=2) == 200


@pytest.mark.parametrize("limit", [1, 2, 3])
async def test_every_client_is_admitted_with_a_small_limit(limit: int) -> None:
    gate = Gate()
    for client in ("a", "b", "a"):
        assert status_for(gate, client, limit) == 200


async def test_the_limit_for_each_client_also_applies_to_a_single_client() -> None:
    gate = Gate()
    with gate.enter(4, "a", 2), gate.enter(4, "a", 2):
        with pytest.raises(RpcError) as refused, gate.enter(4, "a", 2):
            pass
        assert refused.value.status == 429
        with gate.enter(4, "b", 2):
            assert gate.busy == 3
    assert gate.busy == 0
