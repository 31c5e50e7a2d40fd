"""A real API server takes every object that an import writes.

`MCP_OPERATOR_OPENAPI_DOCUMENTS` names further documents, set apart as paths on PATH are; `nox -s
import -- FILES` sets it.
"""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from mcp_operator.app.openapi_sources import read_source
from mcp_operator.importers.openapi import import_openapi
from mcp_operator.importers.options import ImportOptions
from mcp_operator.runtime.client import Client
from support.admission import admit
from support.openapi_documents import REAL, real_bytes

pytestmark = pytest.mark.usefixtures("crds_installed")

OTHERS = [
    Path(path)
    for path in os.environ.get("MCP_OPERATOR_OPENAPI_DOCUMENTS", "").split(os.pathsep)
    if path
]


def content_of(name: str) -> bytes:
    file = next((file for file in OTHERS if file.name == name), None)
    if file is None:
        return real_bytes(name)
    content = file.read_bytes()
    return gzip.decompress(content) if file.suffix == ".gz" else content


@pytest.mark.parametrize("name", [*REAL, *(file.name for file in OTHERS)])
async def test_every_object_is_admitted(client: Client, tmp_path: Path, name: str) -> None:
    document = tmp_path / "api.json"
    document.write_bytes(content_of(name))
    options = ImportOptions(everything=True, output_schemas=True, server="imported")
    imported = import_openapi(read_source(str(document)).documents, options)

    for obj in imported.objects:
        admitted = await admit(client, obj)
        assert admitted["spec"].keys() >= obj["spec"].keys()
