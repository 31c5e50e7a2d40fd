"""`mcp-operator validate`: every problem in some files, with its line and field."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from mcp_operator.api.catalog import ToolEntry
from mcp_operator.api.nesting import pointer_name, pointer_part
from mcp_operator.api.reasons import Reason
from mcp_operator.api.structure import Path as FieldPath
from mcp_operator.api.structure import Problem
from mcp_operator.api.v1alpha1 import MCPServer
from mcp_operator.builders.assembly import claimants_by_key, name_conflicts
from mcp_operator.builders.compile_auth import condition_faults
from mcp_operator.builders.compiled import Finding
from mcp_operator.builders.resources import CONFIGMAPS
from mcp_operator.local.clients import client_warnings
from mcp_operator.local.documents import Document
from mcp_operator.local.manifests import LoadedObject, Manifests, read_manifests
from mcp_operator.local.problems import FileProblem

_JWKS_URI: Final = ("auth", "jwt", "jwksURI")

_FIELDS: Final[Mapping[Reason, tuple[FieldPath, ...]]] = {
    Reason.SERVICE_NOT_FOUND: (("service", "name"), _JWKS_URI),
    Reason.SERVICE_UNSUPPORTED: (("service", "name"), _JWKS_URI),
    Reason.PORT_NOT_FOUND: (("service", "port"), _JWKS_URI),
    Reason.REF_NOT_PERMITTED: (("service", "namespace"), _JWKS_URI),
    Reason.SECRET_NOT_FOUND: (
        ("request", "credentials", "secretRef"),
        ("credentials", "secretRef"),
        ("contentFrom", "secretKeyRef"),
        ("auth", "apiKey", "secretRef"),
        ("request", "headers"),
        ("headers",),
    ),
    Reason.CONFIG_MAP_NOT_FOUND: (
        ("contentFrom", "configMapKeyRef"),
        ("auth", "jwt", "jwksConfigMapRef"),
        ("request", "headers"),
        ("headers",),
    ),
    Reason.INVALID_SCHEMA: (("inputSchema",), ("outputSchema",)),
    Reason.SCHEMA_TOO_COMPLEX: (("inputSchema",), ("outputSchema",)),
    Reason.UNDECLARED_ARGUMENT: (("path",), ("service", "path"), ("uriTemplate",)),
    Reason.UNDECLARED_VARIABLE: (("template",), ("messages",)),
    Reason.DUPLICATE_NAME: (
        ("uri",),
        ("uriTemplate",),
        ("name",),
        ("content", "uri"),
        ("contentFrom", "uri"),
    ),
}
"""The fields that a reason can be about, as paths below the spec or an entry of it."""

_IN_FIELD: Final = re.compile(r"(?:\w+\[[^\]]+\]: )?([A-Za-z]+(?:\.[A-Za-z]+)*)")
"""The start of a finding about a field, after its entry: the path of the field."""

_ENTRY: Final = re.compile(r"(tools|operations)\[([^\]]+)\]: ")
"""The start of a finding about one entry of a list."""

_IN_SCHEMA: Final = re.compile(r"(inputSchema|outputSchema): (?:the schema [a-z ]+: )?#(/[^\s:]*)")
"""The start of a finding about a place in a schema, after its entry."""


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome, ordered by file and line.

    Attributes:
        problems: What the API server, the operator or the gateway would reject.
        summary: How many problems there are, or remarks if there are none.
        warnings: What they accept, but known clients do not.
    """

    problems: tuple[FileProblem, ...]
    summary: str
    warnings: tuple[FileProblem, ...] = ()


def validate(paths: Iterable[Path]) -> Report:
    """Check files as the API server and the operator do.

    Raises:
        NothingFoundError: The files contain nothing to check.
    """
    manifests = read_manifests(paths)
    found = {*manifests.problems, *findings(manifests)}
    checked = len(manifests.servers) + len(manifests.catalog_objects)
    files = _count(manifests.files, "file")
    if found:
        summary = f"{_count(len(found), 'problem')} in {files}"
    else:
        summary = f"{_count(checked, 'object')} in {files}: no problems"
        summary += "".join(f"\n{remark}" for remark in _remarks(manifests))
    return Report(tuple(sorted(found)), summary, tuple(sorted({*_warnings(manifests)})))


def findings(manifests: Manifests) -> Iterator[FileProblem]:
    """Yield the problems of admitted objects, including conflicts between objects."""
    has_config_maps = any(obj["kind"] == CONFIGMAPS.kind for obj in manifests.objects)
    for local in manifests.catalog_objects:
        for finding in local.compiled.findings:
            unknown = finding.reason is Reason.CONFIG_MAP_NOT_FOUND and not has_config_maps
            if finding.blocking and not unknown:
                yield _problem(local.document, finding)
    for key, server in manifests.servers.items():
        assembly = manifests.assembly(server)
        for found in (assembly.finding, assembly.redis_finding):
            if found and (has_config_maps or found.reason is not Reason.CONFIG_MAP_NOT_FOUND):
                yield _problem(manifests.server_documents[key], found)
        for index, problem in condition_faults(server):
            path = ("spec", "auth", "rules", index, "when")
            document = manifests.server_documents[key]
            yield document.problem(path, Problem(path, "").field, problem)
        yield from _conflicts(server, manifests.selected(server))


def _warnings(manifests: Manifests) -> Iterator[FileProblem]:
    for local in manifests.catalog_objects:
        for finding in local.compiled.remarks:
            if finding.reason is Reason.HIDDEN_CHARACTERS:
                problem = _problem(local.document, finding)
                yield replace(problem, message=f"warning: {problem.message}")
        for entry in local.compiled.entries:
            if not isinstance(entry, ToolEntry):
                continue
            base: FieldPath = ("spec",)
            if local.document.obj["spec"].get("tools"):
                base = ("spec", "tools", _index(local.document, "tools", entry.name))
            for below, message in client_warnings(entry):
                pointer = "".join(f"/{pointer_part(part)}" for part in below)
                path = _down(local.document, base, pointer)
                yield local.document.problem(path, Problem(path, "").field, f"warning: {message}")


def _conflicts(server: MCPServer, selected: list[LoadedObject]) -> Iterator[FileProblem]:
    wanted = claimants_by_key(local.compiled for local in selected)
    for local in selected:
        lost = name_conflicts(local.compiled, wanted, server.spec.naming.on_conflict)
        for slot, finding in lost.items():
            yield _problem(local.document, finding, slot.identity)


def _problem(document: Document, finding: Finding, entry: str = "") -> FileProblem:
    """Give a finding its line and field, in the entry that it names or that is given."""
    base: FieldPath = ("spec",)
    if named := _ENTRY.match(finding.message):
        base = ("spec", named[1], _index(document, named[1], named[2]))
    elif any(tool["name"] == entry for tool in document.obj["spec"].get("tools") or ()):
        base = ("spec", "tools", _index(document, "tools", entry))
    candidates = [
        (*start, *tail)
        for start in dict.fromkeys((base, ("spec",)))
        for tail in _FIELDS.get(finding.reason, ())
    ]
    path = next((path for path in candidates if path in document.located), base)
    if found := _IN_FIELD.match(finding.message):
        named_path = found[1].split(".")
        paths = [(*base, *named_path), ("spec", *named_path)]
        path = next((one for one in paths if one in document.located), path)
    if found := _IN_SCHEMA.search(finding.message):
        path = _down(document, (*base, found[1]), found[2])
    return document.problem(path, Problem(path, "").field, finding.message)


def _down(document: Document, path: FieldPath, pointer: str) -> FieldPath:
    """Follow a JSON pointer (RFC 6901) as far as the file has its parts."""
    for part in pointer.split("/")[1:]:
        name = pointer_name(part)
        steps: list[str | int] = [name, *([int(name)] if name.isdecimal() else [])]
        below = [(*path, step) for step in steps if (*path, step) in document.located]
        if not below:
            break
        path = below[0]
    return path


def _index(document: Document, section: str, label: str) -> int:
    """Return the index of an entry. Findings refer to entries by name or by index."""
    entries = document.obj["spec"][section]
    names = [entry.get("name") for entry in entries]
    return names.index(label) if label in names else int(label)


def _remarks(manifests: Manifests) -> Iterator[str]:
    """Yield what is valid, but likely not what the user wants."""
    if not manifests.servers:
        return
    for left in manifests.not_selected():
        yield f"note: {left.kind} {left.key}: {left.message}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
