"""The part of JSONPath (RFC 9535) that picks a part of an answer: names, indexes and `[*]`.

Filters, slices, unions and descendants are refused when the path is compiled: they can be made to
take time that grows much faster than the answer, and nobody reviews them well in YAML.
"""

from __future__ import annotations

import re
from typing import Any

from mcp_operator.core.errors import OperatorError

_STEP = re.compile(
    r"""\.(?P<name>[A-Za-z_][A-Za-z0-9_-]*)
      | \[ (?: (?P<index>-?\d{1,9})
             | '(?P<single>[^'\\]*)'
             | "(?P<double>[^"\\]*)"
             | (?P<all>\*) ) \]
      | (?P<dot_all>\.\*)""",
    re.VERBOSE,
)


class JsonPathError(OperatorError):
    """A path is not of the supported subset, or an answer has nothing there."""


class JsonPath:
    """A compiled path, such as `$.items[0].name`, `$['odd name']` or `$.items[*].id`."""

    def __init__(self, path: str) -> None:
        """Compile.

        Raises:
            JsonPathError: It does not start with `$`, or uses more than names, indexes and `[*]`.
        """
        self.path = path
        self._steps: list[str | int | None] = []
        if not path.startswith("$"):
            raise JsonPathError(f"the JSON path {path!r} must start with $")
        at = 1
        while at < len(path):
            step = _STEP.match(path, at)
            if step is None:
                raise JsonPathError(
                    f"the JSON path {path!r} is not supported from {path[at:]!r} on: use .name,"
                    " ['name'], [0] and [*]"
                )
            self._steps.append(_selector(step))
            at = step.end()

    def select(self, document: Any) -> Any:
        """Return what the path names; with `[*]` a list, which may be empty.

        Raises:
            JsonPathError: The document has nothing there.
        """
        nodes, many = [document], False
        for selector in self._steps:
            many = many or selector is None
            nodes = [found for node in nodes for found in _apply(selector, node)]
        if many:
            return nodes
        if not nodes:
            raise JsonPathError(f"the answer holds nothing at {self.path}")
        return nodes[0]


def _selector(step: re.Match[str]) -> str | int | None:
    """Return a member name, an index, or None for all."""
    if step["index"] is not None:
        return int(step["index"])
    if step["all"] or step["dot_all"]:
        return None
    return next(step[group] for group in ("name", "single", "double") if step[group] is not None)


def _apply(selector: str | int | None, node: Any) -> list[Any]:
    if selector is None:
        if isinstance(node, dict):
            return list(node.values())
        return node if isinstance(node, list) else []
    if isinstance(selector, str):
        return [node[selector]] if isinstance(node, dict) and selector in node else []
    if isinstance(node, list) and -len(node) <= selector < len(node):
        return [node[selector]]
    return []
