"""Watches files: detects that something below the given paths has changed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Iterable
from pathlib import Path
from typing import Final

from mcp_operator.local.files import files_of

POLL_SECONDS: Final = 0.3
"""How often the files are checked: shorter than the delay that a user would notice."""


def fingerprint(paths: Iterable[Path]) -> Hashable:
    """Return a value that changes when a file is written, added or removed."""
    seen = []
    for file in files_of(paths):
        try:
            status = file.stat()
        except OSError:
            seen.append((file, 0, 0, 0))  # deleted since the folder was listed, or not readable
        else:
            seen.append((file, status.st_mtime_ns, status.st_size, status.st_ino))
    return tuple(seen)


async def changes(
    look: Callable[[], Awaitable[Hashable]], seen: Hashable, interval: float = POLL_SECONDS
) -> AsyncIterator[None]:
    """Yield whenever the result of `look` has changed. This runs until it is canceled.

    Polling needs only `stat`, and works on every file system, including those of networks and
    containers.

    Args:
        look: Returns the current state, such as a fingerprint taken in a thread.
        seen: The state before the served files were read.
        interval: Seconds between calls of `look`.
    """
    while True:
        await asyncio.sleep(interval)
        now = await look()
        if now != seen:
            seen = now
            yield
