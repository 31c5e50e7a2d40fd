"""Selects the operations to import: by tag, path, operationId and method."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from fnmatch import translate
from typing import Final

from mcp_operator.importers.documents import OpenApiError
from mcp_operator.importers.operations import Operation
from mcp_operator.importers.options import Criterion

MAX_UNASKED: Final = 60
"""The most tools that are imported without a selection: models choose badly among more."""


def selected(
    operations: Sequence[Operation],
    include: Iterable[Criterion],
    exclude: Iterable[Criterion],
    *,
    everything: bool,
) -> list[Operation]:
    """Return the operations to import.

    Args:
        operations: All of them.
        include: For each kind that is given, an operation must match at least one criterion.
        exclude: An operation must not match any.
        everything: Whether the user asked for any number of operations.

    Raises:
        OpenApiError: No operation is left, or there are too many and the user did not select.
    """
    wanted: dict[str, list[Criterion]] = {}
    for criterion in include:
        wanted.setdefault(criterion.kind, []).append(criterion)
    unwanted = tuple(exclude)
    chosen = [
        operation
        for operation in operations
        if all(any(_matches(operation, one) for one in kind) for kind in wanted.values())
        and not any(_matches(operation, one) for one in unwanted)
    ]
    if not chosen:
        raise OpenApiError(f"no operation matches --include and --exclude; {_tags(operations)}")
    if len(chosen) > MAX_UNASKED and not (everything or wanted or unwanted):
        raise OpenApiError(
            f"the document has {len(chosen)} operations, and models often choose the wrong tool "
            f"among more than {MAX_UNASKED}: select operations with --include, or import all with "
            f"--all; {_tags(operations)}"
        )
    return chosen


def _matches(operation: Operation, criterion: Criterion) -> bool:
    match criterion.kind:
        case "tag":
            return any(_like(tag, criterion.pattern) for tag in operation.tags)
        case "path":
            return _path_pattern(criterion.pattern).fullmatch(operation.template) is not None
        case "operation":
            return _like(operation.id, criterion.pattern)
        case _:
            return operation.method == criterion.pattern.upper()


def _like(text: str, pattern: str) -> bool:
    return re.fullmatch(translate(pattern), text, re.IGNORECASE) is not None


def _path_pattern(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"(/\*\*|\*\*|\*|\?)", pattern)
    signs = {"/**": "(/.*)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(signs.get(part, re.escape(part)) for part in parts))


def _tags(operations: Iterable[Operation]) -> str:
    """Describe the tags of the operations, the most used first."""
    counts = Counter(tag for operation in operations for tag in operation.tags)
    if not counts:
        return "the operations have no tags"
    shown = [f"{tag} ({count})" for tag, count in counts.most_common(12)]
    more = f" and {len(counts) - len(shown)} more" if len(counts) > len(shown) else ""
    return f"the tags are {', '.join(shown)}{more}"
