"""The path of an operation, and the places in it that arguments fill."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, unquote

from mcp_operator.api.places import PATH_PLACE
from mcp_operator.importers.documents import OpenApiError
from mcp_operator.importers.operations import Operation, Parameter

MAX_PATH: Final = 1024
"""Characters of a path in the API."""

_SAFE: Final = "/{}:@!$&'()*+,;=~%"
"""Characters that paths can contain unencoded (RFC 3986, section 3.3), and the braces of places."""

_NAME: Final = re.compile(r"[+#./;?&]?([^:*]+)")
"""The name in a place. Some documents add an operator of URI templates or a regular expression."""

_SLASHES: Final = re.compile(
    r"(contain|including|include|with|allow)[^.]{0,20}slash", re.IGNORECASE
)
_PATHS: Final = frozenset({"basehead", "file_path", "filepath", "path", "ref_path"})
"""Names of parameters that hold a path, if they are at the end of the operation's path."""


def described_path(operation: Operation) -> tuple[str, list[tuple[str, str]]]:
    """Return the whole path of an operation, and the query constants in it.

    `/messages?beta=true` is not a valid path of OpenAPI, but some documents use it to distinguish
    two operations. Others use a fragment, which is never sent.

    Raises:
        OpenApiError: A request cannot have this path.
    """
    path, _, query = operation.template.partition("#")[0].partition("?")
    pairs = [pair.partition("=") for pair in query.split("&") if pair]
    constants = [(unquote(name), unquote(value)) for name, _, value in pairs]
    whole = quote(f"{operation.base_path}/{path.lstrip('/')}", safe=_SAFE)
    if {".", ".."} & set(whole.split("/")):
        raise OpenApiError(f"its path {whole} has a segment . or .., which HTTP clients remove")
    if len(whole) > MAX_PATH:
        raise OpenApiError(f"its path has more than {MAX_PATH} characters")
    return whole, constants


def places(path: str) -> list[str]:
    """Return the names of the places in a path, each once."""
    return list(dict.fromkeys(_named(place) for place in PATH_PLACE.findall(path)))


def with_names(path: str, names: Mapping[tuple[str, str], str]) -> str:
    """Replace the names in the places of a path by the names of arguments."""
    return PATH_PLACE.sub(lambda found: f"{{{names['path', _named(found[1])]}}}", path)


def holds_slashes(parameter: Parameter, template: str) -> bool:
    """Tell whether a path parameter is meant to contain slashes, which OpenAPI cannot express."""
    name, schema = parameter.name, parameter.schema.mapping
    ends = template.rstrip("/").endswith((f"{{{name}}}", f"{{{name}*}}", f"{{+{name}}}"))
    return parameter.location == "path" and (
        schema.get("x-multi-segment") is True
        or schema.get("format") == "path"
        or (ends and name.lower() in _PATHS)
        or any(sign in template for sign in (f"{{{name}*}}", f"{{+{name}}}", f"{{{name}:.*}}"))
        or _SLASHES.search(parameter.description) is not None
    )


def _named(place: str) -> str:
    written = unquote(place)
    found = _NAME.match(written)
    return found[1] if found else written
