"""Caches the last result of a function until its inputs change."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from mcp_operator.core.meta import Key

T = TypeVar("T")


class Memo(Generic[T]):
    """Holds the last result of a pure function for each object, with its inputs.

    Inputs are compared by identity, which is cheap. It is enough, because the parser and the
    compiler return the identical model for an object that has not changed.
    """

    def __init__(self) -> None:
        self._results: dict[Key, tuple[tuple[object, ...], T]] = {}

    async def get(
        self, key: Key, inputs: tuple[object, ...], compute: Callable[[], Awaitable[T]]
    ) -> T:
        """Return the last result for `key`; compute it again if an input has changed.

        Nothing else must get or forget the key meanwhile. Controllers ensure this, because they
        never process a key twice at the same time.
        """
        known = self._results.get(key)
        if known is not None and _identical(known[0], inputs):
            return known[1]
        result = await compute()
        self._results[key] = inputs, result
        return result

    def forget(self, key: Key) -> None:
        """Drop the result for a deleted object."""
        self._results.pop(key, None)


def _identical(one: tuple[object, ...], other: tuple[object, ...]) -> bool:
    return len(one) == len(other) and all(a is b for a, b in zip(one, other, strict=True))
