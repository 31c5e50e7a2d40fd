"""Finds what the API server would reject in an object, without an API server.

Both use the same generated schemas: `structure` checks types, bounds and unknown fields as strictly
as the API server decodes, and this module evaluates the CEL expressions of the CRDs. No rule is
written twice, so the API server admits a file that passes here.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from mcp_operator.api.base import GROUP, VALIDATIONS, VERSION
from mcp_operator.api.crd import schemas
from mcp_operator.api.expressions import compile_expression
from mcp_operator.api.structure import Path, Problem, defaulted, structure_problems
from mcp_operator.api.v1alpha1.common import LABEL_KEY, LABEL_VALUE

__all__ = ["Problem", "problems"]

API_VERSION = f"{GROUP}/{VERSION}"

_RESERVED = frozenset(
    {"as", "for", "function", "if", "import", "in", "namespace", "null", "package"}
)
"""CEL's words that could be names of fields: rules write `__name__` (apiserver, common/cel)."""

_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_MAX_NAME = 253
_LABEL_KEY = re.compile(LABEL_KEY)
_LABEL_VALUE = re.compile(LABEL_VALUE)
_METADATA = frozenset(
    {
        "annotations",
        "creationTimestamp",
        "deletionGracePeriodSeconds",
        "deletionTimestamp",
        "finalizers",
        "generateName",
        "generation",
        "labels",
        "managedFields",
        "name",
        "namespace",
        "ownerReferences",
        "resourceVersion",
        "selfLink",
        "uid",
    }
)
"""The fields of `metav1.ObjectMeta`."""


def problems(obj: Any) -> list[Problem]:
    """Return everything that the API server would reject in one object of the four kinds.

    Args:
        obj: The object as parsed from YAML or JSON; any value is allowed.
    """
    if not isinstance(obj, Mapping):
        return [Problem((), "must be an object with apiVersion, kind, metadata and spec")]
    schema = schemas().get(str(obj.get("kind")))
    if obj.get("apiVersion") != API_VERSION:
        return [Problem(("apiVersion",), f"must be {API_VERSION}")]
    if schema is None:
        return [Problem(("kind",), f"must be one of {', '.join(sorted(schemas()))}")]
    # The API server drops the status in a manifest, and `_metadata_problems` checks metadata.
    declared = {name: value for name, value in obj.items() if name != "status"}
    checked = {name: value for name, value in declared.items() if name != "metadata"}
    found = [*_metadata_problems(obj.get("metadata")), *structure_problems(schema, checked)]
    wrong = {one.path[:length] for one in found for length in range(len(one.path) + 1)}
    return [*found, *_rule_problems(schema, defaulted(schema, declared), (), wrong)]


def _rule_problems(
    schema: Mapping[str, Any], value: Any, path: Path, wrong: Collection[Path]
) -> Iterator[Problem]:
    """Evaluate the rules of a schema and of all schemas below it.

    As in the API server, a rule is skipped if the structure it relies on is wrong.
    """
    if path not in wrong:
        for one in schema.get(VALIDATIONS, ()):
            if not _holds(one["rule"], _escaped(schema, value)):
                yield _blamed(path, one)
    if isinstance(value, Mapping):
        properties, others = schema.get("properties", {}), schema.get("additionalProperties")
        for name, child in value.items():
            below = properties.get(name, others)
            if below:
                yield from _rule_problems(below, child, (*path, name), wrong)
    elif isinstance(value, list) and "items" in schema:
        for index, child in enumerate(value):
            yield from _rule_problems(schema["items"], child, (*path, index), wrong)


def _holds(expression: str, value: Any) -> bool:
    return compile_expression(expression).execute({"self": value}) is True


def _blamed(path: Path, one: Mapping[str, Any]) -> Problem:
    child = tuple(part for part in one.get("fieldPath", "").split(".") if part)
    field, separator, message = one["message"].partition(": ")
    if not path and separator and field.startswith("metadata."):
        return Problem(tuple(field.split(".")), message)  # a fieldPath cannot point into metadata
    return Problem((*path, *child), one["message"])


def _escaped(schema: Mapping[str, Any], value: Any) -> Any:
    """Rename the declared fields that are reserved words of CEL."""
    if isinstance(value, Mapping):
        properties, others = schema.get("properties", {}), schema.get("additionalProperties", {})
        return {
            f"__{name}__" if name in _RESERVED and name in properties else name: _escaped(
                properties.get(name, others), child
            )
            for name, child in value.items()
        }
    if isinstance(value, list):
        return [_escaped(schema.get("items", {}), child) for child in value]
    return value


def _metadata_problems(metadata: Any) -> Iterator[Problem]:
    if not isinstance(metadata, Mapping) or not metadata.get("name"):
        yield Problem(("metadata", "name"), "Required value: give the object a name")
        return
    name = metadata["name"]
    if not isinstance(name, str) or len(name) > _MAX_NAME or not _SUBDOMAIN.fullmatch(name):
        yield Problem(
            ("metadata", "name"),
            f"must consist of lower case alphanumeric characters, '-' or '.', at most {_MAX_NAME}",
        )
    for field in sorted(metadata.keys() - _METADATA):
        yield Problem(("metadata", field), "unknown field")
    for field in ("labels", "annotations"):
        yield from _map_problems(field, metadata.get(field) or {})


def _map_problems(field: str, written: Any) -> Iterator[Problem]:
    if not isinstance(written, Mapping):
        yield Problem(("metadata", field), "must be of type object")
        return
    for key, value in written.items():
        path = ("metadata", field, str(key))
        if not isinstance(value, str):
            yield Problem(path, "must be of type string: put the value in quotes")
        elif field == "labels" and not _LABEL_VALUE.fullmatch(value):
            yield Problem(
                path,
                "a valid label must be an empty string or consist of alphanumeric "
                "characters, '-', '_' or '.'",
            )
        if not _LABEL_KEY.fullmatch(str(key)):
            yield Problem(
                path, "name part must consist of alphanumeric characters, '-', '_' or '.'"
            )
