"""How the catalog endpoint of a gateway reports its Redis."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pytest
from prometheus_client import CollectorRegistry

from mcp_operator.gateway.front.pages import OwnPages
from mcp_operator.gateway.redis.server import TOLD_SECONDS, RedisOfServer
from mcp_operator.gateway.root_key import RootKey
from mcp_operator.gateway.table import Current
from support.mcp_http import table


def redis(link: Any) -> RedisOfServer:
    found = RedisOfServer(Current(), MagicMock(), MagicMock(), CollectorRegistry())
    found._link = link
    return found


@pytest.mark.parametrize(
    ("link", "told"),
    [
        (None, None),
        (SimpleNamespace(away_seconds=0.0, problem=""), ""),
        (SimpleNamespace(away_seconds=TOLD_SECONDS, problem="gone"), ""),
        (SimpleNamespace(away_seconds=TOLD_SECONDS + 1, problem="gone"), "gone"),
    ],
)
async def test_the_catalog_endpoint_reports_a_redis_that_stays_unreachable(
    link: Any, told: str | None
) -> None:
    current = Current()
    current.swap(table())
    pages = OwnPages(current, CollectorRegistry(), str, RootKey(b"k" * 32), redis(link))

    assert (await pages.catalog("", 0.0)).get("redis") == told
