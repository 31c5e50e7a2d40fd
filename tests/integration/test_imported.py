"""A real API server admits every object that an import writes.

Documents named by `MCP_OPERATOR_OPENAPI_DOCUMENTS` are imported as well: `nox -s import -- FILES`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from mcp_operator.app.openapi_sources import read_source
from mcp_operator.importers.openapi import import_openapi
from mcp_operator.importers.options import ImportOptions
from mcp_operator.runtime.client import Client
from support.admission import admit
from support.openapi_documents import DOCUMENTS, document_bytes

pytestmark = pytest.mark.usefixtures("crds_installed")


@pytest.mark.parametrize("name", DOCUMENTS)
async def test_every_imported_object_is_admitted(client: Client, tmp_path: Path, name: str) -> None:
    document = tmp_path / "api.json"
    document.write_bytes(document_bytes(name))
    options = ImportOptions(everything=True, output_schemas=True, server="imported")
    imported = import_openapi(read_source(str(document)).documents, options)

    for obj in imported.objects:
        admitted = await admit(client, obj)
        assert admitted["spec"].keys() >= obj["spec"].keys()
