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
"""Where a structural schema holds its CEL rules."""


class ApiModel(BaseModel):
    """One object of the API: frozen, camelCase in YAML, unknown fields ignored when read.

    The docstring under an attribute is the field's description in the CRD; it is read only there,
    because pydantic's `use_attribute_docstrings` is a third of the time to start. A default
    written as a value is persisted by the API server, except in the items of a list, where GitOps
    tools would see a difference forever; one written as `default_factory` is not, for fields whose
    absence means something (an entry inherits, a later field takes over) and for nested objects.

    Validators are built when they are first used: most models are parts of one that is read as a
    whole, which has validators for its parts in its own.
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
        """Describe the fields, where a JSON schema is made."""
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
        cel: Must hold for the object; `self` is the model or the field's value.
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

    A rule rather than the schema's own `pattern`, because its refusal is a sentence and not the
    expression.
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
"""The `model_config` of an object whose fields have one owner together.

For what only the operator writes. Server-side apply keeps an account of the owner of each field:
for these it took a sixth of a tool's bytes, and a tenth of what a status cost the API server.
"""

LIST_SET: dict[str, Any] = {"x-kubernetes-list-type": "set"}
"""The `json_schema_extra` of a list of scalars without duplicates."""
