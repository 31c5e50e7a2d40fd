"""Removes from objects what could be a secret, for a support bundle.

A bundle never contains a Secret. Other objects can contain secrets in plain text: in the value of
an environment variable or a header, in a command, or in an annotation.
"""

from __future__ import annotations

import re
from typing import Any, Final

REMOVED: Final = "<removed>"

VALUES: Final = frozenset({"env", "headers", "httpHeaders", "query"})
"""Lists of names and values, of which the values are removed."""

WHOLE: Final = frozenset({"args", "blob", "command", "constants", "text"})
"""Fields that are removed entirely."""

KEPT_ANNOTATIONS: Final = re.compile(r"(mcp-operator\.dev|deployment\.kubernetes\.io)/")
"""Annotations that are kept; others can contain anything."""

SENSITIVE: Final = re.compile(
    r"passw|secret|token|credential|api-?_?key|authori[sz]ation|cookie|private", re.IGNORECASE
)
"""Names of fields whose strings are removed everywhere."""

SAMPLES: Final = frozenset({"const", "default", "enum", "example", "examples", "value"})
"""Fields that are removed from a parameter, an argument or a header with such a name."""

REFERENCE: Final = re.compile(r"(name|namespace|ref|url|uri|path)$", re.IGNORECASE)
"""Names of fields that only refer to a Secret, such as `secretName`, and are kept."""


def redacted(value: Any, field: str = "") -> Any:
    """Return an object, or a part of one, without anything that could be a secret.

    Args:
        value: Any JSON value.
        field: The name of the field that holds it.
    """
    if field in WHOLE:
        return REMOVED
    match value:
        case dict() if field == "annotations":
            return {
                name: text if KEPT_ANNOTATIONS.match(name) else REMOVED
                for name, text in value.items()
            }
        case dict():
            removed = {"value"} if field in VALUES else set[str]()
            if any(SENSITIVE.search(str(said)) for said in (field, value.get("name", ""))):
                removed |= SAMPLES
            return {
                name: REMOVED if name in removed else redacted(each, name)
                for name, each in value.items()
            }
        case list():
            return [redacted(each, field) for each in value]
        case str() if SENSITIVE.search(field) and not REFERENCE.search(field):
            return REMOVED
        case _:
            return value
