"""Maps arguments to an HTTP request, as a pure function.

The scheme, host, port and the literal parts of the path come only from the catalog. An argument
fills the one place that the catalog gives it. It can neither leave that place nor replace another:
it cannot add path segments or header lines. Arguments that the schema allows without naming them
become query parameters or fields of the body, nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from mcp_operator.api.catalog import Argument, Backend, JsonObject
from mcp_operator.api.places import FRAMING, NOT_FOR_ARGUMENTS
from mcp_operator.gateway.upstream.bodies import build_body
from mcp_operator.gateway.upstream.paths import fill_path
from mcp_operator.gateway.upstream.pool.head import FieldLine, field_line
from mcp_operator.gateway.upstream.styles import (
    MappingError,
    Placed,
    all_pairs,
    comparable,
    header_text,
    is_nothing,
    plain_text,
    quoted,
    readings,
)

__all__ = ["MappingError", "Request", "build_request", "check_header"]

MAX_TARGET_LENGTH = 16 * 1024
"""Characters of path and query: twice the 8000 that RFC 9110 section 4.1 asks every recipient to
support. For a longer URL, this module's error is more helpful than a 414."""

MAX_HEADER_LENGTH = 8 * 1024
"""Characters of a header value that common servers accept (nginx, Node, Go: 8 KiB and more)."""

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 section 5.6.2
_FIELD_VALUE = re.compile(r"[\t\x20-\x7e]*")  # RFC 9110 section 5.5, without obs-text
_COOKIE_SAFE = "!#$&'()*+-./:<=>?@[]^_`{|}~"  # RFC 6265 cookie-octet, without the percent sign

_Present = Mapping[str, Placed]
"""Arguments with their values, by location."""


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request to a backend, without credentials.

    Attributes:
        method: In upper case.
        scheme: `http` or `https`.
        host: The Service's DNS name, from the catalog.
        port: Its port, from the catalog.
        target: Path and query, encoded for the wire.
        headers: Encoded for the wire, by name in lower case.
        body: None for a request without a body.
        external: Whether the host is outside of the cluster, as the catalog allows.
        virtual_host: The name in the Host header and in TLS, instead of the host.
        template: The path in the catalog, with placeholders for arguments; empty if `target` was
            not built from one.
    """

    method: str
    scheme: str
    host: str
    port: int
    target: str
    headers: Mapping[str, FieldLine] = field(default_factory=dict)
    body: bytes | None = None
    external: bool = False
    virtual_host: str = ""
    template: str = ""


def build_request(backend: Backend, arguments: JsonObject) -> Request:
    """Fill a backend's request template.

    Raises:
        MappingError: An argument is missing, cannot be represented in its place, or would leave
            its place.
    """
    present = _present(backend, arguments)
    try:
        target = fill_path(backend.path, present.get("path", ())) + _query(backend, present)
        headers = dict(_headers(backend, present))
        body = build_body(backend, present.get("body", ()), arguments)
    except UnicodeEncodeError as error:
        raise MappingError(
            "an argument contains half of a surrogate pair, which is not a character; send "
            "complete characters"
        ) from error
    except RecursionError as error:
        raise MappingError("an argument is nested too deeply") from error
    if len(target) > MAX_TARGET_LENGTH:
        raise MappingError(
            f"the arguments make a URL of {len(target)} characters, more than the"
            f" {MAX_TARGET_LENGTH} allowed; send shorter values"
        )
    if body is not None:
        headers["content-type"] = _content_type(body.content_type)
    return Request(
        method=backend.method.upper(),
        scheme=backend.scheme,
        host=backend.host,
        port=backend.port,
        target=target,
        headers=headers,
        body=body.data if body is not None else None,
        external=backend.external,
        virtual_host=backend.virtual_host,
        template=backend.path,
    )


def check_header(name: str, value: str) -> tuple[str, FieldLine]:
    """Return a header's name in lower case, and the header in a form that is safe to send.

    White space around the value is removed.

    Raises:
        MappingError: The name is not a token or belongs to the connection, or the value is too long
            or contains a control or non-ASCII character. The message never quotes the value.
    """
    if not _TOKEN.fullmatch(name) or name.lower() in FRAMING:
        raise MappingError(f"the header {name!r} may not be set on a request to a backend")
    value = value.strip(" \t")
    if len(value) > MAX_HEADER_LENGTH:
        raise MappingError(f"the value of header {name} is longer than {MAX_HEADER_LENGTH}")
    if not _FIELD_VALUE.fullmatch(value):
        raise MappingError(
            f"the value of header {name} has a line break, control or non-ASCII character"
        )
    return name.lower(), field_line(name, value)


def _present(backend: Backend, arguments: JsonObject) -> _Present:
    """Group (argument, value) by location, without absent optional arguments."""
    groups: dict[str, list[tuple[Argument, Any]]] = {}
    for argument in backend.arguments:
        value = arguments.get(argument.name, argument.default)
        if argument.name not in arguments and argument.default is None:
            if argument.required or argument.location == "path":
                raise MappingError(f"the argument {argument.name!r} is required; give it a value")
            continue
        values = value if isinstance(value, list) else [value]
        if argument.enum and not {plain_text(one) for one in values} <= set(argument.enum):
            raise MappingError(
                f"the argument {argument.name!r} must be one of {', '.join(argument.enum)}"
            )
        groups.setdefault(argument.location, []).append((argument, value))
    for argument in _unnamed(backend, arguments):
        groups.setdefault(argument.location, []).append((argument, arguments[argument.name]))
    return groups


def _unnamed(backend: Backend, arguments: JsonObject) -> Iterator[Argument]:
    """Yield a place for each argument that the schema allows without naming it."""
    if backend.rest is None:
        return
    places = [one.target for one in backend.arguments if one.location == backend.rest]
    fixed = _fixed_parameters(backend) if backend.rest == "query" else list(backend.constants)
    taken = {comparable(name) for name in (*places, *fixed)}
    named = {argument.name for argument in backend.arguments}
    named |= {argument.file_name_from for argument in backend.arguments}
    for name in arguments:
        if name in named:
            continue
        if not taken.isdisjoint(readings(name)):
            raise MappingError(f"the argument {name!r} would replace another argument; omit it")
        yield Argument(name=name, location=backend.rest, target=name)


def _query(backend: Backend, present: _Present) -> str:
    pairs = [(one.name, quoted(one.value)) for one in backend.query if one.value is not None]
    pairs += all_pairs(present.get("query", ()), _fixed_parameters(backend))
    return "?" + "&".join(f"{quoted(name)}={text}" for name, text in pairs) if pairs else ""


def _fixed_parameters(backend: Backend) -> list[str]:
    """Return the names of query parameters that the author or the credentials set."""
    return [one.name for one in backend.query] + _credential(backend, "Query")


def _credential(backend: Backend, kind: str) -> list[str]:
    """Return the name that the backend's credentials use in this place, if any."""
    found = backend.credentials
    return [found.name] if found is not None and found.type == kind else []


@lru_cache(maxsize=256)
def _content_type(value: str) -> FieldLine:
    return field_line("Content-Type", value)


def _headers(backend: Backend, present: _Present) -> Iterator[tuple[str, FieldLine]]:
    for argument, value in present.get("header", ()):
        if is_nothing(argument, value):
            continue
        if argument.target.lower() in NOT_FOR_ARGUMENTS:
            raise MappingError(f"no argument may set the header {argument.target}")
        yield check_header(argument.target, header_text(argument, value))
    cookies = all_pairs(present.get("cookie", ()), _credential(backend, "Cookie"), _cookie_text)
    if cookies:
        yield check_header("Cookie", "; ".join(_cookie(name, text) for name, text in cookies))


def _cookie(name: str, text: str) -> str:
    if not _TOKEN.fullmatch(name):
        raise MappingError(f"{name!r} is not a cookie name")
    return f"{name}={text}"


def _cookie_text(text: str) -> str:
    return quote(text, safe=_COOKIE_SAFE)
