"""JSON whose numbers leave as they came: `1.10`, `1e400` and integers of any length.

Python reads `1.10` as the float 1.1 and `1e400` as infinity, which has no JSON form. A number that
a float would write differently therefore keeps its text. To whatever computes with it, it is still
a float; unfolded, it is its text alone, which the encoder takes as it is. So it does with whatever
else is encoded already.
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
"""Beyond it a schema sees infinity or zero: as an exact number, 1e999999999 takes 400 MB."""

_MARK: Final = secrets.token_hex(16)
"""Stands for what is encoded already, until it is put there. Nobody outside of this process knows
it, so that no string of a backend is taken for it."""

_QUOTED_MARK: Final = f'"{_MARK}"'.encode()


_PLAIN: Final = frozenset({str, int, bool, type(None)})


class NotFiniteError(ValueError):
    """A text is JSON but for a NaN or an infinity, as Python and others write them."""


class WrittenNumber(float):
    """A number with the text that it was written as."""

    __slots__ = ("text",)

    text: str

    @classmethod
    def of(cls, text: str) -> WrittenNumber:
        """Read a number; infinite or zero where it is too large or small for a float."""
        number = cls(text)
        number.text = text
        return number


class Encoded:
    """A value that is JSON already, such as a number in the form in which it came."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        """Take the JSON, in UTF-8."""
        self.data = data

    @property
    def is_object(self) -> bool:
        """Whether it is a JSON object."""
        return self.data.startswith(b"{")


def loads(text: str, *, unfolded: bool = False) -> Any:
    """Parse JSON as RFC 8259 has it.

    Args:
        text: The JSON.
        unfolded: Whether it is only to be encoded again, and nothing computes with its numbers.

    Raises:
        NotFiniteError: It holds NaN or an infinity.
        ValueError: It is none, or holds half of a surrogate pair.
        RecursionError: It is nested too deeply.
    """
    value = (_UNFOLDED if unfolded else _FOLDED).decode(text)
    if "\\u" in text:
        dumps(value)  # an escaped half surrogate has no UTF-8 form
    return value


def dumps(value: Any) -> bytes:
    """Encode an unfolded value as compact JSON in UTF-8, its numbers as they were written.

    Raises:
        ValueError: It holds half a surrogate pair, or is nested deeper than some 250 levels.
        RecursionError: It is nested even deeper.
    """
    nested = [[[[value]]]]  # as deep as it stands in a response, for the depth is bounded
    return encode(nested)[4:-4]


def encode(value: Any) -> bytes:
    """Encode an unfolded value, and all that has a JSON form by itself."""
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
    """Return an unfolded object with each of its members encoded, so that little is left to do."""
    return {name: Encoded(encode(member)) for name, member in value.items()}


def decoded(value: Any) -> Any:
    """Return a value of an object whose members may be encoded."""
    return loads(value.data.decode()) if isinstance(value, Encoded) else value


def for_schema(value: Any) -> Any:
    """Return an unfolded value with numbers of the types that the JSON Schema validator takes."""
    return _replaced(value, Encoded, _decimal)


def _decoder(keep: Callable[[str], Any]) -> json.JSONDecoder:
    """Return a decoder of JSON; `keep` makes a value of a number that has to keep its text."""

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
    """Return a value with its numbers as `encode` writes them: in the form that they came in.

    Raises:
        ValueError: A computed number is infinite or none.
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
    """Copy the containers of a value around each number of a type; keep all others."""
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
