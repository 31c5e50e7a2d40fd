"""Decodes the API server's JSON into the form that the rest of the runtime uses."""

from __future__ import annotations

import re
from typing import Any, Final, Literal, NamedTuple

from pydantic_core import from_json

from mcp_operator.core.meta import UNREADABLE, Object, Resource
from mcp_operator.runtime.errors import MALFORMED, NO_ANSWER, ApiError

JSON: Final = "application/json"
APPLY: Final = "application/apply-patch+yaml"
"""Server-side apply; JSON is also YAML."""
MERGE_PATCH: Final = "application/merge-patch+json"

MAX_DEPTH: Final = 200
"""Levels of nesting that the decoder accepts (jiter, DEFAULT_RECURSION_LIMIT). An API server takes
10,000 (Go, encoding/json, maxNestingDepth)."""

_EXCERPT: Final = 100
_LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"

_STRING_OR_BRACKET: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]', re.DOTALL)
_CUT: Final = "\0nested too deeply\0"
_CUT_JSON: Final = b'"\\u0000nested too deeply\\u0000"'


class TooDeepError(ValueError):
    """JSON is nested more deeply than the decoder accepts; `cut` leaves the deep values out."""


class Page(NamedTuple):
    """One page of a list.

    Attributes:
        items: The objects.
        resource_version: The version of the whole list.
        next: The continue token of the next page; empty on the last one.
    """

    items: list[Object]
    resource_version: str
    next: str = ""


class WatchEvent(NamedTuple):
    """One event of a watch; the object of a BOOKMARK has meaningful metadata only."""

    type: Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK"]
    object: Object


def partial(kind: str) -> str:
    """Return the Accept header that requests the metadata only."""
    return f"application/json;as={kind};g=meta.k8s.io;v=v1"


def read(body: bytes, resource: Resource, *, cut: bool = False) -> Object:
    """Decode a response that is one object; leave other kinds, sent by subresources, unchanged.

    `cut` leaves out values that are nested too deeply, and marks the object as `UNREADABLE`.

    Raises:
        ApiError: The body is not a JSON object (reason `MALFORMED`).
        TooDeepError: The body is nested too deeply, and `cut` is false.
    """
    obj = _decode(body, cut=cut)
    if not isinstance(obj, dict):
        text = f"the response is not an object: {bytes(body[:_EXCERPT])!r}"
        raise ApiError(NO_ANSWER, MALFORMED, text)
    return _clean(obj, resource, cut=cut) if obj.get("kind") == resource.kind else obj


def page(body: bytes, resource: Resource, *, cut: bool = False) -> Page:
    """Decode a list; see `read` for `cut`.

    Raises:
        ApiError: The body is not a list (reason `MALFORMED`).
        TooDeepError: The body is nested too deeply, and `cut` is false.
    """
    raw = _decode(body, cut=cut)
    try:
        metadata = raw["metadata"]
        items = [_clean(item, resource, cut=cut) for item in raw.get("items") or ()]
        return Page(items, metadata["resourceVersion"], metadata.get("continue", ""))
    except (TypeError, KeyError, AttributeError) as error:
        text = f"the response is not a list of {resource}: {body[:_EXCERPT]!r}"
        raise ApiError(NO_ANSWER, MALFORMED, text) from error


def watch_event(line: bytes, resource: Resource, *, cut: bool = False) -> WatchEvent:
    """Decode one line of a watch; see `read` for `cut`.

    Raises:
        ApiError: The line is an ERROR event, or no event at all (reason `MALFORMED`).
        TooDeepError: The line is nested too deeply, and `cut` is false.
    """
    raw = _decode(line, cut=cut)
    try:
        kind, obj = raw["type"], raw["object"]
        if kind in {"ADDED", "MODIFIED", "DELETED", "BOOKMARK"}:
            obj["metadata"]["resourceVersion"]  # required in every event
            return WatchEvent(kind, _clean(obj, resource, cut=cut))
        if kind == "ERROR":
            raise ApiError.from_status(obj, request=f"watch {resource}")
    except (TypeError, KeyError, AttributeError) as error:
        text = f"the watch sent an invalid event: {bytes(line[:_EXCERPT])!r}"
        raise ApiError(NO_ANSWER, MALFORMED, text, request=f"watch {resource}") from error
    text = f"the watch sent an event of unknown type {kind!r}"
    raise ApiError(NO_ANSWER, MALFORMED, text, request=f"watch {resource}")


def _decode(body: bytes, *, cut: bool) -> Any:
    """Decode JSON. Equal strings share one object, which halves the memory of cached objects."""
    try:
        return from_json(_cut(body) if cut else body, cache_strings="all")
    except ValueError as error:
        if "recursion limit" in str(error):
            raise TooDeepError(f"more than {MAX_DEPTH} levels of nesting") from error
        text = f"the response is not JSON: {bytes(body[:_EXCERPT])!r}"
        raise ApiError(NO_ANSWER, MALFORMED, text) from error


def _cut(body: bytes) -> bytes:
    """Replace each value that is nested too deeply with a marker."""
    parts: list[bytes] = []
    depth = kept = 0
    for found in _STRING_OR_BRACKET.finditer(body):
        token = found[0]
        if token in b"{[":
            depth += 1
            if depth == MAX_DEPTH + 1:
                parts += (body[kept : found.start()], _CUT_JSON)
        elif token in b"}]":
            if depth == MAX_DEPTH + 1:
                kept = found.end()
            depth -= 1
    parts.append(body[kept:])
    return b"".join(parts)


def _clean(obj: Object, resource: Resource, *, cut: bool) -> Object:
    """Normalize an object: add apiVersion and kind, which list items lack; drop unused metadata.

    An object that was cut keeps its metadata, and an intact status, and is marked `UNREADABLE`.
    """
    obj["apiVersion"] = resource.api_version
    obj["kind"] = resource.kind
    metadata = obj["metadata"]
    metadata.pop("managedFields", None)
    annotations = metadata.get("annotations")
    if annotations:
        annotations.pop(_LAST_APPLIED, None)
    if cut and _has_cut(obj):
        kept = {name: obj[name] for name in ("apiVersion", "kind", "metadata")}
        status = obj.get("status")
        if status is not None and not _has_cut(status):
            kept["status"] = status
        return kept | {UNREADABLE: f"it is nested about {MAX_DEPTH} levels deep or more"}
    return obj


def _has_cut(value: Any) -> bool:
    left = [value]
    while left:
        value = left.pop()
        if isinstance(value, dict):
            left += value.values()
        elif isinstance(value, list):
            left += value
        elif value == _CUT:
            return True
    return False
