"""What a newcomer most likely meant, added to what the API server says of a field.

The API server's messages tell what is wrong. A hint tells what to write instead.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final

from mcp_operator.api.base import VALIDATIONS
from mcp_operator.api.crd import DEFINITIONS, object_schema
from mcp_operator.api.structure import Path, Problem
from mcp_operator.core.meta import Object

TEMPLATE: Final = "{{"

HELM: Final = (
    "this looks like a Helm template; render it first: helm template CHART > rendered.yaml"
)
ANCESTORS: Final = ("kubemcp.io/", "mcp.k8s.turd.ninja/")
"""The groups of the operator that had the same kinds before."""

_LISTS: Final = frozenset({"env", "headers", "query"})
_SECRETS: Final = frozenset({"apiKey", "key", "password", "secret", "token", "value"})
_OPTIONS: Final = re.compile(r"supported values: (.*)")


def hint(obj: Object, problem: Problem) -> str:
    """Return what to write instead, as the end of a sentence; empty where nobody can tell.

    Args:
        obj: The object that has the problem.
        problem: What the API server would say of it.
    """
    said = next(_hints(obj, problem), "")
    return f"; {said}" if said else ""


def hint_of_line(text: str, line: int) -> str:
    """Return the same for a line that is not YAML.

    Args:
        text: The file.
        line: The line, counted from 1.
    """
    lines = text.splitlines()
    written = lines[line - 1] if 0 < line <= len(lines) else ""
    if TEMPLATE in written:
        return f"; {HELM}"
    if "\t" in written[: len(written) - len(written.lstrip())]:
        return "; YAML is indented by spaces, not by tabs"
    return ""


def _hints(obj: Object, problem: Problem) -> Iterator[str]:
    value, name = _at(obj, problem.path), problem.path[-1] if problem.path else ""
    parent = problem.path[-2] if len(problem.path) > 1 else ""
    if isinstance(value, str) and TEMPLATE in value:
        yield HELM
    if name == "apiVersion" and str(value).startswith(ANCESTORS):
        yield "the fields are the same, so change the group only"
    if problem.message == "unknown field":
        if str(parent).endswith("Selector"):
            yield f"labels stand below matchLabels: {parent}: {{matchLabels: {{{name}: …}}}}"
        if parent == "credentials" and name in _SECRETS:
            yield "put it into a Secret, and name that in secretRef"
    if problem.message.startswith("must be of type"):
        yield from _of_type(problem, value)
    if options := _OPTIONS.search(problem.message):
        known = json.loads(f"[{options[1]}]")
        yield from (f"write {one}" for one in known if str(one).lower() == str(value).lower())
    if parent in ("limits", "requests") and problem.message.startswith("should match"):
        yield "write a quantity such as 500m, 512Mi or 1Gi"


def _of_type(problem: Problem, value: Any) -> Iterator[str]:
    name, schema = problem.path[-1], _schema_of(problem.path)
    rules = [str(one["message"]) for one in schema.get(VALIDATIONS, ())]
    if any("duration" in one for one in rules) and isinstance(value, int | float):
        yield f"a duration has a unit: {value}s"
    elif name == "service" and isinstance(value, str):
        yield "write its name and port: {name: orders, port: 80, path: /orders}"
    elif name in _LISTS and isinstance(value, Mapping):
        first = next(iter(value), "NAME")
        yield f"write a list of names and values: [{{name: {first}, value: …}}]"
    elif isinstance(value, str) and schema.get("type") == "boolean":
        yield "write true or false, without quotes"
    elif isinstance(value, str) and value.lstrip("-").isdecimal():
        yield "remove the quotes"
    elif schema.get("type") == "string" and isinstance(value, bool | int | float):
        yield "put the value into quotes"


def _at(value: Any, path: Path) -> Any:
    """Return what is written at a path; None where nothing is."""
    for part in path:
        if isinstance(part, int):
            value = value[part] if isinstance(value, list) and part < len(value) else None
        else:
            value = value.get(part) if isinstance(value, Mapping) else None
    return value


@cache
def _schemas() -> tuple[Mapping[str, Any], ...]:
    return tuple(object_schema(definition) for definition in DEFINITIONS)


def _schema_of(path: Path) -> Mapping[str, Any]:
    """Return the schema of a field of any of our kinds, which agree where they share a field."""
    for root in _schemas():
        found = root
        for part in path:
            below = found.get("properties", {}).get(part)
            found = below or found.get("items" if isinstance(part, int) else "", {})
        if found:
            return found
    return {}
