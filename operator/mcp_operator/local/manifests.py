"""Admits, compiles and assembles the objects in files, as in a cluster."""

from __future__ import annotations

import base64
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from mcp_operator.api.base import GROUP
from mcp_operator.api.conditions import ConditionType
from mcp_operator.api.reasons import Reason
from mcp_operator.api.structure import Problem
from mcp_operator.api.v1alpha1 import MCPSERVERS, MCPServer
from mcp_operator.api.validation import problems as admission_problems
from mcp_operator.builders.assembly import NOT_SELECTED, Assembly, Rejection
from mcp_operator.builders.catalog import (
    MODELS,
    CatalogObject,
    build_catalog,
    compile_object,
    references_of,
    selectors,
)
from mcp_operator.builders.compile_auth import auth_references
from mcp_operator.builders.compile_redis import redis_references
from mcp_operator.builders.compiled import Compiled
from mcp_operator.builders.joining import not_permitted, permits, reach_of
from mcp_operator.builders.references import Facts, Granted, References
from mcp_operator.builders.resources import CONFIGMAPS, SECRETS, SERVICES
from mcp_operator.core.errors import OperatorError
from mcp_operator.core.meta import Key, Object, annotations_of, key_of, labels_of
from mcp_operator.local.documents import Document, Loaded, load
from mcp_operator.local.files import SUFFIXES
from mcp_operator.local.hints import explained
from mcp_operator.local.problems import FileProblem
from mcp_operator.local.referred import (
    LOCAL_ADDRESS,
    REFERENCE_GRANT,
    REFERRED_KINDS,
    referred_problems,
)
from mcp_operator.runtime.oversized import why_unreadable

DEFAULT_NAMESPACE: Final = "default"
"""The namespace of objects without one in their files, as with kubectl."""

OUR_KINDS: Final = frozenset({MCPSERVERS.kind, *MODELS})

_KEPT_WHOLE: Final = frozenset({"inputSchema", "outputSchema"})


class _AnyKey(frozenset[str]):
    """The keys of a Secret that is not among the files: it contains every key.

    Secrets are rarely stored beside manifests, so a missing Secret is not a mistake in the files.
    """

    def __contains__(self, _: object) -> bool:
        return True

    def __bool__(self) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class LoadedObject:
    """A tool, prompt or resource, with its place in the files and the compiled result."""

    document: Document
    model: CatalogObject
    compiled: Compiled


class ChoiceError(OperatorError):
    """It is not clear which server to serve."""


class NothingFoundError(OperatorError):
    """The files contain no object of the four kinds."""


class Manifests:
    """The objects of a set of files.

    Attributes:
        problems: What the API server would reject, and files that cannot be read; sorted.
        objects: Every admitted object of a kind that matters here, with its namespace.
        servers: The MCPServers by key.
        server_documents: Their documents in the files, by key.
        catalog_objects: The tools, prompts and resources.
        services: The Services by key.
        files: How many files were read.
    """

    def __init__(
        self,
        loaded: Loaded,
        *,
        check_services: bool = True,
        external_hosts: tuple[str, ...] = ("*",),
    ) -> None:
        """Admit and compile what was loaded.

        Args:
            loaded: The documents.
            check_services: Whether to report Services that are not among the files. If the files
                contain no Service at all, none is reported.
            external_hosts: Hosts outside of the cluster that are allowed. The default is all,
                because only an installation can restrict them.
        """
        self.files = loaded.files
        found = list(loaded.problems)
        documents = list(_admitted(loaded.documents, found))
        self.problems = tuple(sorted(found))
        self.objects = tuple(document.obj for document in documents)
        self.services = _by_key(self.objects, SERVICES.kind)
        self.servers = {
            key: MCPServer.model_validate(obj)
            for key, obj in _by_key(self.objects, MCPSERVERS.kind).items()
        }
        self.server_documents = {
            key_of(document.obj): document
            for document in documents
            if document.obj["kind"] == MCPSERVERS.kind
        }
        models = [
            (document, MODELS[document.obj["kind"]].model_validate(document.obj))
            for document in documents
            if document.obj["kind"] in MODELS
        ]
        referring = [references_of(model) for _, model in models]
        for server in self.servers.values():
            referring += (auth_references(server), redis_references(server))
        self._facts = replace(
            _facts(self.objects, referring, check_services=check_services),
            external_hosts=external_hosts,
        )
        self.catalog_objects = tuple(
            LoadedObject(document, model, compile_object(model, self._facts))
            for document, model in models
        )

    def selected(self, server: MCPServer) -> list[LoadedObject]:
        """Return the objects that a server selects and that consent to it."""
        own = server.namespace
        return [
            each
            for each in self._wanted(server)
            if permits(each.document.obj, _nothing_granted, own)
        ]

    def _wanted(self, server: MCPServer) -> list[LoadedObject]:
        """Return what a server would select if all namespaces consented.

        Of a namespace, only the label with its name is known; ReferenceGrants are not.
        """
        chosen, reach = selectors(server), reach_of(server)
        return [
            local
            for local in self.catalog_objects
            if reach.includes(local.model.namespace, None)
            and chosen[local.compiled.kind].matches(labels_of(local.document.obj))
        ]

    def selection(self, server: MCPServer) -> dict[str, str]:
        """Return the names of what a server selects, by kind. Kinds without objects are omitted."""
        names: dict[str, list[str]] = defaultdict(list)
        for local in self.selected(server):
            names[local.compiled.kind].append(local.compiled.key.name)
        return {kind: ", ".join(sorted(names[kind])) for kind in sorted(names)}

    def not_selected(self) -> list[Rejection]:
        """Return what no server selects, with the reason that its status has in a cluster."""
        chosen = {id(local) for server in self.servers.values() for local in self.selected(server)}
        return [
            Rejection(
                local.compiled.kind,
                local.compiled.key,
                Reason.NOT_SELECTED,
                NOT_SELECTED,
                ConditionType.PROGRAMMED,
            )
            for local in self.catalog_objects
            if id(local) not in chosen
        ]

    def assembly(self, server: MCPServer) -> Assembly:
        """Return the catalog of a server."""
        own = server.namespace
        selected = [local.compiled for local in self.selected(server)]
        refused = [
            not_permitted(each.compiled.kind, each.compiled.key, own)
            for each in self._wanted(server)
            if not permits(each.document.obj, _nothing_granted, own)
        ]
        assembly = build_catalog(server, selected, self._facts)
        return replace(assembly, rejected=(*assembly.rejected, *refused))

    def choose(self, wanted: str = "") -> MCPServer:
        """Return the server with the name `[NAMESPACE/]NAME`, or without a name the only server.

        Raises:
            ChoiceError: No server matches, or several do.
        """
        found = [
            server
            for key, server in self.servers.items()
            if not wanted or wanted in (str(key), key.name)
        ]
        if len(found) == 1:
            return found[0]
        if not self.servers:
            raise ChoiceError(
                "no MCPServer in the files: add one whose toolSelector matches the labels of the "
                "tools to serve"
            )
        known = ", ".join(sorted(map(str, self.servers)))
        if not found:
            raise ChoiceError(f"no MCPServer {wanted} in the files; they contain {known}")
        raise ChoiceError(
            f"several MCPServers match: choose one with --server; the files contain {known}"
        )

    def local_addresses(self) -> dict[Key, str]:
        """Return the addresses in the annotations of Services."""
        return {
            key: annotations_of(service)[LOCAL_ADDRESS]
            for key, service in self.services.items()
            if LOCAL_ADDRESS in annotations_of(service)
        }


def read_manifests(
    paths: Iterable[Path],
    *,
    check_services: bool = True,
    external_hosts: tuple[str, ...] = ("*",),
) -> Manifests:
    """Read files and folders, which must contain at least one object of the four kinds.

    Args:
        paths: The files and folders.
        check_services: See `Manifests`.
        external_hosts: See `Manifests`.

    Raises:
        NothingFoundError: They contain none, and have no problem that would explain it.
    """
    named = list(paths)
    manifests = Manifests(load(named), check_services=check_services, external_hosts=external_hosts)
    if not (manifests.servers or manifests.catalog_objects or manifests.problems):
        shown = ", ".join(map(str, named))
        kinds = ", ".join(sorted(OUR_KINDS))
        suffixes = ", ".join(sorted(SUFFIXES))
        raise NothingFoundError(
            f"no object of {GROUP} in {shown}: looked for {kinds} in "
            f"{manifests.files} file{'s' * (manifests.files != 1)} ({suffixes})"
        )
    return manifests


def _admitted(documents: Iterable[Document], problems: list[FileProblem]) -> Iterator[Document]:
    """Yield the documents that an API server would store, and add problems for the others."""
    first: dict[tuple[str, Key], Document] = {}
    for document in documents:
        refused = list(_refusals(document))
        problems += refused
        if refused or document.obj["kind"] not in OUR_KINDS | REFERRED_KINDS:
            continue
        stored = _without_nulls(document.obj)
        stored.pop("status", None)
        obj = {**stored, "metadata": {"namespace": DEFAULT_NAMESPACE, **stored["metadata"]}}
        identity = (obj["kind"], key_of(obj))
        if (earlier := first.setdefault(identity, document)) is not document:
            where = f"{earlier.file}:{earlier.line_of(())}"
            message = f"{obj['kind']} {key_of(obj)} is also declared in {where}; keep one of them"
            problems.append(document.problem(("metadata", "name"), "metadata.name", message))
            continue
        yield Document(obj, document.file, document.located)


def _without_nulls(value: Any) -> Any:
    """Drop null fields, as the API server does. JSON Schemas keep theirs."""
    if not isinstance(value, dict):
        return [_without_nulls(item) for item in value] if isinstance(value, list) else value
    return {
        name: child if name in _KEPT_WHOLE else _without_nulls(child)
        for name, child in value.items()
        if child is not None
    }


def _refusals(document: Document) -> Iterator[FileProblem]:
    obj = document.obj
    kind = obj.get("kind")
    problems: Iterable[Problem] = ()
    if not isinstance(kind, str):
        told = "must be a string" if "kind" in obj else "is missing"
        problems = [Problem(("kind",), f"{told}; every object has an apiVersion and a kind")]
    elif why := why_unreadable(obj):
        problems = [Problem((), why)]
    elif kind in OUR_KINDS:
        problems = admission_problems(obj) or referred_problems(obj)
    elif str(obj.get("apiVersion")).partition("/")[0] == GROUP:
        known = ", ".join(sorted(OUR_KINDS))
        problems = [Problem(("kind",), f"{GROUP} has no kind {kind!r}; use one of: {known}")]
    elif kind in REFERRED_KINDS:
        problems = referred_problems(obj)
    for problem in problems:
        message = explained(obj, problem)
        yield document.problem(problem.path, problem.field, message)


def _nothing_granted(_: str) -> Granted:
    """Return no ReferenceGrants of a namespace, because files rarely contain them."""
    return frozenset()


def _by_key(objects: Iterable[Object], kind: str) -> dict[Key, Object]:
    return {key_of(obj): obj for obj in objects if obj["kind"] == kind}


def _facts(
    objects: Iterable[Object], referring: Iterable[References], *, check_services: bool
) -> Facts:
    services = _by_key(objects, SERVICES.kind)
    unknown = {key: _AnyKey() for references in referring for key in references.secrets}
    secrets = {
        key: frozenset({*(obj.get("data") or {}), *(obj.get("stringData") or {})})
        for key, obj in _by_key(objects, SECRETS.kind).items()
    }
    return Facts(
        services=services,
        grants=list(_by_key(objects, REFERENCE_GRANT).values()),
        config_maps={
            key: _config_map_content(obj) for key, obj in _by_key(objects, CONFIGMAPS.kind).items()
        },
        secrets={**unknown, **secrets},
        check_services=check_services and bool(services),
    )


def _config_map_content(obj: Object) -> Mapping[str, str | bytes]:
    binary = (obj.get("binaryData") or {}).items()
    return {**(obj.get("data") or {}), **{key: base64.b64decode(value) for key, value in binary}}
