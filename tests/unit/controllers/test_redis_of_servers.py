"""The Redis in the status of an MCPServer."""

from __future__ import annotations

import asyncio

import pytest

from support.server_bench import Bench

pytestmark = pytest.mark.looptime


async def test_a_server_is_degraded_while_its_pods_cannot_use_redis() -> None:
    bench = Bench()
    bench.redis = ""
    await bench.reconcile()
    bench.pod()
    bench.available()
    await bench.settled()
    assert bench.reason("Degraded") == ("False", "Healthy")

    bench.redis = "it does not accept the user or the password"
    await asyncio.sleep(20)
    await bench.reconcile()
    assert bench.reason("Degraded") == ("True", "RedisUnavailable")
    assert bench.reason("Ready") == ("True", "Ready")

    bench.redis = ""
    await asyncio.sleep(20)
    await bench.reconcile()
    assert bench.reason("Degraded") == ("False", "Healthy")
