"""The API server's JSON, as it is on the wire and as the rest of the runtime sees it."""

from __future__ import annotations

from typing import Any, Final, Literal, NamedTuple

from pydantic_core import from_json

from mcp_operator.core.echoes import Echoes
from mcp_operator.core.meta import Object, Resource
from mcp_operator.runtime.errors import MALFORMED, NO_ANSWER, ApiError

JSON: Final = "application/json"
APPLY: Final = "application/apply-patch+yaml"
"""Server-side apply; JSON is YAML, too."""
MERGE_PATCH: Final = "application/merge-patch+json"

_EXCERPT: Final = 100
_MODIFIED: Final = b'{"type":"MODIFIED","object":'
_LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"


def decode(body: bytes | bytearray) -> Any:
    """Decode JSON. Equal strings become one object: a third of the memory for cached objects.

    Raises:
        ApiError: It is no JSON (reason `MALFORMED`).
    """
    try:
        return from_json(body, cache_strings="all")
    except ValueError as error:
        text = f"the answer is no JSON: {bytes(body[:_EXCERPT])!r}"
        raise ApiError(NO_ANSWER, MALFORMED, text) from error


class Page(NamedTuple):
    """One page of a list.

    Attributes:
        items: The objects.
        resource_version: The version of the whole list.
        next: What to ask the next page with; empty for the last.
    """

    items: list[Object]
    resource_version: str
    next: str = ""


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


def page(body: bytes, resource: Resource) -> Page:
    """Read a list.

    Raises:
        ApiError: It is no list (reason `MALFORMED`).
    """
    raw = decode(body)
    try:
        metadata = raw["metadata"]
        items = [clean(item, resource) for item in raw.get("items") or ()]
        return Page(items, metadata["resourceVersion"], metadata.get("continue", ""))
    except (TypeError, KeyError, AttributeError) as error:
        text = f"the answer is no list of {resource}: {body[:_EXCERPT]!r}"
        raise ApiError(NO_ANSWER, MALFORMED, text) from error


def watch_event(line: bytes | bytearray, resource: Resource, echoes: Echoes[Any]) -> WatchEvent:
    """Read one line of a watch; `echoes` are the objects that answers to writes may tell of, too.

    Raises:
        ApiError: It is an ERROR event, or no event at all (reason `MALFORMED`).
    """
    if echoes and line.startswith(_MODIFIED) and line.endswith(b"}"):
        raw = {"type": "MODIFIED", "object": echoes.read(bytes(line[len(_MODIFIED) : -1]))}
    else:
        raw = decode(line)
    try:
        kind, obj = raw["type"], raw["object"]
        if kind in {"ADDED", "MODIFIED", "DELETED", "BOOKMARK"}:
            obj["metadata"]["resourceVersion"]  # an event without it is none
            return WatchEvent(kind, clean(obj, resource))
        if kind == "ERROR":
            raise ApiError.from_status(obj, request=f"watch {resource}")
    except (TypeError, KeyError, AttributeError) as error:
        text = f"a watch sent something that is no event: {bytes(line[:_EXCERPT])!r}"
        raise ApiError(NO_ANSWER, MALFORMED, text, request=f"watch {resource}") from error
    text = f"a watch sent an event of the unknown type {kind!r}"
    raise ApiError(NO_ANSWER, MALFORMED, text, request=f"watch {resource}")
