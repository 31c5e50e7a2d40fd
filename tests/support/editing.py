"""A user who keeps editing tools, so that an operator always has something to write."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from support.shop import Shop


@asynccontextmanager
async def editing(shop: Shop, tools: Sequence[str], *, every: float = 0.02) -> AsyncIterator[None]:
    """Edit one tool after the other until the block ends; fail if an edit fails."""

    async def edit() -> None:
        for number in itertools.count():
            tool = tools[number % len(tools)]
            await shop.patch("MCPTool", tool, spec={"description": f"edit {number}"})
            await asyncio.sleep(every)

    task = asyncio.create_task(edit())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})
    if not task.cancelled():
        task.result()
