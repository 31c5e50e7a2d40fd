"""Explains why a schema does not compile: the engine's message, the place, and what to do."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from mcp_operator.api.nesting import pointer_part
from mcp_operator.api.subschemas import ALONE, IN_LISTS, NAMED, Subschemas, shown

MAX_ERROR_LENGTH: Final = 300
"""Characters of one sentence. It can quote long values."""

_TYPES: Final = '"array", "boolean", "integer", "null", "number", "object" and "string"'

_WAYS_OUT: Final = {
    "exclusiveMaximum": "write the limit here, and remove maximum",
    "exclusiveMinimum": "write the limit here, and remove minimum",
    "items": "write one schema for all items; a list of schemas goes in prefixItems",
    "required": "list the names of required properties in the schema of the object that has them",
}
"""What to write instead of keywords of OpenAPI 3.0 and of earlier drafts of JSON Schema."""


_HOLDING: Final = NAMED | IN_LISTS | {"$defs", "definitions"}
"""Keywords whose schemas have a name or an index."""


def explained(error: Exception, parts: Subschemas) -> str:
    """Return what is wrong with a schema, and the place if it is known.

    Args:
        error: What the engine raised.
        parts: The schema.
    """
    path = [str(part) for part in getattr(error, "instance_path", None) or ()]
    if not path:
        return _dangling(error, parts) or shortened(error)
    place = shown("#" + "".join(f"/{pointer_part(part)}" for part in path))
    keyword = _keyword(path)
    if keyword == "type":
        return f"{place}: {cut(_written(error))} is not a type; the types are {_TYPES}"
    way_out = _WAYS_OUT.get(keyword)
    return f"{place}: {shortened(error)}" + (f"; {way_out}" if way_out else "")


def _keyword(path: Sequence[str]) -> str:
    """Return the keyword whose value a path points into; empty if it points to a schema."""
    rest, keyword = iter(path), ""
    for step in rest:
        holds = step in _HOLDING and next(rest, None) is not None
        keyword = "" if holds else step
        if not holds and step not in ALONE:
            break
    return keyword


def _written(error: Exception) -> str:
    return json.dumps(getattr(error, "instance", None), ensure_ascii=False)


def _dangling(error: Exception, parts: Subschemas) -> str:
    """Find the reference that cannot be resolved, because the engine names only its target."""
    told = str(error)
    for part in parts:
        for keyword in ("$ref", "$dynamicRef"):
            reference: Any = part.node.get(keyword)
            fragment = reference.partition("#")[2] if isinstance(reference, str) else ""
            if fragment and f"'{fragment}' does not exist" in told:
                return (
                    f"{shown(part.place)}: the {keyword} {shown(reference)} has no target in the "
                    "schema: add the target to $defs"
                )
    return ""


def shortened(error: Exception) -> str:
    """Return the message of the engine's error, with a bounded length."""
    return cut(getattr(error, "message", "") or str(error))


def cut(text: str) -> str:
    """Cut a text to a bounded length."""
    return text if len(text) <= MAX_ERROR_LENGTH else text[:MAX_ERROR_LENGTH] + "…"
