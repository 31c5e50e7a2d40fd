"""Edits of the lines of a watch, for `faults.actions.edit`."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator

from faults.actions import Lines

TOGETHER = 0.05
"""The maximum time in seconds between two events that can be swapped or merged."""


async def duplicated(lines: Lines) -> Lines:
    """Send every line twice."""
    async for line in lines:
        yield line
        yield line


async def reordered(lines: Lines) -> Lines:
    """Swap the first two lines."""
    first, second = await anext(lines), await anext(lines)
    yield second
    yield first
    async for line in lines:
        yield line


class ChaoticStream:
    """Delays, repeats, merges and reorders lines, and cuts the stream within one, at random.

    It respects the contract of a watch: events of one object keep their order, a bookmark comes
    after all events that it covers, and a stream is not cut between swapped events, because the
    client would resume after the later of the two.
    """

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)  # noqa: S311 - a failure must be reproducible
        self.done: dict[str, int] = dict.fromkeys(("cut", "moved", "merged", "repeated"), 0)

    async def edit(self, lines: Lines) -> Lines:
        """Change the lines of a watch; an argument for `faults.actions.edit`."""
        async for batch in _batches(lines):
            if self._likely(0.1, "cut"):
                yield batch[0][: len(batch[0]) // 2]
                raise ConnectionResetError
            for line in self._mixed(self._merged(batch)):
                yield line
                if self._likely(0.3, "repeated"):
                    yield line

    def _likely(self, probability: float, what: str) -> bool:
        happens = self._chance.random() < probability
        self.done[what] += happens
        return happens

    def _merged(self, batch: list[bytes]) -> list[bytes]:
        """Leave out a change of an object if a later change follows."""
        kept: list[bytes] = []
        for number, line in enumerate(batch):
            type_, uid = _identity(line)
            later = (_identity(other) for other in batch[number + 1 :])
            superseded = type_ == "MODIFIED" and ("MODIFIED", uid) in later
            if not (superseded and self._likely(0.7, "merged")):
                kept.append(line)
        return kept

    def _mixed(self, batch: list[bytes]) -> list[bytes]:
        """Swap adjacent events of different objects."""
        mixed = batch[:]
        for number in range(1, len(mixed)):
            (one, first), (other, second) = _identity(mixed[number - 1]), _identity(mixed[number])
            free = first != second and "BOOKMARK" not in (one, other)
            if free and self._likely(0.5, "moved"):
                mixed[number - 1 : number + 1] = mixed[number], mixed[number - 1]
        return mixed


def _identity(line: bytes) -> tuple[str, str]:
    """Return the type of an event, and the UID of its object."""
    event = json.loads(line)
    return event["type"], event["object"].get("metadata", {}).get("uid", "")


async def _batches(lines: Lines) -> AsyncIterator[list[bytes]]:
    """Yield lists of lines that arrive close together."""
    batch: list[bytes] = []
    upcoming = asyncio.ensure_future(anext(lines, b""))
    try:
        while True:
            await asyncio.wait({upcoming}, timeout=TOGETHER if batch else None)
            if upcoming.done() and (line := upcoming.result()):
                batch.append(line)
                upcoming = asyncio.ensure_future(anext(lines, b""))
                continue
            if batch:
                yield batch
            if upcoming.done():
                return
            batch = []
    finally:
        upcoming.cancel()
