"""Zstandard, from the standard library if it has it."""

from __future__ import annotations

import sys

if sys.version_info >= (3, 14):
    from compression.zstd import compress
else:
    from backports.zstd import compress


def compressed(data: bytes) -> bytes:
    """Return one frame."""
    return bytes(compress(data))
