"""Structural schemas of pydantic models, and types that have none."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from mcp_operator.api.base import ApiModel, list_map, rule, validated
from mcp_operator.api.schema import NotStructuralError, structural_schema
from mcp_operator.core.meta import Object


class Inner(ApiModel):
    """An inner object,
    on two lines.
    """

    model_config = validated(rule("has(self.name)", "set name"))

    name: str
    """What it is called."""


class Outer(ApiModel):
    """Every type that has a structural form."""

    optional: Inner | None = None
    """Of the field, not of the type."""
    many: tuple[Inner, ...] = Field(default_factory=tuple, json_schema_extra=list_map("name"))
    fixed: Literal["v1"] = "v1"
    above_zero: Annotated[float, Field(gt=0, lt=9)] = 1.0
    quantity: int | str = 5
    open: dict[str, Any] = Field(default_factory=dict)
    labels: dict[str, str] = Field(default_factory=dict)
    empty: str = ""
    nested_default: Inner = Field(default_factory=lambda: Inner(name="x"))


@pytest.fixture(scope="module")
def properties() -> dict[str, Object]:
    schema = structural_schema(Outer)
    assert "required" not in schema
    assert "title" not in str(schema)
    assert "$" not in str(schema)
    found: dict[str, Object] = schema["properties"]
    return found


def test_a_model_is_inlined_with_the_description_of_the_field(
    properties: dict[str, Object],
) -> None:
    assert properties["optional"] == {
        "type": "object",
        "description": "Of the field, not of the type.",
        "properties": {"name": {"type": "string", "description": "What it is called."}},
        "required": ["name"],
        "x-kubernetes-validations": [{"rule": "has(self.name)", "message": "set name"}],
    }


def test_a_description_is_one_line(properties: dict[str, Object]) -> None:
    assert properties["many"]["items"]["description"] == "An inner object, on two lines."


def test_the_schema_of_a_map_list_has_its_list_map_keys(properties: dict[str, Object]) -> None:
    assert properties["many"]["x-kubernetes-list-map-keys"] == ["name"]


def test_a_constant_is_an_enum_of_one(properties: dict[str, Object]) -> None:
    assert properties["fixed"] == {"type": "string", "enum": ["v1"], "default": "v1"}


def test_exclusive_bounds_are_written_as_flags(properties: dict[str, Object]) -> None:
    assert properties["aboveZero"] == {
        "type": "number",
        "default": 1.0,
        "minimum": 0,
        "exclusiveMinimum": True,
        "maximum": 9,
        "exclusiveMaximum": True,
    }


def test_an_integer_or_string_has_the_int_or_string_extension(
    properties: dict[str, Object],
) -> None:
    assert properties["quantity"] == {
        "anyOf": [{"type": "integer"}, {"type": "string"}],
        "default": 5,
        "x-kubernetes-int-or-string": True,
    }


def test_an_open_object_keeps_unknown_fields(properties: dict[str, Object]) -> None:
    assert properties["open"]["x-kubernetes-preserve-unknown-fields"] is True
    assert "additionalProperties" not in properties["open"]
    assert properties["labels"]["additionalProperties"] == {"type": "string"}


def test_empty_defaults_are_not_in_the_schema(properties: dict[str, Object]) -> None:
    for name in ("optional", "empty", "nestedDefault"):
        assert "default" not in properties[name]


class Tree(ApiModel):
    """Contains itself."""

    children: tuple[Tree, ...] = ()


class Pair(ApiModel):
    """A list with a type by position."""

    both: tuple[int, str]


class Either(ApiModel):
    """One of two models."""

    inner: Inner | Pair


class Unknown(ApiModel):
    """Anything at all."""

    anything: Any = 1


class Unique(ApiModel):
    """A keyword that the API server forbids."""

    items: Annotated[frozenset[str], Field(max_length=3)]


class Nested(ApiModel):
    """Not structural in a nested field."""

    pairs: dict[str, tuple[Pair, ...]]


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        (Tree, r"Tree\.children\.\[\]: Tree contains itself"),
        (Pair, r"Pair\.both: prefixItems has no structural form"),
        (Either, r"Either\.inner: only a union of integer and string"),
        (Unknown, r"Unknown\.anything: has no type"),
        (Unique, r"Unique\.items: uniqueItems has no structural form"),
        (Nested, r"Nested\.pairs\.\{\}\.\[\]\.both: prefixItems has no structural form"),
    ],
)
def test_a_type_without_a_structural_form_raises_an_error_with_its_path(
    model: type[ApiModel], sentence: str
) -> None:
    with pytest.raises(NotStructuralError, match=sentence):
        structural_schema(model)
