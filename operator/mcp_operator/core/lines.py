"""Splits a stream of chunks into lines."""

from __future__ import annotations

from collections.abc import Sequence


class LineTooLongError(ValueError):
    """A line grew beyond the limit; the stream cannot be followed any further."""


class LineSplitter:
    """Collects chunks and gives back the lines that are complete.

    Args:
        limit: Bytes that a line may have.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._rest = bytearray()

    def feed(self, chunk: bytes) -> Sequence[bytes | bytearray]:
        """Take in a chunk and return the lines it completes, without their ends.

        Raises:
            LineTooLongError: A line is longer than the limit.
        """
        rest = self._rest
        rest += chunk
        if b"\n" in chunk:
            *lines, self._rest = rest.split(b"\n")
        else:
            lines = []
        if len(self._rest) > self._limit:
            raise LineTooLongError(f"a line is longer than {self._limit} bytes")
        return lines
