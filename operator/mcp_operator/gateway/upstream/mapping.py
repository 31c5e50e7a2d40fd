"""Arguments to HTTP request, as a pure function.

The scheme, host, port and the literal parts of the path come from the catalog alone. An argument
fills the one place that the catalog gives it and can neither widen it nor take another's: no
segment, no header line. Where the schema allows arguments that it does not name, they become query
parameters or fields of the body, never anything else.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from mcp_operator.api.catalog import Argument, Backend, JsonObject
from mcp_operator.api.places import (
    FORM_TYPE,
    FRAMING,
    NOT_FOR_ARGUMENTS,
    PATH_PLACE,
    is_json,
    media_type,
)
from mcp_operator.api.uritemplates import is_safe_segment
from mcp_operator.core.errors import OperatorError

MAX_TARGET_LENGTH = 16 * 1024
"""Characters of path and query together: twice the 8000 that RFC 9110 section 4.1 asks every
recipient to take; beyond it the answer would be a 414 that says less than our sentence."""

MAX_HEADER_LENGTH = 8 * 1024
"""Characters of one header value, what common servers take (nginx, Node, Go: 8 KiB and more)."""

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 section 5.6.2
_FIELD_VALUE = re.compile(r"[\t\x20-\x7e]*")  # RFC 9110 section 5.5, without obs-text
_COOKIE_SAFE = "!#$&'()*+-./:<=>?@[]^_`{|}~"  # RFC 6265 cookie-octet, without the percent sign
_PATH_SAFE = "/%:@!$&'()*+,;=~"  # RFC 3986 pchar; the catalog may hold encoded literals
_QUERY_SAFE = _PATH_SAFE + "?"
_DELIMITERS: Mapping[str, str] = {"spaceDelimited": " ", "pipeDelimited": "|"}


class MappingError(OperatorError):
    """The arguments make no valid request; the sentence names the argument and the way out."""


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request to a backend, without credentials.

    Attributes:
        method: Upper case.
        scheme: `http` or `https`.
        host: The Service's DNS name, from the catalog.
        port: Its port, from the catalog.
        target: Path and query, encoded, as they go on the wire.
        headers: Names and values, checked.
        body: None where the request has none.
    """

    method: str
    scheme: str
    host: str
    port: int
    target: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None


def build_request(backend: Backend, arguments: JsonObject) -> Request:
    """Fill a backend's request template.

    Raises:
        MappingError: An argument is missing, has no form that its place allows, or would leave
            its place.
    """
    present = dict(_present(backend, arguments))
    try:
        target = _path(backend, present) + _query(backend, present)
        headers = list(_headers(present))
        body = _body(backend, present)
    except UnicodeEncodeError as error:
        raise MappingError(
            "an argument holds half of a surrogate pair, which is no character; send whole ones"
        ) from error
    if len(target) > MAX_TARGET_LENGTH:
        raise MappingError(
            f"the arguments make a URL of {len(target)} characters, more than the"
            f" {MAX_TARGET_LENGTH} allowed; send shorter values"
        )
    if body is not None:
        headers.append(("Content-Type", backend.content_type))
    return Request(
        method=backend.method.upper(),
        scheme=backend.scheme,
        host=backend.host,
        port=backend.port,
        target=target,
        headers=tuple(headers),
        body=body,
    )


def check_header(name: str, value: str) -> tuple[str, str]:
    """Return a header that is safe to send, its value without surrounding white space.

    Raises:
        MappingError: The name is no token or belongs to the connection, or the value is too long
            or holds a control or non-ASCII character. The sentence never quotes the value.
    """
    if not _TOKEN.fullmatch(name) or name.lower() in FRAMING:
        raise MappingError(f"the header {name!r} may not be set on a request to a backend")
    value = value.strip(" \t")
    if len(value) > MAX_HEADER_LENGTH:
        raise MappingError(f"the value of header {name} is longer than {MAX_HEADER_LENGTH}")
    if not _FIELD_VALUE.fullmatch(value):
        raise MappingError(
            f"the value of header {name} holds a line break, control or non-ASCII character"
        )
    return name, value


def _present(backend: Backend, arguments: JsonObject) -> Iterator[tuple[str, list[Any]]]:
    """Group (argument, value) by location; what is absent and optional is left out."""
    groups: dict[str, list[tuple[Argument, Any]]] = {}
    for argument in backend.arguments:
        value = arguments.get(argument.name, argument.default)
        if argument.name not in arguments and argument.default is None:
            if argument.required or argument.location == "path":
                raise MappingError(f"the argument {argument.name!r} is required, give it a value")
            continue
        if argument.enum and _text(value) not in argument.enum:
            raise MappingError(
                f"the argument {argument.name!r} must be one of {', '.join(argument.enum)}"
            )
        groups.setdefault(argument.location, []).append((argument, value))
    for argument in _unnamed(backend, arguments):
        groups.setdefault(argument.location, []).append((argument, arguments[argument.name]))
    yield from groups.items()


def _unnamed(backend: Backend, arguments: JsonObject) -> Iterator[Argument]:
    """Yield a place for each argument that the schema allows without naming it."""
    if backend.rest is None:
        return
    taken = {a.target for a in backend.arguments if a.location == backend.rest}
    for name in arguments.keys() - {argument.name for argument in backend.arguments}:
        if name in taken:
            raise MappingError(f"the argument {name!r} would take the place of another; leave it")
        yield Argument(name=name, location=backend.rest, target=name)


def _path(backend: Backend, present: Mapping[str, list[tuple[Argument, Any]]]) -> str:
    values = {
        argument.target: _segment(argument, value) for argument, value in present.get("path", ())
    }
    segments = backend.path.partition("?")[0].split("/")
    filled = "/".join(_fill(segment, values) for segment in segments)
    return filled if filled.startswith("/") else "/" + filled


def _fill(segment: str, values: Mapping[str, str]) -> str:
    """Fill one segment; two harmless values side by side may not make a harmful segment."""
    parts = PATH_PLACE.split(segment)
    if len(parts) == 1:
        return quote(segment, safe=_PATH_SAFE)
    encoded, plain = "", ""
    for index, part in enumerate(parts):
        if index % 2 == 0:
            encoded += quote(part, safe=_PATH_SAFE)
            plain += part
        elif part in values:
            encoded += quote(values[part], safe="")
            plain += values[part]
        else:
            raise MappingError(f"no argument fills {{{part}}} in the path of this tool")
    if not _stays(plain):
        raise MappingError(f"the arguments in {segment!r} would leave the path of this tool")
    return encoded


def _segment(argument: Argument, value: Any) -> str:
    if value is None or isinstance(value, dict | list):
        raise MappingError(f"the argument {argument.name!r} goes into the path, send one value")
    text = _text(value)
    if not text or not _stays(text):
        raise MappingError(
            f"the argument {argument.name!r} goes into one segment of the path: it may not be"
            " empty, '.' or '..', nor hold a slash, backslash or control character, encoded or not"
        )
    return text


def _stays(text: str) -> bool:
    """Tell whether a text stays one path segment, also for lenient servers.

    Some servers fold look-alikes (U+FF0F to a slash) and some cut `;parameters` before they
    resolve dots, so both forms have to be harmless.
    """
    folded = unicodedata.normalize("NFKC", text)
    return all(is_safe_segment(form) for form in (text, folded, folded.split(";")[0]))


def _query(backend: Backend, present: Mapping[str, list[tuple[Argument, Any]]]) -> str:
    fixed = backend.path.partition("?")[2]
    pairs = [quote(fixed, safe=_QUERY_SAFE)] if fixed else []
    for argument, value in present.get("query", ()):
        pairs += _form_pairs(argument, value)
    return "?" + "&".join(pairs) if pairs else ""


def _form_pairs(argument: Argument, value: Any) -> list[str]:
    """Encode one argument as `name=value` pairs; null is sent as no pair at all."""
    if value is None:
        return []
    name = quote(argument.target, safe="")
    if argument.style == "json":
        texts = [_json(value)]
    elif not isinstance(value, list):
        texts = [_text(value)]
    elif argument.style in _DELIMITERS:
        texts = [_DELIMITERS[argument.style].join(_text(item) for item in value)]
    else:
        texts = [_text(item) for item in value]
    return [f"{name}={quote(text, safe='')}" for text in texts]


def _headers(present: Mapping[str, list[tuple[Argument, Any]]]) -> Iterator[tuple[str, str]]:
    for argument, value in present.get("header", ()):
        if value is None:
            continue
        if argument.target.lower() in NOT_FOR_ARGUMENTS:
            raise MappingError(f"no argument may set the header {argument.target}")
        yield check_header(argument.target, _joined(value))
    cookies = [
        _cookie(argument, value)
        for argument, value in present.get("cookie", ())
        if value is not None
    ]
    if cookies:
        yield check_header("Cookie", "; ".join(cookies))


def _cookie(argument: Argument, value: Any) -> str:
    if not _TOKEN.fullmatch(argument.target):
        raise MappingError(f"{argument.target!r} is not a cookie name")
    return f"{argument.target}={quote(_joined(value), safe=_COOKIE_SAFE)}"


def _body(backend: Backend, present: Mapping[str, list[tuple[Argument, Any]]]) -> bytes | None:
    declared = any(argument.location == "body" for argument in backend.arguments)
    if not declared and "body" not in present:
        return None
    return _encoder(backend.content_type)(present.get("body", []))


def _encoder(content_type: str) -> Callable[[list[tuple[Argument, Any]]], bytes]:
    if is_json(content_type):
        return _json_body
    if media_type(content_type) == FORM_TYPE:
        return _form_body
    return _plain_body


def _json_body(present: list[tuple[Argument, Any]]) -> bytes:
    return _json({argument.target: value for argument, value in present}).encode()


def _form_body(present: list[tuple[Argument, Any]]) -> bytes:
    pairs = [pair for argument, value in present for pair in _form_pairs(argument, value)]
    return "&".join(pairs).encode()


def _plain_body(present: list[tuple[Argument, Any]]) -> bytes:
    """Send the one body argument as it is: text/plain, XML and the like have no field names."""
    if len(present) != 1:
        raise MappingError("a body of this content type is made of exactly one argument")
    return _text(present[0][1]).encode()


def _joined(value: Any) -> str:
    """Return a header or cookie text; a list becomes RFC 9110's comma-separated one."""
    return ",".join(_text(item) for item in value) if isinstance(value, list) else _text(value)


def _text(value: Any) -> str:
    """Return strings as they are and everything else as JSON: `true`, `3`, `{"a":1}`."""
    return value if isinstance(value, str) else _json(value)


def _json(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except (ValueError, RecursionError) as error:
        raise MappingError("an argument has no JSON form (infinite, or nested too deep)") from error
