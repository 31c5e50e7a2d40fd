from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator

import pytest

from mcp_operator.app.control_plane import GC_THRESHOLD, collect_without_caches


@pytest.fixture(autouse=True)
def _collector_restored() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)
    gc.enable()


async def test_garbage_collection_starts_after_a_sync_and_skips_cached_objects() -> None:
    before = gc.get_freeze_count()
    gc.disable()
    collecting = asyncio.create_task(collect_without_caches())
    await asyncio.sleep(0)
    assert gc.isenabled()
    assert gc.get_threshold()[0] == GC_THRESHOLD
    assert gc.get_freeze_count() > before
    collecting.cancel()
    await asyncio.wait({collecting})
