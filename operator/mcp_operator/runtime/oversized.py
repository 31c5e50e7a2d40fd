"""Cuts objects that an API server accepts, but that are too deep or too large to decode.

An API server accepts any object of up to 1.5 MB. A part without a schema of its own, such as the
schema of a tool, can have 10,000 levels (Go, encoding/json, maxNestingDepth) or 700,000 values,
which take fifty times as much memory when they are decoded. One such object must neither make the
others unreadable nor delay them, so its text is cut before it is decoded.
"""

from __future__ import annotations

import contextlib
import re
from typing import Any, Final

from pydantic_core import from_json

from mcp_operator.core import weight
from mcp_operator.core.meta import UNREADABLE

MAX_LEVELS: Final = 200
"""Levels of nesting that the decoder accepts (jiter, DEFAULT_RECURSION_LIMIT)."""

MAX_VALUES: Final = 100_000
"""Values in an object. Decoding this many takes about 10 ms; a tool has a few hundred."""

_SMALL: Final = 64 * 1024
"""Bytes that are fast to decode, whatever they contain."""

_STRING_OR_BRACKET: Final = re.compile(weight.STRING.pattern + rb"|[\[\]{}]", re.DOTALL)
_CUT: Final = "\0nested too deeply\0"
_CUT_JSON: Final = b'"\\u0000nested too deeply\\u0000"'
_TOO_DEEP: Final = f"it is nested about {MAX_LEVELS} levels deep or more"
_TOO_MANY: Final = f"it has more than {MAX_VALUES:,} values: divide it among several objects"


class OversizedError(ValueError):
    """JSON is nested too deeply for the decoder, or may have too many values in an object."""


def decode(text: bytes) -> Any:
    """Decode JSON. Equal strings share one object, which halves the memory of cached objects.

    Raises:
        OversizedError: It is nested too deeply.
        ValueError: It is not JSON.
    """
    try:
        return from_json(text, cache_strings="all")
    except ValueError as error:
        if "recursion limit" in str(error):
            raise OversizedError(_TOO_DEEP) from error
        raise


def decode_object(text: bytes, *, cut: bool = False) -> Any:
    """Decode an object, or an event of a watch with one.

    With `cut`, which takes longer, an object that cannot be decoded keeps only its metadata and, if
    possible, its status. If that fails, markers replace the values that are too deep, which
    `why_unreadable` finds.

    Raises:
        OversizedError: `cut` is false, and the object cannot be decoded, or might be too large.
        ValueError: It is not JSON.
    """
    if not cut:
        if count(text) > MAX_VALUES:
            raise OversizedError(_TOO_MANY)
        return decode(text)
    text, why = _without_bookkeeping(text), _TOO_DEEP
    if weight.holds_more(text, MAX_VALUES + 1):  # the object itself is one
        why = _TOO_MANY
    else:
        with contextlib.suppress(OversizedError):
            return decode(text)  # what was counted is inside strings
    return _skimmed(text, why) or decode(cut_deep(text))


def count(text: bytes) -> int:
    """Return an upper bound of the values, or 0 if the text is too short for too many."""
    return weight.at_most(text) if len(text) > MAX_VALUES else 0


def cut_deep(text: bytes) -> bytes:
    """Replace each value that is nested too deeply with a marker."""
    parts: list[bytes] = []
    depth = kept = 0
    for found in _STRING_OR_BRACKET.finditer(text):
        token = found[0]
        if token in b"{[":
            depth += 1
            if depth == MAX_LEVELS + 1:
                parts += (text[kept : found.start()], _CUT_JSON)
        elif token in b"}]":
            if depth == MAX_LEVELS + 1:
                kept = found.end()
            depth -= 1
    parts.append(text[kept:])
    return b"".join(parts)


def why_unreadable(value: Any) -> str:
    """Return why a decoded object cannot be read; empty if it can."""
    left, seen = [value], 0
    while left:
        value = left.pop()
        if isinstance(value, dict | list):
            left += value.values() if isinstance(value, dict) else value
            seen += len(value)
            if seen > MAX_VALUES:
                return _TOO_MANY
        elif value == _CUT:
            return _TOO_DEEP
    return ""


def _without_bookkeeping(text: bytes) -> bytes:
    """Remove the managedFields of a custom resource, which nothing reads; see `_skimmed`."""
    head, spec, rest = text.partition(b',"spec":')
    before, fields, after = head.partition(b',"managedFields":[')
    _, name, kept = after.partition(b'],"name":')
    return before + b',"name":' + kept + spec + rest if spec and fields and name else text


def _skimmed(text: bytes, why: str) -> Any:
    """Decode an object, or an event, without its spec, however large that is.

    An API server sends the fields of a custom resource in the order of their names (encoding/json),
    so the metadata come before the spec, and the status after it. The texts at these places are
    decoded together, which fails if they are anything else.

    Returns:
        None if this is something else, or if more than the spec is large.
    """
    head, spec, rest = text.partition(b',"spec":')
    if not spec or len(head) > _SMALL:
        return None
    is_event = text.startswith(b'{"type":')
    _, status, tail = rest.rpartition(b',"status":{')
    for end in (status + tail, b"}}" if is_event else b"}"):
        with contextlib.suppress(ValueError):
            if len(end) <= _SMALL:
                decoded = decode(head + end)
                obj = decoded["object"] if is_event else decoded
                if "name" in obj.get("metadata", {}):  # else a label is called "spec"
                    obj[UNREADABLE] = why
                    return decoded
    return None
