"""Configures how the C library returns memory to the system."""

from __future__ import annotations

import ctypes
from typing import Final

_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
"""The numbers of the parameters in glibc's malloc.h."""

LARGE_BLOCK: Final = 512 * 1024
"""The size in bytes from which a block is its own memory mapping, which is returned when it is
freed. It must be larger than the 256 KiB buffer that asyncio allocates for each read from a socket:
as a mapping, that would cost three system calls and two page faults per read."""

KEPT: Final = 2 * LARGE_BLOCK
"""Free bytes at the end of the heap that are not returned, so that buffers for reads are reused."""


def give_back_large_blocks() -> bool:
    """Make glibc return large blocks to the system as soon as they are freed.

    By default, glibc raises its threshold with each large block that is freed, up to 32 MiB, and
    keeps smaller blocks. After 40 answers of 9 MB, a gateway held 600 MiB of unused memory.

    Returns:
        Whether the C library supports this. Those of macOS and musl do not, and do not need it.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(_M_MMAP_THRESHOLD, LARGE_BLOCK) and mallopt(_M_TRIM_THRESHOLD, KEPT))
