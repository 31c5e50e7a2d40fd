"""Tools as Kubernetes objects: one object if they fit, otherwise one or more for each tag."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from mcp_operator.api.catalog import JsonObject
from mcp_operator.api.jsonschema import MAX_PATTERNS_COST, check
from mcp_operator.importers.names import object_name
from mcp_operator.importers.options import Backend, ImportOptions
from mcp_operator.importers.tools import Tool
from mcp_operator.importers.vocabulary import (
    API_VERSION,
    MAX_OBJECT_BYTES,
    MAX_TOOLS,
    credentials,
    request,
)

LABEL: Final = "mcp-operator.dev/import"
"""The label of imported objects if the user does not specify labels."""

_BASE_CHARACTERS: Final = 40
"""Characters of the title; the rest is for the name of a security scheme or a tag."""

_MAX_NAME: Final = 63
"""Characters of the name of an object."""

_FRAME_BYTES: Final = 4096
"""More bytes than an object has outside of its tools."""


def base_name(title: Any, options: ImportOptions) -> str:
    """Return the base of the names of all objects."""
    given = options.name or object_name(str(title or ""), _BASE_CHARACTERS)
    return given or "openapi"


def tool_objects(
    tools: Sequence[tuple[str, Tool]], base: str, options: ImportOptions
) -> list[JsonObject]:
    """Return the MCPTools that hold the given tools.

    Args:
        tools: The name of each tool, and the tool, in the order of the document.
        base: The base of the objects' names.
        options: The options of the import.
    """
    entries = [(_group(tool), _entry(name, tool, base)) for name, tool in tools]
    whole = [entry for _, entry in entries]
    certificate = _certificate_secret(tools, base)
    room = _Room()
    if all(room.takes(entry) for entry in whole):
        return [_tool_object(base, whole, base, options, certificate)]
    groups: dict[str, list[JsonObject]] = {}
    for group, entry in entries:  # tags whose object names are equal share objects
        groups.setdefault(object_name(f"{base}-{group}"), []).append(entry)
    taken = set(groups)
    return [
        _tool_object(name, part, base, options, certificate)
        for group, members in groups.items()
        for name, part in _parts(group, members, taken)
    ]


def labels(base: str, options: ImportOptions) -> Mapping[str, str]:
    """Return the labels with which an MCPServer selects the objects."""
    return options.labels or {LABEL: base}


def server_object(base: str, options: ImportOptions) -> JsonObject:
    """Return an MCPServer that selects the objects."""
    return {
        "apiVersion": API_VERSION,
        "kind": "MCPServer",
        "metadata": _metadata(options.server, options, {}),
        "spec": {"toolSelector": {"matchLabels": dict(labels(base, options))}},
    }


def _entry(name: str, tool: Tool, base: str) -> JsonObject:
    entry: JsonObject = {
        "name": name,
        **tool.texts,
        "method": tool.operation.method,
        "path": tool.path,
    }
    described = request(
        tool.mappings,
        query=tool.query,
        whole=tool.whole,
        content_type=tool.content_type,
        credentials=credentials(tool.access, base),
    )
    if described:
        entry["request"] = described
    if tool.input_schema is not None:
        entry["inputSchema"] = tool.input_schema
    if tool.output_schema is not None:
        entry["outputSchema"] = tool.output_schema
    return entry


def _tool_object(
    name: str,
    entries: list[JsonObject],
    base: str,
    options: ImportOptions,
    certificate: str,
) -> JsonObject:
    common = _common_credentials(entries)
    own = [_without_credentials(entry) for entry in entries] if common else entries
    return {
        "apiVersion": API_VERSION,
        "kind": "MCPTool",
        "metadata": _metadata(name, options, labels(base, options)),
        "spec": {
            **_backend(base, options.backend, certificate),
            **({"request": {"credentials": common}} if common else {}),
            "tools": own,
        },
    }


def _metadata(name: str, options: ImportOptions, labels_: Mapping[str, str]) -> JsonObject:
    metadata: JsonObject = {"name": name}
    if options.namespace:
        metadata["namespace"] = options.namespace
    return metadata | ({"labels": dict(labels_)} if labels_ else {})


def _backend(base: str, backend: Backend, certificate: str) -> JsonObject:
    tls = {"tls": {"clientCertificateSecretRef": {"name": certificate}}} if certificate else {}
    if backend.external.startswith("http:"):
        return {"external": {"url": backend.external}}
    if backend.external:
        return {"external": {"url": backend.external, **tls}}
    service: JsonObject = {"name": backend.service or base}
    if backend.namespace:
        service["namespace"] = backend.namespace
    service["port"] = backend.port
    if certificate or backend.scheme != "http":
        service["scheme"] = "https"
    return {"service": {**service, **tls}}


def _certificate_secret(tools: Iterable[tuple[str, Tool]], base: str) -> str:
    schemes = (scheme for _, tool in tools for scheme in tool.access.schemes)
    return next((one.secret_name(base) for one in schemes if one.type == "mutualTLS"), "")


def _common_credentials(entries: Sequence[JsonObject]) -> Any:
    """Return the credentials of all entries if they are equal."""
    first = entries[0].get("request", {}).get("credentials")
    same = all(entry.get("request", {}).get("credentials") == first for entry in entries)
    return first if same else None


def _without_credentials(entry: JsonObject) -> JsonObject:
    rest = {key: value for key, value in entry["request"].items() if key != "credentials"}
    return {
        key: rest if key == "request" else value
        for key, value in entry.items()
        if key != "request" or rest
    }


def _group(tool: Tool) -> str:
    return next(iter(tool.operation.tags), "other")


def _parts(
    name: str, entries: Iterable[JsonObject], taken: set[str]
) -> Iterator[tuple[str, list[JsonObject]]]:
    """Divide the entries of one tag into objects that are small enough.

    Args:
        name: The name of the first object; the others get numbers.
        entries: The entries.
        taken: The names of all objects so far; the new names are added.
    """
    named, room, part = name, _Room(), list[JsonObject]()
    for entry in entries:
        if not room.takes(entry):
            yield named, part
            named, room, part = _numbered(name, taken), _Room(), []
            room.takes(entry)
        part.append(entry)
    yield named, part


def _numbered(name: str, taken: set[str]) -> str:
    """Return the name with the first free number."""
    number = 2
    while (numbered := _with_end(name, f"-{number}")) in taken:
        number += 1
    taken.add(numbered)
    return numbered


def _with_end(name: str, end: str) -> str:
    return name[: _MAX_NAME - len(end)].rstrip("-") + end


class _Room:
    """The room in an object: the first entry always fits, further ones only within the limits."""

    def __init__(self) -> None:
        self._entries = 0
        self._bytes = _FRAME_BYTES
        self._cost = 0

    def takes(self, entry: JsonObject) -> bool:
        """Add an entry if there is room, and tell whether there was."""
        size = len(json.dumps(entry, ensure_ascii=False).encode())
        schemas = (entry[key] for key in ("inputSchema", "outputSchema") if key in entry)
        cost = sum(check(schema) for schema in schemas)
        fits = (
            self._entries < MAX_TOOLS
            and self._bytes + size <= MAX_OBJECT_BYTES
            and self._cost + cost <= MAX_PATTERNS_COST
        )
        if fits or not self._entries:
            self._entries += 1
            self._bytes += size
            self._cost += cost
            return True
        return False
