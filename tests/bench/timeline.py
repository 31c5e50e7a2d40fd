"""Runs the operator, and records the start and the end of each turn of its event loop.

    python timeline.py FILE operator ...

At the end it writes JSON to the file. `turns` contains pairs of the time and of the CPU time of the
loop's thread, before and after each wait of the loop. `writes` contains the same pair, the kind,
namespace and name for each object, just before the operator applies it.
"""

from __future__ import annotations

import atexit
import json
import selectors
import sys
import time
from pathlib import Path
from typing import Any

from mcp_operator.cli import main
from mcp_operator.core.meta import Object, Resource, key_of
from mcp_operator.runtime.client import Client

file = Path(sys.argv.pop(1))
turns: list[tuple[float, float]] = []
writes: list[tuple[float, float, str, str, str]] = []
select, apply = selectors.EpollSelector.select, Client.apply


def now() -> tuple[float, float]:
    return time.monotonic(), time.thread_time()


def waited(self: selectors.EpollSelector, timeout: float | None = None) -> Any:
    turns.append(now())
    found = select(self, timeout)
    turns.append(now())
    return found


async def noted(self: Client, resource: Resource, obj: Object, **options: Any) -> Object:
    writes.append((*now(), resource.kind, *key_of(obj)))
    return await apply(self, resource, obj, **options)


selectors.EpollSelector.select = waited  # type: ignore[assignment, method-assign]
Client.apply = noted  # type: ignore[method-assign]
atexit.register(lambda: file.write_text(json.dumps({"turns": turns, "writes": writes})))
sys.exit(main())
