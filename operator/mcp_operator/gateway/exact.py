"""JSON whose numbers leave as they came: `1.10`, `1e400` and integers of any length.

Python reads `1.10` as the float 1.1 and `1e400` as infinity, which has no JSON form. A number that
a float would write differently therefore keeps its text. To whatever computes with it, it is still
a float; unfolded, it is its text alone, which the encoder takes as it is.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from decimal import Decimal
from math import isfinite
from typing import Any, Final, NoReturn

from pydantic_core import to_json

MAX_INTEGER_DIGITS: Final = 4000
"""Longer integers keep their text: Python refuses to convert more than 4300 digits."""

MAX_EXPONENT: Final = 1000
"""Beyond it a schema sees infinity or zero: as an exact number, 1e999999999 takes 400 MB."""

_MARK: Final = secrets.token_hex(16).encode()
"""Surrounds a number's text until its quotation marks are dropped. Nobody outside of this process
knows it, so that no string of a backend passes for a number."""


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


class _Raw:
    """A number's text, where the JSON encoder asks what to do."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


def loads(text: str, *, unfolded: bool = False) -> Any:
    """Parse JSON as RFC 8259 has it.

    Args:
        text: The JSON.
        unfolded: Whether it is only to be encoded again, and nothing computes with its numbers.

    Raises:
        NotFiniteError: It holds NaN or an infinity.
        ValueError: It is none, or holds half of a surrogate pair.
        RecursionError: It is nested too deep.
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
    encoded = to_json(value, inf_nan_mode="null", fallback=_quoted)
    if _MARK in encoded:
        encoded = encoded.replace(b'"' + _MARK, b"").replace(_MARK + b'"', b"")
    return encoded


def for_schema(value: Any) -> Any:
    """Return an unfolded value with numbers of the types that the JSON Schema validator takes."""
    return _replaced(value, _Raw, _decimal)


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
_UNFOLDED: Final = _decoder(_Raw)


def unfolded(value: Any) -> Any:
    """Return a value with its numbers as `encode` writes them: in the form that they came in.

    Raises:
        ValueError: A computed number is infinite or none.
    """
    return _replaced(value, WrittenNumber, lambda number: _Raw(number.text))


def _quoted(raw: Any) -> str:
    if not isinstance(raw, _Raw):
        raise TypeError(f"{type(raw).__name__} has no JSON form")
    return f"{_MARK.decode()}{raw.text}{_MARK.decode()}"


def _decimal(number: _Raw) -> Any:
    try:
        exact = Decimal(number.text)
    except ArithmeticError:
        return float(number.text)
    return exact if abs(exact.adjusted()) <= MAX_EXPONENT else float(number.text)


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
