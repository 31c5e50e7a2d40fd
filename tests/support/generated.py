"""Random custom resources that the API server admits, generated from the schemas of the CRDs.

A value is generated from its schema: any of its fields, any number of items, any value of its enum,
any of its bounds. Texts have a meaning, so most are copied from the same field in the manifests
that use every field; some are as long as the schema allows. If a rule refuses a value, only the
value with that rule is generated again, with fewer optional fields.
"""

from __future__ import annotations

import copy
import string
from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from random import Random
from typing import Any

from mcp_operator.api.base import VALIDATIONS
from mcp_operator.api.crd import DEFINITIONS, object_schema
from mcp_operator.api.structure import INT_OR_STRING, PRESERVE, defaulted, structure_problems
from mcp_operator.api.validation import _escaped, _holds, problems
from mcp_operator.core.meta import Object
from support.manifests import API_VERSION, defaulted_manifests, featured_manifests

KINDS = tuple(one.resource.kind for one in DEFINITIONS)

TRIES = 12
"""How often one value is generated before one of the manifests is used instead."""

EXTREME = 0.03
"""The share of texts that are as long, or as unusual, as their schema allows. Not those of a pod
template, which the API server judges with the Deployment: see `v1alpha1/placement.py`."""

ODD = (
    "x",
    "\u00e9",
    "日本語",
    "a b",
    "A-Z_0.9",
    "{",
    "%2F",
    '"',
    "\\",
    "\u2019",
    "🦀",
    "$(HOME)",
    "$$",
)

Path = tuple[str, ...]


class Generator:
    """Generates admitted objects; the same seed generates the same ones."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)  # noqa: S311 - to make tests, not keys

    def object(self, kind: str, name: str = "", **metadata: Any) -> Object:
        """Return an object that the API server admits.

        Args:
            kind: One of `KINDS`.
            name: Its name; a random one if empty.
            metadata: Further fields of its metadata.
        """
        schema = _schemas()[kind]["properties"]["spec"]
        head = {"apiVersion": API_VERSION, "kind": kind}
        while True:
            made = {"name": name or self.name(), **metadata}
            obj = {**head, "metadata": made, "spec": self._value(schema, (kind, "spec"), 0.5)}
            if not problems(obj):
                return obj

    def name(self) -> str:
        """Return the name of an object: a DNS label of at most 52 characters."""
        length = self.random.choice((1, 5, 20, 52))
        inside = string.ascii_lowercase + string.digits + "--"
        made = "".join(self.random.choice(inside) for _ in range(length))
        return self.random.choice("az09") + made[1:-1] + (self.random.choice("az09") * (length > 1))

    def _value(self, schema: Mapping[str, Any], path: Path, share: float) -> Any:
        """Return a value that satisfies its own rules and those of its parts.

        Args:
            schema: Its schema.
            path: Its path, which starts with the kind.
            share: The share of the optional fields that are set.
        """
        known = _known()[path]
        if known and self.random.random() < 0.1:
            return copy.deepcopy(self.random.choice(known))
        for attempt in range(TRIES):
            made = self._made(schema, path, share * (1 - attempt / TRIES))
            made = self._mended(schema, made, path)
            if not _faults(schema, made):
                return made
        for stand_in in self.random.sample(_alike(path), len(_alike(path))):
            if not _faults(schema, stand_in):
                return copy.deepcopy(stand_in)
        raise AssertionError(f"{'.'.join(path)}: found no value that satisfies the rules")

    def _mended(self, schema: Mapping[str, Any], made: Any, path: Path) -> Any:
        """Leave out or regenerate one field after the other while that breaks fewer rules."""
        faults = _faults(schema, made)
        if not isinstance(made, dict) or "properties" not in schema:
            return made
        properties = schema["properties"]
        while faults:
            fields = list(properties)
            self.random.shuffle(fields)
            for name in fields:
                other = {key: value for key, value in made.items() if key != name}
                if name not in made or name in schema.get("required", ()):
                    other[name] = self._value(properties[name], (*path, name), 0)
                fewer = _faults(schema, other, faults)
                if fewer < faults:
                    made, faults = other, fewer
                    break
            else:
                break
        return made

    def _made(self, schema: Mapping[str, Any], path: Path, share: float) -> Any:
        made: Any
        match schema.get("type"):
            case _ if "enum" in schema:
                made = self.random.choice(schema["enum"])
            case _ if schema.get(PRESERVE):
                made = self._one_of(path)
            case _ if schema.get(INT_OR_STRING) and self.random.random() < 0.5:
                made = self._number(schema)
            case "object" if "additionalProperties" in schema:
                made = self._map(schema, path, share)
            case "object":
                made = self._object(schema, path, share)
            case "array":
                made = self._list(schema, path, share)
            case "boolean":
                made = self.random.random() < 0.5
            case "integer":
                made = self._number(schema)
            case _:
                made = self._text(schema, path)
        return made

    def _object(self, schema: Mapping[str, Any], path: Path, share: float) -> Object:
        required, properties = schema.get("required", ()), schema.get("properties", {})
        below = share * 0.8
        chosen = [name for name in properties if name in required or self.random.random() < share]
        return {name: self._value(properties[name], (*path, name), below) for name in chosen}

    def _list(self, schema: Mapping[str, Any], path: Path, share: float) -> list[Any]:
        least, most = schema.get("minItems", 0), schema.get("maxItems", 3)
        length = self.random.randint(least, max(least, min(most, 3)))
        item = schema["items"]
        return [self._value(item, (*path, "[]"), share) for _ in range(length)]

    def _map(self, schema: Mapping[str, Any], path: Path, share: float) -> Object:
        item, known = schema["additionalProperties"], _keys()[path]
        keys = self.random.sample(known, self.random.randint(0, min(len(known), 3)))
        return {key: self._value(item, (*path, "{}"), share) for key in keys}

    def _number(self, schema: Mapping[str, Any]) -> int:
        least, most = schema.get("minimum", 0), schema.get("maximum", 2**31 - 1)
        between = self.random.randint(least, most)
        return self.random.choice((least, most, between, min(most, least + 1), min(most, 8080)))

    def _text(self, schema: Mapping[str, Any], path: Path) -> str:
        longest = schema.get("maxLength", 300)
        if self.random.random() > EXTREME or "podTemplate" in path:
            return str(self._one_of(path))
        if self.random.random() < 0.5:
            known = str(self._one_of(path))
            return known.ljust(longest, known[-1] if known else "x")
        return "".join(self.random.choice(ODD) for _ in range(4))[:longest]

    def _one_of(self, path: Path) -> Any:
        known = _known()[path] or [text for text in _alike(path) if isinstance(text, str)]
        return copy.deepcopy(self.random.choice(known or ["x"]))


def _faults(schema: Mapping[str, Any], value: Any, enough: int = 1000) -> int:
    """Return how many constraints of its schema a value breaks, counting up to `enough`.

    Its parts must be valid.
    """
    rules = schema.get(VALIDATIONS, ())
    found = sum(1 for _ in structure_problems(schema, value))
    if found or not rules:
        return found and found + len(rules)
    stored = _escaped(schema, defaulted(schema, value))
    for one in rules:
        found += not _holds(one["rule"], stored)
        if found >= enough:
            break
    return found


@cache
def _schemas() -> dict[str, Object]:
    return {one.resource.kind: object_schema(one) for one in DEFINITIONS}


@cache
def _known() -> defaultdict[Path, list[Any]]:
    """Return the values in the manifests by path."""
    found: defaultdict[Path, list[Any]] = defaultdict(list)
    for _, obj in (*featured_manifests(), *defaulted_manifests()):
        kind = obj["kind"]
        _collect(_schemas()[kind]["properties"]["spec"], obj["spec"], (kind, "spec"), found)
    return found


def _alike(path: Path) -> list[Any]:
    """Return the values in the manifests at a path, or at those with the longest common end."""
    for length in (len(path), 3, 2, 1):
        if found := _by_end()[path[-length:]]:
            return found
    return []


@cache
def _by_end() -> defaultdict[Path, list[Any]]:
    """Return the values in the manifests by every end of their paths."""
    found: defaultdict[Path, list[Any]] = defaultdict(list)
    for path, values in _known().items():
        for length in {len(path), 3, 2, 1}:
            found[path[-length:]] += values
    return found


@cache
def _keys() -> defaultdict[Path, list[str]]:
    """Return the keys of maps by the path of the map."""
    found: defaultdict[Path, list[str]] = defaultdict(list)
    for path, values in _known().items():
        found[path] = sorted({key for value in values if isinstance(value, dict) for key in value})
    return found


def _collect(
    schema: Mapping[str, Any], value: Any, path: Path, found: defaultdict[Path, list[Any]]
) -> None:
    found[path].append(value)
    if isinstance(value, Mapping):
        properties, others = schema.get("properties", {}), schema.get("additionalProperties")
        for name, child in value.items():
            if name in properties:
                _collect(properties[name], child, (*path, name), found)
            elif others:
                _collect(others, child, (*path, "{}"), found)
    elif isinstance(value, list):
        for child in value:
            _collect(schema["items"], child, (*path, "[]"), found)
