"""Works around defects of the transports of asyncio."""

from __future__ import annotations

from contextlib import suppress
from typing import Protocol


class HasAbort(Protocol):
    """A transport of asyncio."""

    def abort(self) -> None:
        """Close at once, and drop unsent data."""


def abort(transport: HasAbort) -> None:
    """Close a transport at once, even if its connection is already lost.

    Early releases of Python 3.11 (3.11.2 is that of Debian 12) raise AttributeError if a TLS
    transport was closed after its connection was lost. There is nothing left to close then.
    """
    with suppress(AttributeError):
        transport.abort()
