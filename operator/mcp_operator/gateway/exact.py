"""JSON that preserves the text of numbers: `1.10`, `1e400` and integers of any length.

Python reads `1.10` as the float 1.1, and `1e400` as infinity, which has no JSON form. A number that
a float would write differently therefore keeps its text. In a value for expressions, it is a
`WrittenNumber`: a float that remembers its text. In an "unfolded" value, it is `Encoded`: only the
text, which the encoder copies. `Encoded` also holds any other value that is already encoded.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from decimal import Decimal
from itertools import chain
from math import isfinite
from typing import Any, Final, NoReturn

from pydantic_core import to_json

MAX_INTEGER_DIGITS: Final = 4000
"""Longer integers keep their text: Python refuses to convert more than 4300 digits."""

MAX_EXPONENT: Final = 1000
"""Beyond it, schemas see infinity or zero, because 1e999999999 takes 400 MB as an exact number."""

_MARK: Final = secrets.token_hex(16)
"""Stands for values that are already encoded until they are inserted. It is random, so a string
from a backend cannot be mistaken for it."""

_QUOTED_MARK: Final = f'"{_MARK}"'.encode()


_PLAIN: Final = frozenset({str, int, bool, type(None)})


class NotFiniteError(ValueError):
    """A text would be JSON if it had no NaN or infinity, which Python and others write."""


class WrittenNumber(float):
    """A float that remembers the text of the number."""

    __slots__ = ("text",)

    text: str

    @classmethod
    def of(cls, text: str) -> WrittenNumber:
        """Read a number. If it is too large or small for a float, it is infinite or zero."""
        number = cls(text)
        number.text = text
        return number


class Encoded:
    """A value that is already JSON, such as a number with its original text."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        """Take the JSON, in UTF-8."""
        self.data = data

    @property
    def is_object(self) -> bool:
        """Whether it is a JSON object."""
        return self.data.startswith(b"{")


def loads(text: str, *, unfolded: bool = False) -> Any:
    """Parse JSON (RFC 8259).

    Args:
        text: The JSON.
        unfolded: Whether the value is only encoded again, and nothing computes with its numbers.

    Raises:
        NotFiniteError: The text contains NaN or an infinity.
        ValueError: The text is not JSON, or contains half of a surrogate pair.
        RecursionError: The text is nested too deeply.
    """
    value = (_UNFOLDED if unfolded else _FOLDED).decode(text)
    if "\\u" in text:
        dumps(value)  # an escaped half surrogate has no UTF-8 form
    return value


def dumps(value: Any) -> bytes:
    """Encode an unfolded value as compact JSON in UTF-8, with the original text of its numbers.

    Raises:
        ValueError: It contains half a surrogate pair, or more than about 250 levels.
        RecursionError: It is nested even deeper.
    """
    nested = [[[[value]]]]  # the depth that it has in a response, as the encoder limits the depth
    return encode(nested)[4:-4]


def encode(value: Any) -> bytes:
    """Encode an unfolded value, or any other value that has a JSON form."""
    found: list[bytes] = []

    def marked(one: Any) -> str:
        if not isinstance(one, Encoded):
            raise TypeError(f"{type(one).__name__} has no JSON form")
        found.append(one.data)
        return _MARK

    encoded = to_json(value, inf_nan_mode="null", fallback=marked)
    if not found:
        return encoded
    around = encoded.split(_QUOTED_MARK)
    return b"".join(chain.from_iterable(zip(around, [*found, b""], strict=True)))


def encoded_members(value: dict[str, Any]) -> dict[str, Any]:
    """Return an unfolded object with encoded members, which leaves little work for the response."""
    return {name: Encoded(encode(member)) for name, member in value.items()}


def decoded(value: Any) -> Any:
    """Decode the value of an object's member if it is encoded."""
    return loads(value.data.decode()) if isinstance(value, Encoded) else value


def for_schema(value: Any) -> Any:
    """Return an unfolded value with number types that the JSON Schema validator accepts."""
    return _replaced(value, Encoded, _decimal)


def _decoder(keep: Callable[[str], Any]) -> json.JSONDecoder:
    """Return a JSON decoder; `keep` creates the value of a number that must keep its text."""

    def fraction(text: str) -> Any:
        number = float(text)
        # Other encoders write exponents differently.
        return number if repr(number) == text and "e" not in text else keep(text)

    def integer(text: str) -> Any:
        return keep(text) if len(text) > MAX_INTEGER_DIGITS or text == "-0" else int(text)

    return json.JSONDecoder(
        parse_float=fraction, parse_int=integer, parse_constant=_refuse_constant
    )


def _refuse_constant(name: str) -> NoReturn:
    raise NotFiniteError(f"{name} is not JSON")  # RFC 8259 section 6


_FOLDED: Final = _decoder(WrittenNumber.of)
_UNFOLDED: Final = _decoder(lambda text: Encoded(text.encode()))


def unfolded(value: Any) -> Any:
    """Return a value whose numbers `encode` writes with their original text.

    Raises:
        ValueError: A computed number is infinite or NaN.
    """
    return _replaced(value, WrittenNumber, lambda number: Encoded(number.text.encode()))


def _decimal(number: Encoded) -> Any:
    text = number.data.decode()
    try:
        exact = Decimal(text)
    except ArithmeticError:
        return float(text)
    return exact if abs(exact.adjusted()) <= MAX_EXPONENT else float(text)


def _replaced(value: Any, number: type[Any], replace: Callable[[Any], Any]) -> Any:
    """Copy the containers around each number of the given type; reuse all others."""
    kind = type(value)
    if kind is number:
        return replace(value)
    if kind is float and not isfinite(value):
        raise ValueError("a computed number is infinite, which has no JSON form")
    if kind is dict:
        changed = {
            key: new
            for key, old in value.items()
            if type(old) not in _PLAIN and (new := _replaced(old, number, replace)) is not old
        }
        return value | changed if changed else value
    if kind is list:
        changed = {
            index: new
            for index, old in enumerate(value)
            if type(old) not in _PLAIN and (new := _replaced(old, number, replace)) is not old
        }
        return [changed.get(index, old) for index, old in enumerate(value)] if changed else value
    return value
