"""Forms that users fill in (elicitation, form mode), and the validation of what they enter.

MCP allows only flat objects of strings, numbers, booleans, and single or multiple choices
(`PrimitiveSchemaDefinition` of 2025-11-25 and 2026-07-28), so that every client can display them.
"""

from __future__ import annotations

from typing import Any, Final

from mcp_operator.api.catalog import JsonObject
from mcp_operator.api.jsonschema import CompiledSchema, SchemaCostError, SchemaError
from mcp_operator.core.errors import OperatorError

MAX_FIELDS: Final = 100
"""Maximum fields of one form."""

_BOUNDS: Final = {
    "string": ("minLength", "maxLength"),
    "number": ("minimum", "maximum"),
    "integer": ("minimum", "maximum"),
    "boolean": (),
    "array": ("minItems", "maxItems"),
}


class FormError(OperatorError):
    """MCP does not allow this form; the message says why."""


class Form:
    """A form for a user to fill in.

    Attributes:
        fields: The names of its fields.
    """

    def __init__(self, requested: object) -> None:
        """Check and compile a `requestedSchema`.

        Raises:
            FormError: It is not a flat object of primitives.
        """
        if not isinstance(requested, dict) or requested.get("type") != "object":
            raise FormError("requestedSchema must be of type object")
        properties, required = requested.get("properties"), requested.get("required", [])
        if not isinstance(properties, dict) or len(properties) > MAX_FIELDS:
            raise FormError(f"requestedSchema.properties must have at most {MAX_FIELDS} fields")
        if not isinstance(required, list) or not all(isinstance(name, str) for name in required):
            raise FormError("requestedSchema.required must be a list of names")
        self.fields = frozenset(properties)
        checked = {name: _field(name, field) for name, field in properties.items()}
        try:
            self._schema = CompiledSchema(
                {"type": "object", "properties": checked, "required": required}
            )
        except (SchemaError, SchemaCostError) as error:
            raise FormError(f"requestedSchema: {error}") from error

    def filled_in(self, content: object) -> tuple[JsonObject, list[str]]:
        """Return the requested fields of what a user entered, and the errors in them."""
        if not isinstance(content, dict):
            return {}, ["`content` must be an object"]
        kept = {name: value for name, value in content.items() if name in self.fields}
        return kept, self._schema.errors(kept)


def _field(name: str, field: Any) -> JsonObject:
    """Return the part of a field's schema that values are validated against."""
    kind = field.get("type") if isinstance(field, dict) else None
    if not isinstance(kind, str) or kind not in _BOUNDS:
        kinds = ", ".join(_BOUNDS)
        raise FormError(f"requestedSchema: the type of {name!r} must be one of {kinds}")
    checked: JsonObject = {"type": kind}
    for bound in _BOUNDS[kind]:
        if bound in field:
            checked[bound] = field[bound]
    if kind == "string":
        return checked | _choice(name, field, "oneOf")
    if kind == "array":
        items = field.get("items")
        choice = _choice(name, items, "anyOf") if isinstance(items, dict) else {}
        if not choice:
            problem = f"requestedSchema: the items of {name!r} must be a choice: enum, or anyOf"
            raise FormError(problem)
        checked["items"] = choice
    return checked


def _choice(name: str, schema: JsonObject, titled: str) -> JsonObject:
    """Return the allowed values; empty if any value is allowed."""
    values = schema.get("enum")
    if titled in schema:
        options = schema[titled]
        if not isinstance(options, list) or not all(
            isinstance(option, dict) and isinstance(option.get("const"), str) for option in options
        ):
            raise FormError(f"requestedSchema: each {titled} of {name!r} must have a const")
        values = [option["const"] for option in options]
    if values is None:
        return {}
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise FormError(f"requestedSchema: the choices of {name!r} must be strings")
    return {"enum": values}
