"""Converts a pydantic model to the structural schema that a CustomResourceDefinition needs.

The JSON Schema that pydantic generates is not structural: it has `$ref`, `anyOf` with null, `const`
and titles. This module rewrites what has a structural form, and refuses the rest with the path of
the field, so that the generator never writes a schema that the API server would reject.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from mcp_operator.api.base import ApiModel
from mcp_operator.core.meta import Object

_KEPT = frozenset(
    {
        "default",
        "description",
        "enum",
        "format",
        "maxItems",
        "maxLength",
        "maxProperties",
        "maximum",
        "minItems",
        "minLength",
        "minProperties",
        "minimum",
        "pattern",
        "type",
    }
)
"""Keywords that mean the same in a structural schema."""

_REWRITTEN = frozenset(
    {
        "$defs",
        "$ref",
        "additionalProperties",
        "anyOf",
        "const",
        "exclusiveMaximum",
        "exclusiveMinimum",
        "items",
        "properties",
        "required",
        "title",
    }
)

ITEMS = "[]"
"""The items of a list, in the path of a field."""

_INT_OR_STRING = ({"type": "integer"}, {"type": "string"})


class NotStructuralError(TypeError):
    """A field of a model has no structural form; the sentence names the field."""


def structural_schema(model: type[ApiModel]) -> Object:
    """Return the structural schema of a model, with everything inlined.

    Raises:
        NotStructuralError: A field has no structural form.
    """
    written = model.model_json_schema(by_alias=True, mode="validation")
    return _Inliner(written.get("$defs", {})).convert(written, (model.__name__,))


class _Inliner:
    def __init__(self, definitions: Mapping[str, Any]) -> None:
        self._definitions = definitions
        self._open: list[str] = []

    def convert(self, node: Mapping[str, Any], path: tuple[str, ...]) -> Object:
        """Convert a schema and everything below it."""
        if "$ref" in node:
            return self._reference(node, path)
        if "anyOf" in node:
            return self._union(node, path)
        unknown = {
            key for key in node if key not in _KEPT | _REWRITTEN and not key.startswith("x-kube")
        }
        if unknown:
            raise NotStructuralError(
                f"{'.'.join(path)}: {', '.join(sorted(unknown))} has no structural form"
            )
        result = {key: value for key, value in node.items() if key not in _REWRITTEN}
        if "description" in result:
            result["description"] = " ".join(result["description"].split())
        self._default(result, path)
        if "const" in node:
            result["enum"] = [node["const"]]
        self._bounds(node, result)
        self._children(node, result, path)
        if "type" not in result and "x-kubernetes-preserve-unknown-fields" not in result:
            raise NotStructuralError(f"{'.'.join(path)}: has no type, so no structural form")
        return result

    def _reference(self, node: Mapping[str, Any], path: tuple[str, ...]) -> Object:
        name = node["$ref"].removeprefix("#/$defs/")
        if name in self._open:
            raise NotStructuralError(f"{'.'.join(path)}: {name} contains itself")
        self._open.append(name)
        beside = {key: value for key, value in node.items() if key != "$ref"}
        result = self.convert({**self._definitions[name], **beside}, path)
        self._open.pop()
        return result

    def _union(self, node: Mapping[str, Any], path: tuple[str, ...]) -> Object:
        options = [option for option in node["anyOf"] if option != {"type": "null"}]
        beside = {key: value for key, value in node.items() if key != "anyOf"}
        if beside.get("default", "") is None:
            del beside["default"]
        if len(options) == 1:
            return self.convert({**options[0], **beside}, path)
        if [option.get("type") for option in options] != ["integer", "string"]:
            raise NotStructuralError(
                f"{'.'.join(path)}: only a union of integer and string has a structural form; "
                "use one optional field per variant and a rule"
            )
        merged = {**options[0], **options[1], **beside, "type": "string"}
        result = self.convert(merged, path)
        del result["type"]
        return result | {
            "anyOf": [dict(one) for one in _INT_OR_STRING],
            "x-kubernetes-int-or-string": True,
        }

    @staticmethod
    def _default(result: Object, path: tuple[str, ...]) -> None:
        """Remove a default that must not be persisted, and describe it if it has a meaning.

        If the API server fills in defaults in the items of a list, Argo CD reports a difference
        from Git forever: an atomic list has one owner, and a merge patch replaces the whole list.
        """
        default = result.get("default")
        if default in ("", None):
            result.pop("default", None)  # absent and empty mean the same
        elif ITEMS in path:
            del result["default"]
            described = f"{result.get('description', '')} Defaults to {json.dumps(default)}."
            result["description"] = described.strip()

    @staticmethod
    def _bounds(node: Mapping[str, Any], result: Object) -> None:
        """Write exclusive bounds as OpenAPI 3.0 does, with a flag beside the bound."""
        for exclusive, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
            if exclusive in node:
                result[bound] = node[exclusive]
                result[exclusive] = True

    def _children(self, node: Mapping[str, Any], result: Object, path: tuple[str, ...]) -> None:
        if "properties" in node:
            result["properties"] = {
                name: self.convert(child, (*path, name))
                for name, child in node["properties"].items()
            }
        if node.get("required"):
            result["required"] = sorted(node["required"])
        if "items" in node:
            result["items"] = self.convert(node["items"], (*path, ITEMS))
        extra = node.get("additionalProperties", False)
        if extra is True:
            result["x-kubernetes-preserve-unknown-fields"] = True
        elif extra:
            result["additionalProperties"] = self.convert(extra, (*path, "{}"))
