"""What may leave a cluster in a support bundle: objects without what could be a secret.

A bundle never holds a Secret. Other objects can hold one where somebody wrote it in plain text: as
the value of an environment variable or of a header, in a command, in an annotation.
"""

from __future__ import annotations

import re
from typing import Any, Final

REMOVED: Final = "<removed>"

VALUES: Final = frozenset({"env", "headers", "httpHeaders", "query"})
"""Lists of names with values; the values are removed."""

WHOLE: Final = frozenset({"args", "blob", "command", "constants", "text"})
"""Fields that are removed whole."""

KEPT_ANNOTATIONS: Final = re.compile(r"(mcp-operator\.dev|deployment\.kubernetes\.io)/")
"""Annotations that are kept; the others may hold anything."""

SENSITIVE: Final = re.compile(
    r"passw|secret|token|credential|api-?_?key|authori[sz]ation|cookie|private", re.IGNORECASE
)
"""Names of fields whose texts are removed wherever they stand."""

SAMPLES: Final = frozenset({"const", "default", "enum", "example", "examples", "value"})
"""What is removed of a parameter, an argument or a header with such a name."""

REFERENCE: Final = re.compile(r"(name|namespace|ref|url|uri|path)$", re.IGNORECASE)
"""How the names of fields end whose texts refer to a Secret, as `secretName` does, and are kept."""


def redacted(value: Any, field: str = "") -> Any:
    """Return an object, or a part of one, without what could be a secret.

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
