"""Prism validates the requests of imported tools against their OpenAPI documents.

Prism responds instead of the API and checks every request: path, method, query, headers, body and
security. Each tool is called once, with arguments generated from its schema. Documents in
`MCP_OPERATOR_OPENAPI_DOCUMENTS` are tested as well: `nox -s import -- FILES`.
"""

from __future__ import annotations

import asyncio
import copy
import json
import os
import re
import shutil
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from mcp_operator.api.jsonschema import CompiledSchema
from mcp_operator.app.openapi_sources import read_source
from mcp_operator.importers.documents import Documents, Located
from mcp_operator.importers.openapi import Imported, import_openapi
from mcp_operator.importers.options import Backend, ImportOptions
from mcp_operator.importers.output import yaml_text
from support.network import free_port
from support.openapi_documents import DOCUMENTS, document_bytes
from support.processes import ProcessGroup
from support.schema_examples import Examples
from support.served_samples import MODULE, reachable
from support.waiting import hang_guard

FOLDER = os.environ.get("MCP_OPERATOR_PRISM", "")

pytestmark = pytest.mark.skipif(
    not (FOLDER and shutil.which("node")),
    reason="MCP_OPERATOR_PRISM names no folder with Prism (nox -s contract)",
)

FORMS = frozenset({"application/x-www-form-urlencoded", "multipart/form-data"})
AT_ONCE = 4
PASSING = 0.99
"""The share of requests that Prism has to accept. It cannot read lists and objects of multipart
bodies, and some of its responses are not valid HTTP."""

TAKEN = re.compile(r"The backend(?:'s answer is not valid HTTP| switched| answered [35]\d\d )")
"""Errors after Prism accepted the request: redirects and upgrades in the document, or a failure of
Prism itself. It refuses a request with a status from 400 to 499."""

VIOLATIONS = "prism/errors#VIOLATIONS"
"""Prism accepted the request, then found it or its own example response invalid."""

UNANSWERED = "closed the connection early"
"""No result: Prism closes a connection that was idle for a few seconds, even while a request is in
flight. The request is sent again."""

Json = dict[str, Any]


def with_encodings(documents: Documents) -> Json:
    """Return a document that declares the encoding of the lists in its forms.

    It is the default of OpenAPI, but Prism reads a list only if the document declares it.
    """
    root: Json = copy.deepcopy(documents.main.node)
    for item in root["paths"].values():
        for operation in item.values():
            body = operation.get("requestBody", {}) if isinstance(operation, dict) else {}
            for type_, content in body.get("content", {}).items():
                if type_ in FORMS:
                    schema = documents.resolved(Located(content["schema"], documents.main.base))
                    lists = {
                        name: {"style": "form", "explode": True}
                        for name, place in schema.entries("properties")
                        if documents.resolved(place).mapping.get("type") == "array"
                    }
                    content["encoding"] = lists | content.get("encoding", {})
    return root


def imported(document: Path) -> Imported:
    """Import a document with the base path `/`, where Prism serves it."""
    backend = Backend("api", base_path="/")
    options = ImportOptions(name="api", everything=True, server="api", backend=backend)
    return import_openapi(read_source(str(document)).documents, options)


def secrets(outcome: Imported) -> dict[str, str]:
    """Return the environment variables with the Secrets of an import."""
    return {
        f"MCP_OPERATOR_SECRET_DEFAULT_{name}_{key}".upper().translate({45: 95, 46: 95}): "secret"
        for name, scheme in outcome.secrets
        for key in scheme.secret_keys
    }


async def served(processes: ProcessGroup, document: Path, outcome: Imported) -> str:
    """Serve an import in front of Prism; return the URL of the endpoint."""
    backend, port = free_port(), free_port()
    file = document.with_name("tools.yaml")
    file.write_text(yaml_text(outcome, "api", "", guessed=False), encoding="utf-8")
    prism = Path(FOLDER, "node_modules", ".bin", "prism")
    address = f"127.0.0.1:{backend}"
    options = ("--errors", "--host=127.0.0.1", f"--port={backend}")
    spelled = document.with_name("spelled.json")
    spelled.write_text(json.dumps(with_encodings(read_source(str(document)).documents)))
    processes.start("prism", [prism, "mock", *options, spelled])
    command: list[str | Path] = [
        *MODULE,
        "serve",
        file,
        f"--port={port}",
        f"--service=api={address}",
    ]
    processes.start("serve", command, env={**os.environ, **secrets(outcome)})
    url = f"http://127.0.0.1:{port}/mcp"
    await reachable(f"http://{address}/")
    await reachable(url)
    return url


def refusal(text: str) -> str:
    """Return the error text if Prism refused the request, otherwise an empty string."""
    is_wrong = VIOLATIONS in text and '["request"' in text
    return text if is_wrong or not TAKEN.search(text) else ""


async def refusals(url: str, tools: list[Json]) -> dict[str, str]:
    """Call each tool once; return the error of each request that Prism refused."""
    arguments = {
        tool["name"]: Examples(tool.get("inputSchema", {"type": "object"})).value()
        for tool in tools
    }
    turn = asyncio.Semaphore(AT_ONCE)

    async with Client(url) as client:

        async def call(name: str) -> str:
            async with turn:
                result = await client.call_tool(name, arguments[name])
                if UNANSWERED in str(result.content):
                    result = await client.call_tool(name, arguments[name])
                return refusal(str(result.content)) if result.is_error else ""

        names = list(arguments)
        errors = await asyncio.gather(*map(call, names))
    return {name: why for name, why in zip(names, errors, strict=True) if why}


def entries(outcome: Imported) -> list[Json]:
    return [tool for obj in outcome.objects for tool in obj["spec"].get("tools", ())]


@pytest.mark.parametrize("name", DOCUMENTS)
async def test_the_requests_of_imported_tools_match_the_document(
    processes: ProcessGroup, tmp_path: Path, name: str
) -> None:
    document = tmp_path / "api.json"
    document.write_bytes(document_bytes(name))
    outcome = imported(document)
    async with hang_guard():
        url = await served(processes, document, outcome)
        refused = await refusals(url, entries(outcome))

    assert len(refused) <= (1 - PASSING) * outcome.report.operations, refused
    if refused:
        print(f"{name}: {len(refused)} refused", *refused.items(), sep="\n  ")  # noqa: T201 - the list is the result


async def test_prism_refuses_a_request_that_violates_the_document(
    processes: ProcessGroup, tmp_path: Path
) -> None:
    document = tmp_path / "api.json"
    document.write_bytes(document_bytes("petstore3"))
    outcome = imported(document)
    for tool in entries(outcome):
        if tool["name"] == "addPet":
            tool["inputSchema"] = deepcopy(tool["inputSchema"])  # other tools can share it
            del tool["inputSchema"]["properties"]["photoUrls"]
            tool["inputSchema"]["required"].remove("photoUrls")
    async with hang_guard():
        url = await served(processes, document, outcome)
        refused = await refusals(url, entries(outcome))

    assert list(refused) == ["addPet"]
    assert "422" in refused["addPet"]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_generated_arguments_match_the_schemas_of_the_tools(tmp_path: Path, name: str) -> None:
    document = tmp_path / "api.json"
    document.write_bytes(document_bytes(name))
    for tool in entries(imported(document)):
        schema = tool.get("inputSchema", {"type": "object"})
        assert CompiledSchema(schema).errors(Examples(schema).value()) == [], tool["name"]
