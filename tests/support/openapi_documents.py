"""OpenAPI documents for the tests of the importer: small and real ones."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import yaml

from mcp_operator.importers.documents import Documents
from mcp_operator.importers.openapi import Imported, import_openapi
from mcp_operator.importers.options import ImportOptions
from mcp_operator.importers.output import yaml_text

FOLDER = Path(__file__).parent / "openapi"
REAL = ("alertmanager", "petstore3")

OTHERS = {
    Path(path).name: Path(path)
    for path in os.environ.get("MCP_OPERATOR_OPENAPI_DOCUMENTS", "").split(os.pathsep)
    if path
}
"""Additional documents, by the names of their files."""

DOCUMENTS = (*REAL, *OTHERS)

MAIN = "file:///api/openapi.json"

Json = dict[str, Any]


def real_bytes(name: str) -> bytes:
    """Return the published bytes of a real document."""
    return gzip.decompress((FOLDER / f"{name}.json.gz").read_bytes())


def document_bytes(name: str) -> bytes:
    """Return any of `DOCUMENTS`."""
    if name not in OTHERS:
        return real_bytes(name)
    content = OTHERS[name].read_bytes()
    return gzip.decompress(content) if OTHERS[name].suffix == ".gz" else content


def real(name: str) -> Json:
    """Return a real document by its name."""
    content: Json = json.loads(real_bytes(name))
    return content


def openapi(paths: Json, version: str = "3.1.0", **root: Any) -> Json:
    """Return a document of OpenAPI 3."""
    info = {"title": "Shop", "version": "1"}
    return {"openapi": version, "info": info, "paths": paths, **root}


def swagger(paths: Json, **root: Any) -> Json:
    """Return a document of Swagger 2."""
    return {"swagger": "2.0", "info": {"title": "Shop", "version": "1"}, "paths": paths, **root}


def post(schema: Any, type_: str = "application/json", **body: Any) -> Json:
    """Return paths with one operation, a POST with a body."""
    content = {type_: {"schema": schema}}
    request = {"content": content, "required": True, **body}
    return {"/things": {"post": {"operationId": "make", "requestBody": request}}}


def get(*parameters: Json, path: str = "/things") -> Json:
    """Return paths with one operation, a GET with parameters."""
    return {path: {"get": {"operationId": "list", "parameters": list(parameters)}}}


def imported(document: Json, *others: tuple[str, Any], **options: Any) -> Imported:
    """Import a document, and others that it refers to, each with its URI."""
    documents = Documents(MAIN, {MAIN: document, **dict(others)})
    return import_openapi(documents, ImportOptions(**{"everything": True, **options}))


def tools(document: Json, *others: tuple[str, Any], **options: Any) -> dict[str, Json]:
    """Return the tools imported from a document, by name."""
    objects = imported(document, *others, **options).objects
    entries = [tool for obj in objects for tool in obj["spec"].get("tools", ())]
    return {tool["name"]: tool for tool in entries}


def tool(document: Json, *others: tuple[str, Any], **options: Any) -> Json:
    """Return the only tool imported from a document."""
    (only,) = tools(document, *others, **options).values()
    return only


def text_of(outcome: Imported) -> str:
    """Return the YAML of an import."""
    return yaml_text(outcome, "shop.json", "0" * 64, guessed=False)


def objects_in(text: str) -> list[Json]:
    """Return the objects in a YAML text."""
    return list(yaml.safe_load_all(text))
