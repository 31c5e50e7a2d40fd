"""Write the CRDs as plain JSON Schemas, for editors, kubeconform and other checks of manifests.

    python tools/json_schemas.py FOLDER

There is one file per kind, `<kind>_<version>.json` in lower case, as kubeconform expects it.
Kubernetes' own keywords become their equivalents in JSON Schema. Unknown fields are errors, as with
`kubectl apply --validate=strict`.
"""  # noqa: INP001 - a script, not a package

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mcp_operator.api.base import GROUP
from mcp_operator.api.crd import crds

Schema = Mapping[str, Any]


def main() -> int:
    """Write all files."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for name, schema in schemas().items():
        text = json.dumps(schema, indent=2, ensure_ascii=False, sort_keys=True)
        (folder / name).write_text(text + "\n", encoding="utf-8")
    return 0


def schemas() -> dict[str, dict[str, Any]]:
    """Return a schema per kind and version, by file name."""
    found = {}
    for definition in crds():
        kind = definition["spec"]["names"]["kind"]
        for version in definition["spec"]["versions"]:
            name = version["name"]
            schema = plain(version["schema"]["openAPIV3Schema"])
            schema["properties"] |= {
                "apiVersion": {"const": f"{GROUP}/{name}"},
                "kind": {"const": kind},
                "metadata": {"type": "object"},
            }
            schema["required"] = sorted({"apiVersion", "kind", *schema.get("required", ())})
            schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
            schema["title"] = kind
            found[f"{kind}_{name}.json".lower()] = schema
    return found


def plain(schema: Schema) -> dict[str, Any]:
    """Convert a structural schema of Kubernetes to plain JSON Schema."""
    made = {key: value for key, value in schema.items() if not key.startswith("x-kubernetes-")}
    if schema.get("x-kubernetes-int-or-string"):
        made["type"] = ["integer", "string"]
        made.pop("anyOf", None)
    if "properties" in made:
        made["properties"] = {key: plain(value) for key, value in made["properties"].items()}
        if not schema.get("x-kubernetes-preserve-unknown-fields"):
            made["additionalProperties"] = False
    elif isinstance(made.get("additionalProperties"), Mapping):
        made["additionalProperties"] = plain(made["additionalProperties"])
    if "items" in made:
        made["items"] = plain(made["items"])
    return made


if __name__ == "__main__":
    raise SystemExit(main())
