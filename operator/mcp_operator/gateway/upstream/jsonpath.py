"""The part of JSONPath (RFC 9535) that picks one part of an answer: names and indexes.

Wildcards, filters, slices and descendants are refused when the path is compiled: they can be made
to take time that grows much faster than the answer, and nobody reviews them well in YAML.
"""

from __future__ import annotations

import re
from typing import Any

from mcp_operator.core.errors import OperatorError

_STEP = re.compile(
    r"\.(?P<name>[A-Za-z_][A-Za-z0-9_-]*)|\[(?P<index>[0-9]{1,9})\]|\['(?P<quoted>[^'\\]*)'\]"
)


class JsonPathError(OperatorError):
    """A path is not of the supported subset, or an answer has nothing there."""


class JsonPath:
    """A compiled path, such as `$.items[0].name` or `$['odd name']`."""

    def __init__(self, path: str) -> None:
        """Compile.

        Raises:
            JsonPathError: It does not start with `$`, or uses more than names and indexes.
        """
        self.path = path
        self._steps: list[str | int] = []
        if not path.startswith("$"):
            raise JsonPathError(f"the JSON path {path!r} must start with $")
        at = 1
        while at < len(path):
            step = _STEP.match(path, at)
            if step is None:
                raise JsonPathError(
                    f"the JSON path {path!r} is not supported from {path[at:]!r} on: use .name,"
                    " ['name'] and [0]"
                )
            name = step["name"] or step["quoted"]
            self._steps.append(int(step["index"]) if step["index"] else name or "")
            at = step.end()

    def select(self, document: Any) -> Any:
        """Return what the path names.

        Raises:
            JsonPathError: The document has nothing there.
        """
        node = document
        for step in self._steps:
            if isinstance(step, str):
                present = isinstance(node, dict) and step in node
            else:
                present = isinstance(node, list) and step < len(node)
            if not present:
                raise JsonPathError(f"the answer holds nothing at {self.path}")
            node = node[step]
        return node
