"""The path of a request: literal segments from the catalog, values that stay where they are put."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, Final
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
"""RFC 3986 pchar; the catalog may hold encoded literals."""

_HARMLESS = re.compile(r"[A-Za-z0-9_-]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


_Filling = tuple[Argument, Any]


def fill_path(path: str, present: Iterable[_Filling]) -> str:
    """Fill the places of a path; what is returned begins with a slash.

    Raises:
        MappingError: A place has no value, or a value would leave its place.
    """
    placed = list(present)
    values = {argument.target: (argument, value) for argument, value in placed}
    _check_members(placed)
    filled = "/".join(_fill(segment, values) for segment in path.split("/"))
    return filled if filled.startswith("/") else "/" + filled


def _check_members(placed: Iterable[_Filling]) -> None:
    """Refuse a member of an object that would be taken for another matrix parameter."""
    owners = {argument.target.casefold(): argument for argument, _ in placed}
    for argument, value in placed:
        names = value if isinstance(value, dict) and argument.style == "matrix" else ()
        for name in names if argument.explode else ():
            if owners.get(name.strip().casefold(), argument) is not argument:
                raise MappingError(
                    f"the argument {argument.name!r} would take the place of another with {name!r};"
                    " leave it out"
                )


def _fill(segment: str, values: Mapping[str, _Filling]) -> str:
    """Fill one segment; two harmless values side by side may not make a harmful segment."""
    parts = PATH_PLACE.split(segment)
    if len(parts) == 1:
        return quote(segment, safe=PATH_SAFE)
    encoded, plain, slashes = "", "", False
    for index, part in enumerate(parts):
        if index % 2 == 0:
            encoded += quote(part, safe=PATH_SAFE)
            plain += part
            continue
        several, name = part.startswith("+"), part.removeprefix("+")
        if name not in values:
            raise MappingError(f"no argument fills {{{part}}} in the path of this tool")
        argument, value = values[name]
        encode = _encoding(argument, several=several)
        plain += _checked(argument, value, slashes=encode is not quoted)
        encoded += placed_text(argument, value, encode)
        slashes = slashes or encode is not quoted
    if not stays(plain, slashes=slashes):
        raise MappingError(f"the arguments in {segment!r} would leave the path of this tool")
    return encoded


def _encoding(argument: Argument, *, several: bool) -> Encode:
    """Return how a value is encoded: slashes stay only where the path says `{+name}`."""
    if several:
        return partial(reserved, safe="/")
    return partial(reserved, safe="") if argument.allow_reserved else quoted


def _checked(argument: Argument, value: Any, *, slashes: bool) -> str:
    """Return a value as its server will read it, before encoding."""
    if is_nothing(argument, value):
        raise MappingError(f"the argument {argument.name!r} goes into the path, give it a value")
    text = placed_text(argument, value, str)
    if text and stays(text, slashes=slashes):
        return text
    if slashes:
        raise MappingError(
            f"the argument {argument.name!r} goes into the path: between its slashes there may be"
            " nothing empty, no '.' or '..', backslash or control character, encoded or not"
        )
    raise MappingError(
        f"the argument {argument.name!r} goes into one segment of the path: it may not be"
        " empty, '.' or '..', nor hold a slash, backslash or control character, encoded or not"
    )


def stays(text: str, *, slashes: bool = False) -> bool:
    """Tell whether a text stays where it is put, however often and leniently it is decoded.

    Some servers fold look-alikes (U+FF0F to a slash) and some cut `;parameters` before they resolve
    dots, so every such form has to be harmless.

    Args:
        text: What a server may decode, once or several times.
        slashes: Whether it may be several segments, none of which climbs or is empty.
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
