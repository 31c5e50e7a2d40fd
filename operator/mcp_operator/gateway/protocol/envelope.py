"""Checks the `_meta` of a 2026-07-28 request, and compares it with the request's headers.

Intermediaries route by the headers, and the gateway acts on the body, so both must agree. The order
of the checks is that of the specification (basic/versioning, basic/transports): the envelope is
present, the headers match, the version is supported.
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
    """Tell whether a POST belongs to the modern era.

    The body decides. A version in `_meta` means modern, even if it is malformed. Without one, a
    version header that no legacy revision defines means modern too, so that the error tells the
    client what its request lacks. But `initialize` is legacy, whatever the header says.
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
    """Tell whether the version header alone means that a request is modern."""
    version = named_version(http)
    return version is not None and version not in spec.LEGACY_VERSIONS


def named_version(http: HttpRequest) -> str | None:
    """Return the version in the header, or None if the header is missing or empty.

    Some clients send the header twice; repeated equal values count as one.
    """
    value = http.headers.get(spec.VERSION_HEADER)
    if value and spec.VERSION_HEADER in http.repeated:
        first, *others = (each.strip() for each in value.split(","))
        if all(each == first for each in others):
            return first
    return value or None


def check_envelope(http: HttpRequest, request: Request) -> None:
    """Run all checks on a request.

    Raises:
        RpcError: The first check that failed.
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
        how = (
            "differs from" if spec.NAME_HEADER in http.headers else "is missing; send the value of"
        )
        raise mismatch(f"The header {spec.NAME_HEADER} {how} `params.{named_by}`")
    check_version(version)


def _claimed(meta: Any) -> str:
    """Validate the envelope, and return the version that it claims."""
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
    """Reject a version that is not supported.

    Raises:
        RpcError: -32022, with the supported versions.
    """
    if version not in spec.MODERN_VERSIONS:
        raise RpcError(
            spec.UNSUPPORTED_VERSION,
            "Unsupported protocol version",
            data={"supported": list(spec.MODERN_VERSIONS), "requested": _text(version)},
            status=400,
        )


def _text(header: str) -> str:
    """Replace bytes of a header that are not UTF-8, because JSON cannot contain them."""
    return header.encode("utf-8", "replace").decode()


def _check_header(http: HttpRequest, name: str, expected: str) -> None:
    if http.headers.get(name) != expected:
        how = "differs from the body" if name in http.headers else "is missing"
        raise mismatch(f"The header {name} {how}; send the value in the body, {expected!r:.100}")


def mismatch(message: str) -> RpcError:
    """Return the error for headers that differ from the body."""
    return RpcError(spec.HEADER_MISMATCH, message, status=400)


def _incomplete(message: str) -> RpcError:
    return RpcError(spec.INVALID_PARAMS, message, status=400)


def decode_value(value: str | None) -> str | None:
    """Decode a header value that can be wrapped as `=?base64?...?=`.

    Returns:
        The text, or None if the wrapping is not the canonical encoding of UTF-8 text; None never
        matches.
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
"""Valid header names, from RFC 9110 section 5.6.2."""

_HEADER_TYPES = ("string", "integer", "boolean")
_DECIMAL = re.compile(r"(-?[0-9]{1,400})(?:\.0+)?")


@dataclass(frozen=True, slots=True)
class HeaderRule:
    """An `x-mcp-header` of a tool: clients repeat the property at `path` in the header `name`."""

    path: tuple[str, ...]
    name: str
    type: str


def header_rules(schema: JsonObject, path: tuple[str, ...] = ()) -> tuple[HeaderRule, ...]:
    """Collect the valid `x-mcp-header` annotations of an input schema.

    Only properties that are reachable through `properties` alone count. Clients ignore a tool with
    such an annotation anywhere else, so there is no need to search there.
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
        RpcError: A header is missing, is repeated, or differs from its argument.
    """
    for rule in rules:
        if rule.name in http.repeated:
            raise mismatch(f"The header {rule.name} appears more than once")
        raw, value = http.headers.get(rule.name), _value_at(arguments, rule.path)
        if isinstance(value, dict | list):
            value = None  # cannot be a header value; the input schema rejects it
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
    """Compare a header with its argument; integers as numbers, so that 42.0 is 42 (a SHOULD)."""
    if header is None:
        return False
    if isinstance(value, bool):
        return header == ("true" if value else "false")
    if rule.type == "integer" and isinstance(value, int | float) and value == int(value):
        number = _DECIMAL.fullmatch(header)
        return number is not None and int(number[1]) == value
    return header == str(value)
