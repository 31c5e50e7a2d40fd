"""The sample of the guide: the tools that `mcp-operator import openapi` creates for Petstore."""  # noqa: INP001 - a script's module, not a package

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path

from mcp_operator.importers.documents import Documents
from mcp_operator.importers.openapi import import_openapi
from mcp_operator.importers.options import Backend, ImportOptions
from mcp_operator.importers.output import yaml_text

SAMPLE = Path("tests/support/openapi/petstore3.yaml")
DOCUMENT = SAMPLE.with_name("petstore3.json.gz")
ROOT = Path(__file__).resolve().parents[1]


def generated() -> dict[Path, str]:
    """Return the sample, by its path in the repository."""
    content = gzip.decompress((ROOT / DOCUMENT).read_bytes())
    documents = Documents(DOCUMENT.name, {DOCUMENT.name: json.loads(content)})
    options = ImportOptions(
        name="petstore", backend=Backend("petstore", port=8080), server="petstore"
    )
    imported = import_openapi(documents, options)
    digest = hashlib.sha256(content).hexdigest()
    return {SAMPLE: yaml_text(imported, "petstore3.json", digest, guessed=False)}
