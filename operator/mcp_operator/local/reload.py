"""Following files: noticing that something below the given paths has changed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Iterable
from pathlib import Path
from typing import Final

from mcp_operator.local.files import files_of

POLL_SECONDS: Final = 0.3
"""How often the files are looked at: below what a person who saves a file would notice."""


def fingerprint(paths: Iterable[Path]) -> Hashable:
    """Return a value that changes when a file is written, added or removed."""
    seen = []
    for file in files_of(paths):
        try:
            status = file.stat()
        except OSError:
            seen.append((file, 0, 0, 0))  # gone since the folder was listed, or not to be read
        else:
            seen.append((file, status.st_mtime_ns, status.st_size, status.st_ino))
    return tuple(seen)


async def changes(
    look: Callable[[], Awaitable[Hashable]], seen: Hashable, interval: float = POLL_SECONDS
) -> AsyncIterator[None]:
    """Yield whenever what `look` returns has changed; runs until it is cancelled.

    Polling needs no more than `stat`, and works on every file system, network ones and those of
    containers included.

    Args:
        look: Gives the present state, such as a fingerprint taken in a thread.
        seen: What it returned before the files were read that are served now.
        interval: Seconds between looks.
    """
    while True:
        await asyncio.sleep(interval)
        now = await look()
        if now != seen:
            seen = now
            yield
