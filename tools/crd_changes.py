"""Finds changes of a CRD that could break objects, clients or tools that worked with a release.

Pure: the input is two CustomResourceDefinitions, the output is a list of changes. Additions and
relaxations do not count: a new field, a wider bound, a new value of an enum, a removed rule,
different texts or columns.
"""  # noqa: INP001 - modules of scripts, not a package

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Schema = Mapping[str, Any]

LOWER_BOUNDS = ("minimum", "minLength", "minItems", "minProperties")
UPPER_BOUNDS = ("maximum", "maxLength", "maxItems", "maxProperties")
EXCLUSIVE = {"minimum": "exclusiveMinimum", "maximum": "exclusiveMaximum"}
RULES = "x-kubernetes-validations"

_FREE = {"description", "title", "example", "externalDocs"}
"""Keywords that do not constrain values."""

_COMPARED = {
    *LOWER_BOUNDS,
    *UPPER_BOUNDS,
    *EXCLUSIVE.values(),
    *("additionalProperties", "default", "enum", "items", "properties", "required", RULES),
}
"""Keywords with their own comparison. For all other keywords, any change counts as breaking."""

_DROPPABLE = {"pattern", "format", "multipleOf", "uniqueItems", "not"}
"""Other keywords that only forbid values: removing them breaks nothing."""

_WRITTEN_DEFAULT = re.compile(r"Defaults to (?P<value>.*)\.$")
"""The default in a field's description. Fields in lists have it there instead of in `default`."""


@dataclass(frozen=True, order=True)
class Change:
    """One change that could break something.

    Attributes:
        kind: The kind that the CRD defines, such as `MCPServer`.
        path: The place: a field, such as `v1alpha1.spec.tools[].name`, or a part of the CRD.
        what: The change, in a few words.
    """

    kind: str
    path: str
    what: str

    def __str__(self) -> str:
        return f"{self.kind} {self.path}: {self.what}"


def changes(old: Mapping[str, Any], new: Mapping[str, Any] | None) -> list[Change]:
    """Return the changes of a newer CRD that could break users of an older one.

    Args:
        old: The CRD of a release.
        new: The current CRD of the same name; None if it was removed.
    """
    kind = old["spec"]["names"]["kind"]
    if new is None:
        return [Change(kind, "CRD", "removed")]
    found = [Change(kind, path, what) for path, what in _definition(old["spec"], new["spec"])]
    return sorted(found)


def disagreements(crd: Mapping[str, Any]) -> list[Change]:
    """Return the differences between the versions of one CRD, if they are not converted.

    With the strategy `None`, the API server changes only the `apiVersion`, and drops the fields
    that the other version does not have (Kubernetes, "Versions in
    CustomResourceDefinitions").
    """
    spec = crd["spec"]
    if spec.get("conversion", {}).get("strategy", "None") != "None":
        return []
    kind, (first, *others) = spec["names"]["kind"], spec["versions"]
    return [
        Change(kind, other["name"], f"has another schema than {first['name']}")
        for other in others
        if _bare(_schema(other)) != _bare(_schema(first))
    ]


def _definition(old: Schema, new: Schema) -> Iterator[tuple[str, str]]:
    for field in ("group", "scope"):
        if old[field] != new[field]:
            yield field, _from_to("changed", old[field], new[field])
    for field in ("kind", "listKind", "plural", "singular"):
        if old["names"].get(field) != new["names"].get(field):
            change = _from_to("changed", old["names"].get(field), new["names"].get(field))
            yield f"names.{field}", change
    for field in ("shortNames", "categories"):
        for name in sorted(set(old["names"].get(field, ())) - set(new["names"].get(field, ()))):
            yield f"names.{field}", f"{name} removed"
    versions = {version["name"]: version for version in new["versions"]}
    for version in old["versions"]:
        yield from _version(version, versions.get(version["name"]))


def _version(old: Schema, new: Schema | None) -> Iterator[tuple[str, str]]:
    name = old["name"]
    if new is None:
        yield name, "version removed"
        return
    if old["served"] and not new["served"]:
        yield name, "version no longer served"
    for subresource, content in old.get("subresources", {}).items():
        if subresource not in new.get("subresources", {}):
            yield f"{name}.{subresource}", "subresource removed"
        elif content != new["subresources"][subresource]:
            yield f"{name}.{subresource}", "subresource changed"
    for field in old.get("selectableFields", []):
        if field not in new.get("selectableFields", []):
            yield f"{name}{field['jsonPath']}", "no longer selectable"
    yield from _compared(name, _schema(old), _schema(new))


def _compared(path: str, old: Schema, new: Schema) -> Iterator[tuple[str, str]]:
    """Compare two schemas at a path, and then everything below it."""
    for what in (*_bounds(old, new), *_values(old, new), *_others(old, new), *_rules(old, new)):
        yield path, what
    yield from _fields(path, old, new)
    for keyword, step in (("items", "[]"), ("additionalProperties", "{}")):
        one, other = old.get(keyword), new.get(keyword)
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            yield from _compared(f"{path}{step}", one, other)
        elif one and one != other:
            yield path, f"{keyword} changed"


def _fields(path: str, old: Schema, new: Schema) -> Iterator[tuple[str, str]]:
    before, after = old.get("properties", {}), new.get("properties", {})
    for name, field in before.items():
        if name in after:
            yield from _compared(f"{path}.{name}", field, after[name])
        else:
            yield f"{path}.{name}", "field removed"
    for name in sorted(set(new.get("required", ())) - set(old.get("required", ()))):
        if "default" not in after.get(name, {}):
            yield f"{path}.{name}", "is required"


def _bounds(old: Schema, new: Schema) -> Iterator[str]:
    for keywords, sign, word in ((LOWER_BOUNDS, 1, "raised"), (UPPER_BOUNDS, -1, "lowered")):
        for keyword in keywords:
            one, other = old.get(keyword), new.get(keyword)
            if other is None:
                continue
            exclusive = EXCLUSIVE.get(keyword, "")
            if one is None:
                yield f"{keyword} {other} added"
            elif sign * other > sign * one:
                yield _from_to(f"{keyword} {word}", one, other)
            elif other == one and new.get(exclusive, False) > old.get(exclusive, False):
                yield f"{exclusive} added"


def _values(old: Schema, new: Schema) -> Iterator[str]:
    if "enum" in new:
        if "enum" not in old:
            yield f"enum {json.dumps(new['enum'])} added"
        for value in old.get("enum", ()):
            if value not in new["enum"]:
                yield f"enum value {json.dumps(value)} removed"
    one, other = _default(old), _default(new)
    if one != other:
        yield _from_to("default changed", one, other)


def _default(schema: Schema) -> Any:
    """Return a default as JSON: from `default`, or from the description."""
    if "default" in schema:
        return json.dumps(schema["default"], sort_keys=True)
    told = _WRITTEN_DEFAULT.search(schema.get("description", ""))
    return told["value"] if told else None


def _others(old: Schema, new: Schema) -> Iterator[str]:
    for keyword in sorted((old.keys() | new.keys()) - _COMPARED - _FREE):
        one, other = old.get(keyword), new.get(keyword)
        if one == other or (other in (None, False) and keyword in _DROPPABLE):
            continue
        if keyword == "nullable" and other:
            continue
        yield _from_to(f"{keyword} changed", one, other)


def _rules(old: Schema, new: Schema) -> Iterator[str]:
    known = {rule["rule"] for rule in old.get(RULES, ())}
    for rule in new.get(RULES, ()):
        if rule["rule"] not in known:
            yield f"rule added: {rule['rule']}"


def _schema(version: Schema) -> Schema:
    schema: Schema = version["schema"]["openAPIV3Schema"]
    return schema


def _bare(schema: Any) -> Any:
    """Return a schema without its texts."""
    if isinstance(schema, Mapping):
        texts = _FREE if isinstance(schema.get("description"), str) else set()
        return {key: _bare(value) for key, value in schema.items() if key not in texts}
    return [_bare(item) for item in schema] if isinstance(schema, list) else schema


def _from_to(what: str, old: Any, new: Any) -> str:
    return f"{what} from {_shown(old)} to {_shown(new)}"


def _shown(value: Any) -> str:
    if value is None:
        return "none"
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)
