"""The base of every API model, and how a model carries its CEL rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler
from pydantic.alias_generators import to_camel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from mcp_operator.api.docstrings import attribute_docstrings

GROUP = "mcp-operator.dev"
VERSION = "v1alpha1"

VALIDATIONS = "x-kubernetes-validations"
"""The key of a structural schema that holds its CEL rules."""


class ApiModel(BaseModel):
    """One object of the API: frozen, camelCase in YAML, unknown fields ignored when read.

    The docstring under an attribute is the field's description in the CRD. It is read only when a
    JSON schema is generated, because pydantic's `use_attribute_docstrings` takes a third of the
    startup time.

    The API server persists a default that is written as a value, except in the items of a list,
    where GitOps tools would report a difference forever. It does not persist a default that is
    written as `default_factory`. Use that for nested objects, and for fields whose absence has a
    meaning (an entry inherits, a later field replaces it).

    Validators are built at first use: most models are parts of a model that is read as a whole,
    and that model's validator already contains those of its parts.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        alias_generator=to_camel,
        populate_by_name=True,
        defer_build=True,
    )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Add the descriptions of the fields to the JSON schema."""
        schema = handler(core_schema)
        properties = handler.resolve_ref_schema(schema).get("properties", {})
        for name, text in attribute_docstrings(cls, ApiModel).items():
            field = cls.model_fields.get(name)
            if field is not None:
                properties[field.alias or name].setdefault("description", text)
        return schema


def rule(cel: str, message: str, *, field_path: str = "") -> dict[str, Any]:
    """Write one CEL rule of a model or a field.

    Args:
        cel: The expression that must hold; `self` is the model or the field's value.
        message: Names the fields and the fix, as a YAML author would say it.
        field_path: The child field to blame instead of the object itself, such as `.image`.
    """
    written: dict[str, Any] = {"rule": cel, "message": message}
    if field_path:
        written["fieldPath"] = field_path
    return written


def rules(*written: Mapping[str, Any]) -> dict[str, Any]:
    """Return the `json_schema_extra` that puts rules on a field."""
    return {VALIDATIONS: [dict(one) for one in written]}


def matching(pattern: str, message: str, *also: Mapping[str, Any], max_length: int) -> Any:
    """Return the `Field` of a string that matches a regular expression (RE2).

    This is a rule instead of the schema's own `pattern`, because the error of a rule is a sentence,
    and the error of `pattern` is the expression.
    """
    return Field(
        max_length=max_length,
        json_schema_extra=rules(rule(f'self.matches(r"{pattern}")', message), *also),
    )


def validated(*written: Mapping[str, Any]) -> ConfigDict:
    """Return the `model_config` that puts rules on a model."""
    return ConfigDict(json_schema_extra=rules(*written))


def list_map(*keys: str) -> dict[str, Any]:
    """Return the `json_schema_extra` of a list whose items are identified by `keys`.

    Duplicates are refused, and server-side apply merges the list by item.
    """
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(keys)}


WHOLE = ConfigDict(json_schema_extra={"x-kubernetes-map-type": "atomic"})
"""The `model_config` of an object whose fields always have the same owner.

Use it for objects that only the operator writes. Server-side apply otherwise records the owner of
each field, which took a sixth of the bytes of a tool, and a tenth of the API server's cost of a
status.
"""

LIST_SET: dict[str, Any] = {"x-kubernetes-list-type": "set"}
"""The `json_schema_extra` of a list of scalars without duplicates."""
