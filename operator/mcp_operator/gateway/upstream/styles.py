"""The parameter styles of OpenAPI, which turn a JSON value into text.

OpenAPI 3.1 takes its styles from RFC 6570. Where its tables do not cover a value (null, an empty
list, a list in an object), the RFC applies, or else the value is written as JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from mcp_operator.api.catalog import Argument, JsonObject
from mcp_operator.core.errors import OperatorError

Encode = Callable[[str], str]
"""Encodes a name or a value so that it cannot be read as more than that."""

Pair = tuple[str, str]
"""A name as the backend reads it, and an encoded value."""

Placed = Sequence[tuple[Argument, Any]]
"""Arguments with their values, in the order of the catalog."""

RESERVED_QUERY: Final = "!$'()*,/:;=?@"
"""The characters that `allowReserved` keeps in a query: RFC 3986's reserved characters without
those that would end the value (`&`, `#`), mean a space (`+`) or are not allowed (`[`, `]`)."""

_DELIMITERS: Final[Mapping[str, str]] = {"form": ",", "spaceDelimited": " ", "pipeDelimited": "|"}
_JSON: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
_ASCII_JSON: Final = json.JSONEncoder(separators=(",", ":"), allow_nan=False)
_TRIPLET = re.compile(r"(%[0-9A-Fa-f]{2})")


class MappingError(OperatorError):
    """The arguments do not make a valid request; the message names the argument and the fix."""


def quoted(text: str) -> str:
    """Percent-encode everything but unreserved characters."""
    return quote(text, safe="")


def reserved(text: str, safe: str = RESERVED_QUERY) -> str:
    """Percent-encode like RFC 6570's reserved expansion, which does not encode `%41` again."""
    parts = _TRIPLET.split(text)
    return "".join(
        part if index % 2 else quote(part, safe=safe) for index, part in enumerate(parts)
    )


def query_encoding(argument: Argument) -> Encode:
    """Return how to encode the values of an argument in a query or in a form."""
    return reserved if argument.allow_reserved else quoted


def all_pairs(
    placed: Placed, taken: Collection[str] = (), encode: Encode | None = None
) -> list[Pair]:
    """Write arguments as name=value pairs, in the order of the arguments.

    Args:
        placed: The arguments with their values.
        taken: Names that arguments must not use, such as those of constants.
        encode: How to encode values; defaults to the encoding of a query or a form.

    Raises:
        MappingError: A member of an object, whose name a client can choose, would replace another
            argument.
    """
    owners = {comparable(argument.target): argument.name for argument, _ in placed}
    owners |= {comparable(name): "" for name in taken}
    pairs: list[Pair] = []
    for argument, value in placed:
        for name, text in named_pairs(argument, value, encode or query_encoding(argument)):
            for form in readings(name) if name != argument.target else ():
                if owners.get(form, argument.name) != argument.name:
                    raise MappingError(
                        f"the argument {argument.name!r} would replace another argument with "
                        f"{name!r}; omit it"
                    )
            pairs.append((name, text))
    return pairs


def comparable(name: str) -> str:
    """Return a name in the form that the most lenient servers compare."""
    return name.strip().casefold()


def readings(name: str) -> set[str]:
    """Return the names that servers can read a name as: itself, and `a` for `a[b]`."""
    return {comparable(name), comparable(name.partition("[")[0])}


def named_pairs(argument: Argument, value: Any, encode: Encode) -> list[Pair]:
    """Write a value as name=value pairs: form, the delimited styles, deepObject, json.

    Null and an empty list produce no pairs (RFC 6570 section 2.3).
    """
    name, style = argument.target, argument.style or "form"
    if value is None:
        return []
    if style == "json":
        return [(name, encode(json_text(value)))]
    if style == "deepObject":
        return [(place, encode(plain_text(leaf))) for place, leaf in _leaves(name, value)]
    if not isinstance(value, dict | list):
        return [(name, encode(plain_text(value)))]
    explode = argument.explode if argument.explode is not None else style == "form"
    return _exploded(name, value, encode) if explode else _delimited(name, style, value, encode)


def _exploded(name: str, value: JsonObject | list[Any], encode: Encode) -> list[Pair]:
    if isinstance(value, dict):
        return [(key, encode(plain_text(v))) for key, v in value.items() if v is not None]
    return [(name, encode(text)) for text in _texts(value)]


def _delimited(name: str, style: str, value: Any, encode: Encode) -> list[Pair]:
    delimiter = _DELIMITERS[style]
    texts = [encode(text) for text in _texts(value)]
    joined = (delimiter if delimiter == "," else encode(delimiter)).join(texts)
    return [(name, joined)] if texts else []


def placed_text(argument: Argument, value: Any, encode: Encode) -> str:
    """Write a value without name=value pairs: simple, label, matrix, json."""
    style, explode = argument.style or "simple", bool(argument.explode)
    if style == "json":
        return encode(json_text(value))
    items = list(_placed_items(value, encode, explode=explode))
    if style == "matrix":
        return _matrix(encode(argument.target), value, items, explode=explode)
    if style == "label":
        return "." + ("." if explode else ",").join(items)
    return ",".join(items)


def plain_text(value: Any) -> str:
    """Return strings unchanged and everything else as JSON: `true`, `3`, `{"a":1}`."""
    return value if isinstance(value, str) else json_text(value)


def json_text(value: Any, *, escaped: bool = False) -> str:
    """Return a value as JSON, with only ASCII characters if `escaped`.

    Raises:
        MappingError: It has no JSON form, for example an infinite number.
    """
    try:
        return (_ASCII_JSON if escaped else _JSON).encode(value)
    except (ValueError, RecursionError) as error:
        raise MappingError(
            "an argument has no JSON form (infinite, or nested too deeply)"
        ) from error


def header_text(argument: Argument, value: Any) -> str:
    """Return the text of a header value; style json escapes characters that are not ASCII.

    Raises:
        MappingError: It has no such form.
        UnicodeEncodeError: It contains half of a surrogate pair.
    """
    text = placed_text(argument, value, str)
    text.encode()
    return json_text(value, escaped=True) if argument.style == "json" else text


def is_nothing(argument: Argument, value: Any) -> bool:
    """Tell whether a value can be represented by no style but json (RFC 6570 section 2.3)."""
    members = list(value.values()) if isinstance(value, dict) else value
    empty = isinstance(members, list) and all(one is None for one in members)
    return value is None or (empty and argument.style != "json")


def _texts(value: Any) -> Iterator[str]:
    """Yield the items of a list, or alternately the names and values of an object."""
    if isinstance(value, dict):
        for key, member in value.items():
            if member is not None:
                yield from (key, plain_text(member))
    else:
        yield from (plain_text(item) for item in value if item is not None)


def _placed_items(value: Any, encode: Encode, *, explode: bool) -> Iterator[str]:
    if isinstance(value, dict) and explode:
        for key, member in value.items():
            if member is not None:
                yield f"{encode(key)}={encode(plain_text(member))}"
    elif isinstance(value, dict | list):
        yield from map(encode, _texts(value))
    else:
        yield encode(plain_text(value))


def _matrix(name: str, value: Any, items: list[str], *, explode: bool) -> str:
    """Write RFC 6570's path-style parameters; an empty value has no equals sign."""
    if isinstance(value, dict) and explode:
        return "".join(f";{item}" for item in items)
    if isinstance(value, list) and explode:
        return "".join(f";{name}={item}" if item else f";{name}" for item in items)
    text = ",".join(items)
    return f";{name}={text}" if text else f";{name}"


def _leaves(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the leaves of a value: `a[b]`, `a[]` for lists of scalars, `a[0][b]` for objects."""
    if isinstance(value, dict):
        for key, member in value.items():
            yield from _leaves(f"{name}[{key}]", member)
    elif isinstance(value, list):
        nested = any(isinstance(item, dict | list) for item in value)
        for index, item in enumerate(value):
            yield from _leaves(f"{name}[{index}]" if nested else f"{name}[]", item)
    elif value is not None:
        yield name, value
