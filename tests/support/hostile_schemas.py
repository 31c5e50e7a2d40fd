"""Short JSON Schemas that are expensive to compile, or to validate a value with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

Schema = dict[str, Any]


def nested(wrap: Callable[[Any], Any], levels: int, innermost: Any) -> Any:
    """Return the result of applying `wrap` to `innermost` some times."""
    for _ in range(levels):
        innermost = wrap(innermost)
    return innermost


def doubling(levels: int, refer: Callable[[int], Schema], name: Callable[[int], Schema]) -> Schema:
    """Return definitions that each refer to the next twice, so that each level doubles the work."""
    definitions = {
        f"d{n}": {**name(n), "allOf": [refer(n + 1), refer(n + 1)]} for n in range(levels)
    }
    return {"$defs": definitions | {f"d{levels}": name(levels)}, **refer(0)}


def unevaluated(keyword: str, levels: int) -> Schema:
    """Return a schema that validates a value again at every level, because of `unevaluated…`."""
    innermost: Schema = {"properties": {"a": True}}
    several = keyword in ("allOf", "anyOf", "oneOf")
    return dict(
        nested(
            lambda inner: {
                "unevaluatedProperties": False,
                keyword: [inner, {"type": "null"}] if several else inner,
                **({"if": True} if keyword in ("then", "else") else {}),
            },
            levels,
            innermost,
        )
    )


LARGE = r"^\pL{80}$"
"""About 4.5 MiB: one is allowed, and three are not."""

TOO_LARGE = r"^\pL{200}$"

PATTERNS: Final[Mapping[str, tuple[Schema, str]]] = {
    "one pattern": ({"properties": {"a": {"pattern": TOO_LARGE}}}, "#/properties/a/pattern"),
    "a hundred patterns": (
        {"properties": {"p": {"anyOf": [{"pattern": rf"^\pL{{200}}x{n}$"} for n in range(100)]}}},
        "#/properties/p/anyOf/0/pattern",
    ),
    "patterns that are too large together": (
        {"anyOf": [{"pattern": f"{LARGE}|{n}"} for n in range(3)]},
        "#/anyOf/2/pattern",
    ),
    "very many small patterns": (
        {"anyOf": [{"pattern": f"^x{n}$"} for n in range(5000)]},
        "#/anyOf/",
    ),
    "names of properties": (
        {"patternProperties": {"a": {}, TOO_LARGE: {}}},
        rf"#/patternProperties/{TOO_LARGE}",
    ),
    "a pattern for names": ({"propertyNames": {"pattern": TOO_LARGE}}, "#/propertyNames/pattern"),
    "a pattern in a definition": (
        {"$defs": {"a/b": {"pattern": TOO_LARGE}}, "$ref": "#/$defs/a~1b"},
        "#/$defs/a~1b/pattern",
    ),
    "a pattern where no schema is expected": (
        {"x-hidden": {"deep": [{"pattern": TOO_LARGE}]}, "$ref": "#/x-hidden/deep/0"},
        "#/x-hidden/deep/0/pattern",
    ),
    "a pattern behind an anchor": (
        {"$defs": {"a": {"$anchor": "here", "pattern": TOO_LARGE}}, "$ref": "#here"},
        "#/$defs/a/pattern",
    ),
    "a pattern behind a dynamic anchor": (
        {
            "$defs": {"a": {"$dynamicAnchor": "here", "items": {"pattern": TOO_LARGE}}},
            "$dynamicRef": "#here",
        },
        "#/$defs/a/items/pattern",
    ),
    "a pattern behind an identifier": (
        {
            "$id": "https://example.com/",
            "$defs": {"a": {"$id": "other", "$defs": {"b": {"pattern": TOO_LARGE}}}},
            "$ref": "other#/$defs/b",
        },
        "#/$defs/a/$defs/b/pattern",
    ),
    "a pattern behind a percent sign": (
        {"$defs": {"a b": {"pattern": TOO_LARGE}}, "$ref": "#/$defs/a%20b"},
        "#/$defs/a b/pattern",
    ),
    **{
        f"a pattern at {keyword}": (
            {"if": True, keyword: [inner] if keyword.endswith("Of") else inner},
            f"#/{keyword}{'/0' * keyword.endswith('Of')}/pattern",
        )
        for inner in [{"pattern": TOO_LARGE}]
        for keyword in (
            *("additionalProperties", "allOf", "anyOf", "contains", "else", "if", "items", "not"),
            *("oneOf", "propertyNames", "then", "unevaluatedItems", "unevaluatedProperties"),
        )
    },
}
"""Schemas whose regular expressions are too expensive, and the location in the error."""

OTHERS: Final[Mapping[str, tuple[Schema, str]]] = {
    "references that double": (
        doubling(22, lambda n: {"$ref": f"#/$defs/d{n}"}, lambda _: {}),
        "#/$defs/d",
    ),
    "anchors that double": (
        doubling(22, lambda n: {"$ref": f"#a{n}"}, lambda n: {"$anchor": f"a{n}"}),
        "#/$defs/d",
    ),
    "dynamic anchors that double": (
        doubling(22, lambda n: {"$dynamicRef": f"#a{n}"}, lambda n: {"$dynamicAnchor": f"a{n}"}),
        "#/$defs/d",
    ),
    "identifiers that double": (
        doubling(
            22,
            lambda n: {"$ref": f"https://example.com/{n}"},
            lambda n: {"$id": f"https://example.com/{n}"},
        ),
        "#/$defs/d",
    ),
    "relative identifiers that double": (
        {
            "$id": "https://example.com/s",
            **doubling(22, lambda n: {"$ref": f"s#/$defs/d{n}"}, lambda _: {}),
        },
        "#/$defs/d",
    ),
    "urns that double": (
        {
            "$id": "urn:example:s",
            **doubling(22, lambda n: {"$ref": f"urn:example:s#/$defs/d{n}"}, lambda _: {}),
        },
        "#/$defs/d",
    ),
    "a hundred references to the dialect": (
        {"anyOf": [{"$ref": "https://json-schema.org/draft/2020-12/schema"}] * 100},
        "#",
    ),
    **{
        f"unevaluated properties with {keyword}": (unevaluated(keyword, 20), f"#/{keyword}")
        for keyword in ("allOf", "anyOf", "else", "if", "oneOf", "then")
    },
    "nesting": ({"default": nested(lambda inner: [inner], 5000, 1)}, "#/default/0/0"),
    "nesting of schemas": (
        nested(lambda inner: {"properties": {"a": inner}}, 90, {"type": "object"}),
        "#/properties/a/properties/a",
    ),
    "twenty thousand subschemas": ({"anyOf": [{"a": {}} for _ in range(11_000)]}, "#"),
    "a megabyte": ({"description": "x" * 1_000_000}, "the schema has 1000019 bytes"),
}
"""Schemas that are too large in other ways, and the location in the error."""

FAULTY: Final[Mapping[str, tuple[Schema, str]]] = {
    "another dialect in a subschema": (
        {"items": {"$schema": "http://json-schema.org/draft-07/schema#"}},
        "#/items: the dialect",
    ),
    "a reference to the network": (
        {"items": {"$ref": "https://example.com/x"}},
        "#/items: the $ref https://example.com/x refers to another document",
    ),
    "a reference of a thousand characters": (
        {"$ref": "x" * 1000},
        "xxx… refers to another document",
    ),
    "an index of five thousand digits": (
        {"$ref": "#/allOf/" + "9" * 5000, "allOf": [True]},
        "does not compile",
    ),
    "half of a surrogate pair": ({"const": "\ud800"}, "does not compile"),
    "half of a surrogate pair in a pattern": (
        {"pattern": "\ud800"},
        "#/pattern is not a valid regular",
    ),
    "an invalid regular expression": (
        {"items": {"pattern": "("}},
        "#/items/pattern is not a valid regular",
    ),
    "a type of the wrong type": ({"items": {"type": 5}}, "does not compile: #/items/type: 5"),
    "a divisor of zero": ({"multipleOf": 0}, "does not compile: #/multipleOf: 0"),
    "twenty thousand types": ({"type": ["string"] * 20_000}, "does not compile: #/type"),
}
"""Invalid schemas, and the error for each."""

ODD: Final[Mapping[str, Schema]] = {
    "a pattern in an enum": {"enum": [{"pattern": TOO_LARGE, "$ref": "https://example.com/"}]},
    "a property of the name pattern": {"properties": {"pattern": {"type": "string"}}},
    "a pattern that is never used": {"$defs": {"a": {"pattern": TOO_LARGE}}},
    "one pattern in very many places": {"anyOf": [{"pattern": LARGE}] * 1000},
    "a reference to itself": {"$ref": "#"},
    "circular references": {
        "$defs": {"a": {"allOf": [{"$ref": "#/$defs/b"}] * 2}, "b": {"$ref": "#/$defs/a"}},
        "$ref": "#/$defs/a",
    },
    "a chain of three thousand references": {
        "$defs": {f"d{n}": {"$ref": f"#/$defs/d{n + 1}"} for n in range(3000)} | {"d3000": {}},
        "$ref": "#/$defs/d0",
    },
    "the dialect": {"$ref": "https://json-schema.org/draft/2020-12/schema#"},
    "very large and very small numbers": {
        "minLength": 10**30,
        "maximum": 10**4000,
        "multipleOf": 5e-324,
    },
    "an enum of two hundred kilobytes": {"enum": [f"value {n}" for n in range(18_000)]},
    "very many required names": {"required": [f"p{n}" for n in range(18_000)]},
    "eight thousand properties": {
        "properties": {f"p{n}": {"type": "integer"} for n in range(8000)}
    },
    "ten thousand alternatives": {"oneOf": [{"const": n} for n in range(10_000)]},
    "a name of two hundred kilobytes": {"properties": {"k" * 200_000: True}},
    "every format": {"allOf": [{"format": name} for name in ("regex", "email", "uri")] * 1000},
}
"""Schemas that look expensive, but are not."""
