"""Decoding a text once that comes twice.

What an API server answers to a write, a watch tells once more, byte for byte, and either may come
first. Decoding is most of what it costs to hear of an object.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Generic, TypeVar

T = TypeVar("T")

KEPT: Final = 32
"""Texts that may wait for their second coming. Not all of them do come again."""

LONGEST: Final = 1 << 16
"""Bytes of a text from which on it is rather decoded twice than kept."""


class Echoes(Generic[T]):
    """Remembers what the last texts were decoded to, each until it is read again.

    Args:
        decode: Decodes a text.

    Attributes:
        expected: How many texts are under way that will come twice.
    """

    def __init__(self, decode: Callable[[bytes], T]) -> None:
        self.expected = 0
        self._decode = decode
        self._heard_once: dict[bytes, T] = {}

    def __bool__(self) -> bool:
        """Tell whether anything is to be gained from `read`."""
        return self.expected > 0 or bool(self._heard_once)

    def read(self, text: bytes) -> T:
        """Decode a text, or return the very object that it was decoded to the first time.

        Raises what `decode` does.
        """
        known = self._heard_once.pop(text, None)
        if known is None:
            known = self._decode(text)
            if len(text) < LONGEST:
                self._heard_once[text] = known
                if len(self._heard_once) > KEPT:
                    del self._heard_once[next(iter(self._heard_once))]
        return known
