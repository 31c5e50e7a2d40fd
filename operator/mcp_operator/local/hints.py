"""Hints for newcomers, which complete the API server's messages about a field.

The API server's messages say what is wrong. A hint says what to write instead.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final

from mcp_operator.api.base import VALIDATIONS
from mcp_operator.api.crd import schemas
from mcp_operator.api.structure import Path, Problem
from mcp_operator.core.meta import Object

TEMPLATE: Final = "{{"

HELM: Final = (
    "this looks like a Helm template; render it first: helm template CHART > rendered.yaml"
)
ANCESTORS: Final = ("kubemcp.io/", "mcp.k8s.turd.ninja/")
"""The API groups of the operator that had the same kinds before this one."""

_LISTS: Final = frozenset({"env", "headers", "query"})
_BOOLEANS: Final = frozenset({"false", "true"})
_MAPS: Final = frozenset({"annotations", "labels", "matchLabels"})
_SECRETS: Final = frozenset({"apiKey", "key", "password", "secret", "token", "value"})
_UNKNOWN: Final = "unknown field"
_FEW: Final = 12
"""The number of fields up to which a hint about an unknown field lists the known ones."""

_OWN_PLACE: Final = ("spec", "service", "request")
"""Fields in which users often write fields that belong elsewhere in the spec."""

_MEANT: Final = {
    ("MCPServer", "tools"): "spec.toolSelector",
    ("MCPServer", "prompts"): "spec.promptSelector",
    ("MCPServer", "resource"): "spec.resourceSelector",
    ("MCPServer", "selector"): "spec.toolSelector",
    ("MCPTool", "arguments"): "spec.inputSchema",
    ("MCPTool", "authentication"): "spec.request.credentials",
    ("MCPTool", "auth"): "spec.request.credentials",
    ("MCPTool", "endpoint"): "spec.service",
    ("MCPTool", "headers"): "spec.request.headers",
    ("MCPTool", "parameters"): "spec.inputSchema",
    ("MCPTool", "path"): "spec.service.path",
    ("MCPTool", "port"): "spec.service.port",
    ("MCPTool", "url"): "spec.service",
    ("MCPPrompt", "arguments"): "spec.variables",
    ("MCPPrompt", "messages"): "spec.template",
    ("MCPPrompt", "prompt"): "spec.template",
}
"""Other names for fields of the spec, in other tools and in the MCP specification."""

_OPTIONS: Final = re.compile(r"supported values: (.*)")


def explained(obj: Object, problem: Problem) -> str:
    """Return what is wrong, and what to write instead if that is known.

    Args:
        obj: The object that has the problem.
        problem: The API server's message.
    """
    if problem.message.startswith(_UNKNOWN) and (place := _meant(obj, problem.path)):
        return f"{_UNKNOWN}; did you mean {place}?"
    said = next(_hints(obj, problem), "")
    return f"{problem.message}; {said}" if said else problem.message


def hint_of_line(text: str, line: int) -> str:
    """Return a hint for a line that is not YAML; empty if there is none.

    Args:
        text: The file.
        line: The line, counted from 1.
    """
    lines = text.splitlines()
    written = lines[line - 1] if 0 < line <= len(lines) else ""
    if TEMPLATE in written:
        return f"; {HELM}"
    if "\t" in written[: len(written) - len(written.lstrip())]:
        return "; indent YAML with spaces, not with tabs"
    return ""


def _hints(obj: Object, problem: Problem) -> Iterator[str]:
    value, name = _at(obj, problem.path), problem.path[-1] if problem.path else ""
    parent = problem.path[-2] if len(problem.path) > 1 else ""
    if isinstance(value, str) and TEMPLATE in value:
        yield HELM
    if name == "apiVersion" and str(value).startswith(ANCESTORS):
        yield "the fields are the same, so change only apiVersion"
    if problem.message == _UNKNOWN:
        yield from _of_unknown(str(obj.get("kind")), problem.path)
    if problem.message.startswith("must be of type"):
        yield from _of_type(problem, value)
    if options := _OPTIONS.search(problem.message):
        known = json.loads(f"[{options[1]}]")
        yield from (f"write {one}" for one in known if str(one).lower() == str(value).lower())
    if problem.message.startswith("Duplicate value"):
        yield "change one of the two entries, or remove it"
    if problem.message.startswith("must be of type byte"):
        yield "encode the content with base64"
    if name == "port" and problem.message.startswith(("Required value", "should match")):
        yield "write the number of a port of the Service, or its name in lower case, such as http"
    if parent in ("limits", "requests") and problem.message.startswith("should match"):
        yield "write a quantity such as 500m, 512Mi or 1Gi"


def _of_unknown(kind: str, path: Path) -> Iterator[str]:
    parent, name = path[-2:] if len(path) > 1 else ("", path[-1])
    if name in _BOOLEANS:
        yield "YAML reads on, off, yes and no as booleans; put such a key in quotes"
    if str(parent).endswith("Selector"):
        yield f"write labels under matchLabels: {parent}: {{matchLabels: {{{name}: …}}}}"
    if parent == "credentials" and name in _SECRETS:
        yield "put the value in a Secret, and name the Secret in secretRef"
    if place := _place(kind, path):
        yield f"did you mean {place}?"
    known = _schema_of(path[:-1]).get("properties", {})
    if 0 < len(known) <= _FEW:
        yield f"the fields here are {', '.join(sorted(known))}"


def _meant(obj: Object, path: Path) -> str:
    """Return the field of a spec that has this name in other tools; empty if there is none."""
    is_of_spec = len(path) == len(("spec", "name")) and path[0] == "spec"
    return _MEANT.get((str(obj.get("kind")), str(path[-1])), "") if is_of_spec else ""


def _place(kind: str, path: Path) -> str:
    """Return where a misplaced field belongs; empty if that is not clear."""
    return _nearest(kind, str(path[-1])) if path[-2:-1] and path[-2] in _OWN_PLACE else ""


@cache
def _nearest(kind: str, name: str) -> str:
    """Return the path of the field with this name nearest to the root; empty if several are."""
    schema = schemas().get(kind, {})
    level = [("spec", schema.get("properties", {}).get("spec", {}))]
    while level:
        below = [
            (f"{path}.{field}" if "properties" in one else f"{path}[].{field}", child)
            for path, one in level
            for field, child in (one if "properties" in one else one.get("items", {}))
            .get("properties", {})
            .items()
        ]
        found = [path for path, _ in below if path.rpartition(".")[2] == name]
        if found:
            return found[0] if len(found) == 1 else ""
        level = below
    return ""


def _of_type(problem: Problem, value: Any) -> Iterator[str]:
    name, schema = problem.path[-1], _schema_of(problem.path)
    rules = [str(one["message"]) for one in schema.get(VALIDATIONS, ())]
    if any("duration" in one for one in rules) and isinstance(value, int | float):
        yield f"add a unit: {value}s"
    elif name == "service" and isinstance(value, str):
        yield "write its name and port: {name: orders, port: 80, path: /orders}"
    elif name in _LISTS and isinstance(value, Mapping):
        first = next(iter(value), "NAME")
        yield f"write a list of names and values: [{{name: {first}, value: …}}]"
    elif schema.get("type") == "object" or name in _MAPS:
        yield from _of_object(str(name), schema)
    elif isinstance(value, str) and schema.get("type") == "boolean":
        yield "write true or false, without quotes"
    elif isinstance(value, str) and value.lstrip("-").isdecimal():
        yield "remove the quotes"
    elif isinstance(value, str) and schema.get("type") == "integer":
        yield "write a number, such as 8080" if name == "port" else "write a whole number"
    elif schema.get("type") == "string" and isinstance(value, bool | int | float):
        yield "put the value in quotes"


def _of_object(name: str, schema: Mapping[str, Any]) -> Iterator[str]:
    if name.endswith("Selector"):
        yield f"write labels under matchLabels: {name}: {{matchLabels: {{NAME: VALUE}}}}"
    elif name in _MAPS or schema.get("additionalProperties"):
        yield f"write {name}: {{NAME: VALUE}}"
    elif fields := [*schema.get("required", ()), *schema.get("properties", ())]:
        yield f"write an object, such as {name}: {{{fields[0]}: …}}"


def _at(value: Any, path: Path) -> Any:
    """Return the value at a path; None if there is none."""
    for part in path:
        if isinstance(part, int):
            value = value[part] if isinstance(value, list) and part < len(value) else None
        else:
            value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _schema_of(path: Path) -> Mapping[str, Any]:
    """Return the schema of a field in any of the four kinds; shared fields have equal schemas."""
    for root in schemas().values():
        found: Mapping[str, Any] = root
        for part in path:
            below = found.get("properties", {}).get(part)
            found = below or found.get("items" if isinstance(part, int) else "", {})
        if found:
            return found
    return {}
