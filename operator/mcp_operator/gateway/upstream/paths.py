"""The path of a request: literals from the catalog, and values that stay in their places."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache, partial
from typing import Any, Final, NamedTuple
from urllib.parse import quote, unquote

from mcp_operator.api.catalog import Argument
from mcp_operator.api.places import PATH_PLACE
from mcp_operator.gateway.upstream.styles import (
    Encode,
    MappingError,
    is_nothing,
    placed_text,
    quoted,
    reserved,
)

PATH_SAFE: Final = "/%:@!$&'()*+,;=~"
"""RFC 3986 pchar; the catalog can contain percent-encoded literals."""

_HARMLESS = re.compile(r"[A-Za-z0-9_-]+")
"""Text that is the same however often it is encoded or decoded."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


_Filling = tuple[Argument, Any]


def fill_path(path: str, present: Iterable[_Filling]) -> str:
    """Fill the places of a path; the result begins with a slash.

    Raises:
        MappingError: A place has no value, or a value would leave its place.
    """
    placed = list(present)
    values = {argument.target: (argument, value) for argument, value in placed}
    _check_members(placed)
    filled = "/".join([_fill(segment, values) for segment in _segments(path)])
    return filled if filled.startswith("/") else "/" + filled


class _Segment(NamedTuple):
    """One segment of a path from the catalog.

    Attributes:
        text: The segment in the catalog.
        parts: Its parts: a literal, followed by any number of pairs of a place and a literal.
        encoded: The same parts, with the literals percent-encoded.
    """

    text: str
    parts: tuple[str, ...]
    encoded: tuple[str, ...]


@lru_cache(maxsize=4096)
def _segments(path: str) -> tuple[_Segment, ...]:
    """Split the path of a tool; cached, because it is the same in each call."""
    found = []
    for text in path.split("/"):
        parts = PATH_PLACE.split(text)
        encoded = (quote(part, safe=PATH_SAFE) for part in parts)
        found.append(_Segment(text, tuple(parts), tuple(encoded)))
    return tuple(found)


def _check_members(placed: Sequence[_Filling]) -> None:
    """Reject a member of an object that a server would read as another matrix parameter."""
    matrix = [one for one in placed if one[0].style == "matrix" and isinstance(one[1], dict)]
    if not matrix:
        return
    owners = {argument.target.casefold(): argument for argument, _ in placed}
    for argument, value in matrix:
        for name in value if argument.explode else ():
            if owners.get(name.strip().casefold(), argument) is not argument:
                raise MappingError(
                    f"the argument {argument.name!r} would replace another argument with "
                    f"{name!r}; omit it"
                )


def _fill(segment: _Segment, values: Mapping[str, _Filling]) -> str:
    """Fill one segment, and check it as a whole: two safe values can form an unsafe segment."""
    if len(segment.parts) == 1:
        return segment.encoded[0]
    encoded, plain, slashes = "", "", False
    for index, part in enumerate(segment.parts):
        if index % 2 == 0:
            encoded += segment.encoded[index]
            plain += part
            continue
        several, name = part.startswith("+"), part.removeprefix("+")
        if name not in values:
            raise MappingError(f"no argument fills {{{part}}} in the path of this tool")
        argument, value = values[name]
        encode = _encoding(argument, several=several)
        text = _checked(argument, value, slashes=encode is not quoted)
        plain += text
        encoded += text if _HARMLESS.fullmatch(text) else placed_text(argument, value, encode)
        slashes = slashes or encode is not quoted
    if not stays(plain, slashes=slashes):
        raise MappingError(f"the arguments in {segment.text!r} lead outside the path of this tool")
    return encoded


def _encoding(argument: Argument, *, several: bool) -> Encode:
    """Return how to encode a value; only `{+name}` in the path keeps slashes."""
    if several:
        return partial(reserved, safe="/")
    return partial(reserved, safe="") if argument.allow_reserved else quoted


def _checked(argument: Argument, value: Any, *, slashes: bool) -> str:
    """Return a value in the form that the server decodes, after checking it."""
    if is_nothing(argument, value):
        raise MappingError(f"the argument {argument.name!r} is part of the path; give it a value")
    text = placed_text(argument, value, str)
    if text and stays(text, slashes=slashes):
        return text
    if slashes:
        raise MappingError(
            f"the argument {argument.name!r} is part of the path: its segments must not be "
            "empty, '.' or '..', or contain a backslash or control character, encoded or not"
        )
    raise MappingError(
        f"the argument {argument.name!r} is one segment of the path: it must not be empty, '.' "
        "or '..', or contain a slash, backslash or control character, encoded or not"
    )


def stays(text: str, *, slashes: bool = False) -> bool:
    """Tell whether a text stays in its place, however often and leniently it is decoded.

    Some servers normalize look-alikes (U+FF0F to a slash), and some cut off `;parameters` before
    they resolve dots, so all these forms must be safe.

    Args:
        text: Text that a server can decode once or several times.
        slashes: Whether it can be several segments, none of which is empty or goes up.
    """
    if _HARMLESS.fullmatch(text):
        return True
    while True:
        for form in (text, unicodedata.normalize("NFKC", text)):
            parts = form.split("/") if slashes else [form]
            if any(_climbs(part) for part in parts) or (slashes and "" in parts):
                return False
        decoded = unquote(text, errors="replace")
        if decoded == text:
            return True
        text = decoded


def _climbs(part: str) -> bool:
    harmful = "/" in part or "\\" in part or _CONTROL.search(part) is not None
    return harmful or part.partition(";")[0] in {".", ".."}
