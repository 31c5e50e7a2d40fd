"""Extracts from an OpenAPI document the keys by which strategic merge patches merge lists.

    kubectl get --raw /openapi/v2 | python tools/merge_keys.py > tools/kubernetes_merge_keys.json

writes the keys of Kubernetes' own kinds. A kustomization with its own schema does not have them, so
the component `manifests/kustomize` contains them beside those of the operator's kinds.
"""  # noqa: INP001 - a script, not a package

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

GVK = "x-kubernetes-group-version-kind"
KEY = "x-kubernetes-patch-merge-key"
STRATEGY = "x-kubernetes-patch-strategy"

Schema = Mapping[str, Any]


def definitions(document: Schema) -> dict[str, Schema]:
    """Return the definitions of all kinds in which users write a list with a merge key."""
    every: Schema = document["definitions"]
    found: dict[str, Schema] = {}
    for name, schema in every.items():
        if name.endswith("List"):
            continue
        kinds, fields = schema.get(GVK, ()), schema.get("properties", {})
        written = {field: fields[field] for field in fields.keys() - {"metadata", "status"}}
        if len(kinds) == 1 and (kept := merging({"properties": written}, every)):
            found[name] = {**kept, GVK: kinds}
    return found


def merging(schema: Schema, every: Schema, around: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the merge keys of a schema with their paths; empty if it has none.

    Args:
        schema: The schema.
        every: The targets of references.
        around: The definitions that contain the schema.
    """
    if "$ref" in schema:
        name = schema["$ref"].removeprefix("#/definitions/")
        return {} if name in around else merging(every[name], every, (*around, name))
    found: dict[str, Any] = {}
    below = schema.get("properties", {})
    fields = {name: merging(field, every, around) for name, field in below.items()}
    if fields := {name: field for name, field in fields.items() if field}:
        found["properties"] = fields
    for part in ("items", "additionalProperties"):
        if isinstance(schema.get(part), Mapping) and (kept := merging(schema[part], every, around)):
            found[part] = kept
    if STRATEGY in schema and schema.get("type") == "array":
        item = schema["items"]
        kind = {"type": item["type"]} if "type" in item else {"type": "object"}
        found["items"] = {**kind, **found.get("items", {})}
        found |= {field: schema[field] for field in (KEY, STRATEGY) if field in schema}
    elif STRATEGY in schema:
        found[STRATEGY] = schema[STRATEGY]
    return {"type": schema.get("type", "object"), **found} if found else {}


def lines(found: Mapping[str, Schema]) -> str:
    """Return definitions as JSON, one per line."""
    written = (f"{json.dumps(name)}: {json.dumps(found[name])}" for name in sorted(found))
    return "{\n" + ",\n".join(written) + "\n}"


if __name__ == "__main__":
    sys.stdout.write(lines(definitions(json.load(sys.stdin))) + "\n")
