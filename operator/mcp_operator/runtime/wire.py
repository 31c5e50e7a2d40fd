"""The API server's JSON, as it is on the wire and as the rest of the runtime sees it."""

from __future__ import annotations

import functools
from typing import Final, Literal, NamedTuple

from pydantic_core import from_json

from mcp_operator.core.meta import Object, Resource
from mcp_operator.runtime.errors import MALFORMED, NO_ANSWER, ApiError

JSON: Final = "application/json"
APPLY: Final = "application/apply-patch+yaml"
"""Server-side apply; JSON is YAML, too."""
MERGE_PATCH: Final = "application/merge-patch+json"

_LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"

decode = functools.partial(from_json, cache_strings="all")
"""Equal strings become one object, which makes a cached object a third of its size."""


class WatchEvent(NamedTuple):
    """One event of a watch; of a BOOKMARK's object only the metadata says something."""

    type: Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK"]
    object: Object


def partial(kind: str) -> str:
    """Return the Accept header that leaves out all but the metadata."""
    return f"application/json;as={kind};g=meta.k8s.io;v=v1"


def clean(obj: Object, resource: Resource) -> Object:
    """Make an object the same however it came; items of lists lack apiVersion and kind."""
    obj["apiVersion"] = resource.api_version
    obj["kind"] = resource.kind
    metadata = obj["metadata"]
    metadata.pop("managedFields", None)
    annotations = metadata.get("annotations")
    if annotations:
        annotations.pop(_LAST_APPLIED, None)
    return obj


def watch_event(line: bytes | bytearray, resource: Resource) -> WatchEvent:
    """Read one line of a watch.

    Raises:
        ApiError: It is an ERROR event, or no event at all (reason `MALFORMED`).
    """
    try:
        raw = decode(bytes(line))
        kind, obj = raw["type"], raw["object"]
    except (ValueError, TypeError, KeyError) as error:
        text = f"a watch sent something that is no event: {bytes(line[:100])!r}"
        raise ApiError(NO_ANSWER, MALFORMED, text, request=f"watch {resource}") from error
    if kind == "ERROR":
        raise ApiError.from_status(obj, request=f"watch {resource}")
    if kind not in {"ADDED", "MODIFIED", "DELETED", "BOOKMARK"}:
        text = f"a watch sent an event of the unknown type {kind!r}"
        raise ApiError(NO_ANSWER, MALFORMED, text, request=f"watch {resource}")
    return WatchEvent(kind, clean(obj, resource))
