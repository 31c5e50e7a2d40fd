"""What a 2026-07-28 request says of itself in `_meta`, checked against its headers.

Intermediaries route by the headers, we act by the body, so both must agree. The rungs run in the
order of the specification (basic/versioning, basic/transports): envelope present, headers equal,
version served.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mcp_operator.api.catalog import JsonObject
from mcp_operator.gateway.protocol import spec
from mcp_operator.gateway.protocol.jsonrpc import Request, RpcError
from mcp_operator.gateway.protocol.log_levels import checked_level
from mcp_operator.gateway.protocol.message import HttpRequest

_ROUTING_HEADERS = (spec.VERSION_HEADER, spec.METHOD_HEADER, spec.NAME_HEADER)
_ENCODED = re.compile(r"=\?base64\?(.*)\?=")


def claims_modern(http: HttpRequest, raw: Any) -> bool:
    """Tell the era of a POST.

    The body decides: a version claimed in `_meta` is modern even if it is malformed. Without one,
    a version header that no legacy revision defines is modern too, so that the client is told what
    its request lacks; but a handshake is one whatever header came with it.
    """
    params = raw.get("params") if isinstance(raw, dict) else None
    if not isinstance(params, dict):
        return names_modern(http)
    meta = params.get("_meta")
    if isinstance(meta, dict) and spec.VERSION_META in meta:
        return True
    if raw.get("method") == "initialize" and isinstance(params.get("protocolVersion"), str):
        return False
    return names_modern(http)


def names_modern(http: HttpRequest) -> bool:
    """Tell whether the version header alone marks a request as modern."""
    version = named_version(http)
    return version is not None and version not in spec.LEGACY_VERSIONS


def named_version(http: HttpRequest) -> str | None:
    """Return the version that the header names; None where there is no header, or an empty one.

    The same value several times, as clients send that set it twice, is one.
    """
    value = http.headers.get(spec.VERSION_HEADER)
    if value and spec.VERSION_HEADER in http.repeated:
        first, *others = (each.strip() for each in value.split(","))
        if all(each == first for each in others):
            return first
    return value or None


def check_envelope(http: HttpRequest, request: Request) -> None:
    """Run the ladder over one request.

    Raises:
        RpcError: The first rung that failed.
    """
    if http.repeated:
        for routing in _ROUTING_HEADERS:
            if routing in http.repeated:
                raise mismatch(f"The header {routing} appears more than once")
    version = _claimed(request.params.get("_meta"))
    _check_header(http, spec.VERSION_HEADER, version)
    _check_header(http, spec.METHOD_HEADER, request.method)
    named_by = spec.NAMED_BY.get(request.method)
    name = request.params.get(named_by) if named_by is not None else None
    if isinstance(name, str) and decode_value(http.headers.get(spec.NAME_HEADER)) != name:
        raise mismatch(f"The header {spec.NAME_HEADER} differs from `params.{named_by}`")
    check_version(version)


def _claimed(meta: Any) -> str:
    """Return the version that an envelope claims, all of which is checked."""
    if not isinstance(meta, dict):
        raise _incomplete(
            f"`params._meta` must be an object, as MCP {spec.MODERN_VERSIONS[0]} requires; with "
            f"a session, set {spec.VERSION_HEADER} to one of {', '.join(spec.LEGACY_VERSIONS)}"
        )
    for key in (spec.VERSION_META, spec.CAPABILITIES_META):
        if key not in meta:
            raise _incomplete(f"`params._meta` lacks {key!r}")
    version = meta[spec.VERSION_META]
    if not isinstance(version, str):
        raise _incomplete(f"`params._meta[{spec.VERSION_META!r}]` must be a string")
    if not isinstance(meta[spec.CAPABILITIES_META], dict):
        raise _incomplete(f"`params._meta[{spec.CAPABILITIES_META!r}]` must be an object")
    if spec.LOG_LEVEL_META in meta:
        checked_level(meta[spec.LOG_LEVEL_META], f"_meta[{spec.LOG_LEVEL_META!r}]")
    return version


def check_version(version: str) -> None:
    """Refuse a version that is not served.

    Raises:
        RpcError: -32022, with those that are.
    """
    if version not in spec.MODERN_VERSIONS:
        raise RpcError(
            spec.UNSUPPORTED_VERSION,
            "Unsupported protocol version",
            data={"supported": list(spec.MODERN_VERSIONS), "requested": _text(version)},
            status=400,
        )


def _text(header: str) -> str:
    """Return what of a header is text: bytes that are not UTF-8 have no form in JSON."""
    return header.encode("utf-8", "replace").decode()


def _check_header(http: HttpRequest, name: str, expected: str) -> None:
    if http.headers.get(name) != expected:
        raise mismatch(f"The header {name} is missing or differs from the body")


def mismatch(message: str) -> RpcError:
    """Return the error of headers and body that disagree."""
    return RpcError(spec.HEADER_MISMATCH, message, status=400)


def _incomplete(message: str) -> RpcError:
    return RpcError(spec.INVALID_PARAMS, message, status=400)


def decode_value(value: str | None) -> str | None:
    """Decode a header value that may be wrapped as `=?base64?...?=`.

    Returns:
        The text, or None where the wrapping is not the canonical encoding of UTF-8 text: it then
        equals nothing.
    """
    wrapped = _ENCODED.fullmatch(value) if value and value[0] == "=" else None
    if wrapped is None:
        return value
    try:
        decoded = base64.b64decode(wrapped[1], validate=True)
        if base64.b64encode(decoded).decode("ascii") != wrapped[1]:
            return None
        return decoded.decode("utf-8")
    except ValueError:  # neither base64 nor UTF-8
        return None


_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
"""RFC 9110 section 5.6.2: what a header may be named."""

_HEADER_TYPES = ("string", "integer", "boolean")
_DECIMAL = re.compile(r"(-?[0-9]{1,400})(?:\.0+)?")


@dataclass(frozen=True, slots=True)
class HeaderRule:
    """One `x-mcp-header` of a tool: the property at `path` is repeated in the header `name`."""

    path: tuple[str, ...]
    name: str
    type: str


def header_rules(schema: JsonObject, path: tuple[str, ...] = ()) -> tuple[HeaderRule, ...]:
    """Collect the valid `x-mcp-header` annotations of an input schema.

    Only properties that are reachable through `properties` alone count; a client drops a tool with
    an annotation anywhere else, so nothing is lost by not looking there.
    """
    rules: list[HeaderRule] = []
    properties = schema.get("properties")
    for key, child in properties.items() if isinstance(properties, dict) else ():
        if not isinstance(child, dict):
            continue
        token, kind = child.get("x-mcp-header"), child.get("type")
        if isinstance(token, str) and _TOKEN.fullmatch(token) and kind in _HEADER_TYPES:
            name = spec.PARAM_HEADER_PREFIX + token.lower()
            rules.append(HeaderRule((*path, key), name, kind))
        rules.extend(header_rules(child, (*path, key)))
    return tuple(rules)


def check_parameters(
    http: HttpRequest, rules: tuple[HeaderRule, ...], arguments: Mapping[str, Any]
) -> None:
    """Compare the `Mcp-Param-*` headers of a tool call with its arguments.

    Raises:
        RpcError: A header is missing, repeated, of another value, or without its argument.
    """
    for rule in rules:
        if rule.name in http.repeated:
            raise mismatch(f"The header {rule.name} appears more than once")
        raw, value = http.headers.get(rule.name), _value_at(arguments, rule.path)
        if isinstance(value, dict | list):
            value = None  # has no form as a header; the input schema refuses it
        if value is None and raw is None:
            continue
        if value is None or raw is None or not _equal(rule, value, decode_value(raw)):
            argument = ".".join(rule.path)
            raise mismatch(f"The header {rule.name} and the argument {argument!r} differ")


def _value_at(arguments: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    node: Any = arguments
    for key in path:
        node = node.get(key) if isinstance(node, dict) else None
    return node


def _equal(rule: HeaderRule, value: Any, header: str | None) -> bool:
    """Compare; integers as numbers, of any size, so that 42.0 is 42 (a SHOULD)."""
    if header is None:
        return False
    if isinstance(value, bool):
        return header == ("true" if value else "false")
    if rule.type == "integer" and isinstance(value, int | float) and value == int(value):
        number = _DECIMAL.fullmatch(header)
        return number is not None and int(number[1]) == value
    return header == str(value)
