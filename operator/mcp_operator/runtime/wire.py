"""Decodes the API server's JSON into the form that the rest of the runtime uses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal, NamedTuple

from mcp_operator.core.meta import UNREADABLE, Object, Resource
from mcp_operator.runtime import oversized
from mcp_operator.runtime.errors import MALFORMED, NO_ANSWER, ApiError
from mcp_operator.runtime.oversized import MAX_VALUES, OversizedError

JSON: Final = "application/json"
APPLY: Final = "application/apply-patch+yaml"
"""Server-side apply; JSON is also YAML."""
MERGE_PATCH: Final = "application/merge-patch+json"

_CROWDED_PAGE: Final = 10 * MAX_VALUES
"""A page with more values is decoded only with `cut`, which callers run in a thread."""

_EXCERPT: Final = 100
_LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"


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

    With `cut`, an object that is nested too deeply or has too many values keeps only its metadata
    and, if it is intact, its status, and is marked as `UNREADABLE`.

    Raises:
        ApiError: The body is not a JSON object (reason `MALFORMED`).
        OversizedError: `cut` is false, and the object cannot be decoded, or might be too large.
    """
    obj = _decoded(oversized.decode_object, body, cut=cut)
    if not isinstance(obj, dict):
        text = f"the response is not an object: {bytes(body[:_EXCERPT])!r}"
        raise ApiError(NO_ANSWER, MALFORMED, text)
    return _clean(obj, resource, check=cut) if obj.get("kind") == resource.kind else obj


def page(body: bytes, resource: Resource, *, cut: bool = False) -> Page:
    """Decode a list; see `read` for `cut`.

    Raises:
        ApiError: The body is not a list (reason `MALFORMED`).
        OversizedError: `cut` is false, and an object cannot be decoded, or might be too large.
    """
    values = oversized.count(body)
    if values > _CROWDED_PAGE and not cut:
        raise OversizedError(f"{values} values in a page")
    raw = _decoded(oversized.decode, oversized.cut_deep(body) if cut else body)
    try:
        metadata = raw["metadata"]
        check = cut or values > MAX_VALUES
        items = [_clean(item, resource, check=check) for item in raw.get("items") or ()]
        return Page(items, metadata["resourceVersion"], metadata.get("continue", ""))
    except (TypeError, KeyError, AttributeError) as error:
        text = f"the response is not a list of {resource}: {body[:_EXCERPT]!r}"
        raise ApiError(NO_ANSWER, MALFORMED, text) from error


def watch_event(line: bytes, resource: Resource, *, cut: bool = False) -> WatchEvent:
    """Decode one line of a watch; see `read` for `cut`.

    Raises:
        ApiError: The line is an ERROR event, or no event at all (reason `MALFORMED`).
        OversizedError: `cut` is false, and the object cannot be decoded, or might be too large.
    """
    raw = _decoded(oversized.decode_object, line, cut=cut)
    try:
        kind, obj = raw["type"], raw["object"]
        if kind in {"ADDED", "MODIFIED", "DELETED", "BOOKMARK"}:
            obj["metadata"]["resourceVersion"]  # required in every event
            return WatchEvent(kind, _clean(obj, resource, check=cut))
        if kind == "ERROR":
            raise ApiError.from_status(obj, request=f"watch {resource}")
    except (TypeError, KeyError, AttributeError) as error:
        text = f"the watch sent an invalid event: {bytes(line[:_EXCERPT])!r}"
        raise ApiError(NO_ANSWER, MALFORMED, text, request=f"watch {resource}") from error
    text = f"the watch sent an event of unknown type {kind!r}"
    raise ApiError(NO_ANSWER, MALFORMED, text, request=f"watch {resource}")


def _decoded(decode: Callable[..., Any], body: bytes, **options: bool) -> Any:
    try:
        return decode(body, **options)
    except OversizedError:
        raise
    except ValueError as error:
        text = f"the response is not JSON: {bytes(body[:_EXCERPT])!r}"
        raise ApiError(NO_ANSWER, MALFORMED, text) from error


def _clean(obj: Object, resource: Resource, *, check: bool) -> Object:
    """Normalize an object: add apiVersion and kind, which list items lack; drop unused metadata.

    With `check`, an object that was cut or has too many values keeps only its metadata and, if it
    is intact, its status, and is marked as `UNREADABLE`.
    """
    obj["apiVersion"] = resource.api_version
    obj["kind"] = resource.kind
    metadata = obj["metadata"]
    metadata.pop("managedFields", None)
    annotations = metadata.get("annotations")
    if annotations:
        annotations.pop(_LAST_APPLIED, None)
    if check and (why := oversized.why_unreadable(obj)):
        kept = {name: obj[name] for name in ("apiVersion", "kind", "metadata")}
        status = obj.get("status")
        if status is not None and not oversized.why_unreadable(status):
            kept["status"] = status
        return kept | {UNREADABLE: why}
    return obj
