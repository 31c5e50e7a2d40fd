"""Converts an OpenAPI document to the objects that serve it as tools."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from mcp_operator.api.catalog import JsonObject
from mcp_operator.api.jsonschema import SchemaError
from mcp_operator.importers.documents import Documents, OpenApiError
from mcp_operator.importers.names import tool_names
from mcp_operator.importers.objects import base_name, server_object, tool_objects
from mcp_operator.importers.operations import Operation, operations, unread_paths
from mcp_operator.importers.options import ImportOptions
from mcp_operator.importers.report import Note, Report
from mcp_operator.importers.security import Scheme
from mcp_operator.importers.selection import selected
from mcp_operator.importers.tools import Tool, ToolMaker


@dataclass(frozen=True, slots=True)
class Imported:
    """The outcome of an import.

    Attributes:
        name: The base of the objects' names.
        title: The title of the document, and its version.
        objects: The objects, ready to apply.
        secrets: The Secrets that the user must create: the name of each, and its scheme.
        report: What was imported, and what was not.
    """

    name: str
    title: str
    objects: tuple[JsonObject, ...]
    secrets: tuple[tuple[str, Scheme], ...]
    report: Report


def import_openapi(documents: Documents, options: ImportOptions) -> Imported:
    """Turn the operations of a document into tools.

    Raises:
        OpenApiError: Nothing can be imported, or there are too many operations and no selection.
    """
    every = [_based(operation, options) for operation in operations(documents)]
    unread = tuple(unread_paths(documents))
    if not every:
        why = f": {unread[0][0]} {unread[0][1]}" if unread else ""
        raise OpenApiError(f"the paths of the document have no operations{why}")
    names = tool_names(every, options.tool_prefix)
    chosen = selected(every, options.include, options.exclude, everything=options.everything)
    tools, skipped, notes = _tools(documents, chosen, names, options)
    if not tools:
        first = {reason: label for label, reason in reversed(skipped)}
        reasons = "; ".join(f"{label}: {reason}" for reason, label in reversed(first.items()))
        raise OpenApiError(f"no operation can be imported: {reasons}")
    info = documents.main.at("info").mapping
    base = base_name(info.get("title"), options)
    objects = tool_objects(tools, base, options)
    counts = (len(every), len(chosen), len(tools), len(objects))
    report = Report(*counts, (*unread, *skipped), tuple(notes))
    if options.server:
        objects = [*objects, server_object(base, options)]
    title = " ".join(str(info[key]) for key in ("title", "version") if info.get(key))
    return Imported(base, title, tuple(objects), _secrets(tools, base), report)


def _based(operation: Operation, options: ImportOptions) -> Operation:
    """Replace the base path of an operation by the one in the options, if that is set."""
    path = options.backend.base_path
    return operation if path is None else replace(operation, base_path=path.rstrip("/"))


def _tools(
    documents: Documents,
    chosen: Iterable[Operation],
    names: dict[str, str],
    options: ImportOptions,
) -> tuple[list[tuple[str, Tool]], list[tuple[str, str]], list[Note]]:
    """Return the tools by name, the operations that were skipped and why, and the notes."""
    maker = ToolMaker(
        documents, max_bytes=options.max_schema_bytes, output_schemas=options.output_schemas
    )
    tools: list[tuple[str, Tool]] = []
    skipped: list[tuple[str, str]] = []
    notes: dict[tuple[str, str], list[str]] = {}
    for operation in chosen:
        name = names[operation.label]
        try:
            tool = maker.make(operation)
        except (OpenApiError, SchemaError) as error:
            skipped.append((operation.label, str(error)))
            continue
        except RecursionError:
            skipped.append((operation.label, "its schemas are nested too deeply"))
            continue
        tools.append((name, tool))
        for text in tool.notes:
            notes.setdefault((text, ""), []).append(name)
        for loss in tool.losses:
            notes.setdefault((loss.text, loss.place), []).append(name)
    return tools, skipped, [Note(*note, tuple(names)) for note, names in notes.items()]


def _secrets(tools: Iterable[tuple[str, Tool]], base: str) -> tuple[tuple[str, Scheme], ...]:
    schemes = {scheme.name: scheme for _, tool in tools for scheme in tool.access.schemes}
    return tuple((scheme.secret_name(base), scheme) for scheme in schemes.values())
