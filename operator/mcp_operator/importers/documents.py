"""The documents of one import: their version of OpenAPI, and the targets of their references."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final
from urllib.parse import unquote, urldefrag, urljoin

from mcp_operator.api.catalog import JsonObject
from mcp_operator.api.nesting import children, pointer_name, pointer_part
from mcp_operator.core.errors import OperatorError

MAX_HOPS: Final = 32
"""The longest chain of references; a longer one is a cycle."""

MAX_DEPTH: Final = 200
"""Levels of a document; documents written by people have less than 40."""

OWN: Final = "?own"
"""A suffix of a pointer: only some keywords of that part are used, so it has its own key."""

_INDEX: Final = re.compile(r"[0-9]{1,6}")


class OpenApiError(OperatorError):
    """A document cannot be imported; the sentence says why."""


class Dialect(Enum):
    """The versions of OpenAPI, as far as their differences matter here."""

    SWAGGER_2 = "Swagger 2.0"
    OPENAPI_3_0 = "OpenAPI 3.0"
    OPENAPI_3_1 = "OpenAPI 3.1"


@dataclass(frozen=True, slots=True)
class Located:
    """A part of a document, and its place.

    Attributes:
        node: The part.
        base: The URI of the document, to which references in the part are relative.
        pointer: Its place in the document, as a JSON pointer (RFC 6901).
    """

    node: Any
    base: str
    pointer: str = ""

    @property
    def mapping(self) -> JsonObject:
        """The part if it is an object; otherwise an empty object."""
        return self.node if isinstance(self.node, dict) else {}

    def text(self, name: str) -> str:
        """Return a member that is a string; empty if it is missing or anything else."""
        value = self.mapping.get(name)
        return value if isinstance(value, str) else ""

    @property
    def key(self) -> str:
        """The unique key of the part: the URI and the pointer."""
        return f"{self.base}#{self.pointer}"

    def at(self, *names: str) -> Located:
        """Follow names of members; the result has None as its node if there is no such part."""
        node, pointer = self.node, self.pointer
        for name in names:
            node = node.get(name) if isinstance(node, dict) else None
            pointer += f"/{pointer_part(name)}"
        return Located(node, self.base, pointer)

    def entries(self, *names: str) -> Iterator[tuple[str, Located]]:
        """Yield the members of the object, or the items of the list, at the names."""
        place = self.at(*names)
        if isinstance(place.node, list):
            for index, item in enumerate(place.node):
                yield str(index), Located(item, self.base, f"{place.pointer}/{index}")
        elif isinstance(place.node, dict):
            for name in place.node:
                yield name, place.at(name)


class Documents:
    """The document to import, and the others that it refers to."""

    def __init__(
        self, main: str, roots: Mapping[str, Any], unread: Mapping[str, str] | None = None
    ) -> None:
        """Store the documents, and find the version of the main one.

        Args:
            main: The URI of the document to import.
            roots: The content of each document by its URI.
            unread: Why other documents could not be read, by their URIs.

        Raises:
            OpenApiError: The main document cannot be imported.
        """
        self._roots = roots
        self._unread = unread or {}
        self.main = Located(roots[main], main)
        self.dialect = _dialect(self.main.node)

    def follow(self, reference: str, base: str) -> Located:
        """Return the target of a reference, which can be another reference.

        Raises:
            OpenApiError: The target does not exist.
        """
        uri, fragment = urldefrag(_joined(base, reference))
        if uri not in self._roots:
            reason = self._unread.get(uri, "it was not read")
            raise OpenApiError(f"refers to {reference!r}, and {reason}")
        pointer = unquote(fragment)
        if pointer and not pointer.startswith("/"):
            found = _anchored(Located(self._roots[uri], uri), pointer)
        else:
            found = _pointed(self._roots[uri], uri, pointer)
        if found is None:
            raise OpenApiError(f"refers to {reference!r}, which does not exist")
        return found

    def shown(self, part: Located) -> str:
        """Return the pointer of a part, after the file name if it is not in the main document."""
        name = "" if part.base == self.main.base else unquote(part.base.rpartition("/")[2])
        return f"{name}#{part.pointer.replace(OWN, '')}"

    def resolved(self, part: Located) -> Located:
        """Follow references until a part is not a reference.

        Raises:
            OpenApiError: A target does not exist, or the references form a cycle.
        """
        for _ in range(MAX_HOPS):
            reference = part.mapping.get("$ref")
            if not isinstance(reference, str):
                return part
            part = self.follow(reference, part.base)
        raise OpenApiError(f"refers to {part.mapping['$ref']!r}, which refers to itself")


def external_references(root: Any, base: str) -> set[str]:
    """Return the URIs of the other documents that a document refers to.

    References in examples are included, because this function does not know what is an example.

    Raises:
        OpenApiError: The document is nested too deeply.
    """
    found: set[str] = set()
    level = [root]
    for _ in range(MAX_DEPTH):
        found |= {uri for node in level for uri in _outward(node, base)}
        level = [child for node in level for child in children(node)]
        if not level:
            return found
    raise OpenApiError(f"the document is nested deeper than {MAX_DEPTH} levels")


def _outward(node: Any, base: str) -> Iterator[str]:
    reference = node.get("$ref") if isinstance(node, dict) else None
    if isinstance(reference, str):
        uri = urldefrag(_joined(base, reference)).url
        if uri != base:
            yield uri


def _joined(base: str, reference: str) -> str:
    """Resolve a reference; `urljoin` alone does not support bases such as `stdin:`."""
    return base + reference if reference.startswith("#") else urljoin(base, reference)


def _dialect(root: Any) -> Dialect:
    if not isinstance(root, dict):
        raise OpenApiError("this is not an OpenAPI document: its root is not an object")
    written = (root.get(name) for name in ("openapi", "swagger", "swaggerVersion"))
    version = str(next(filter(None, written), ""))
    if "swagger" in root and version.startswith("2"):
        dialect = Dialect.SWAGGER_2
    elif "openapi" in root and (version == "3" or version.startswith("3.0")):
        dialect = Dialect.OPENAPI_3_0
    elif "openapi" in root and version.startswith("3."):
        dialect = Dialect.OPENAPI_3_1
    else:
        given = f"has the version {version!r}" if version else "has no field openapi or swagger"
        raise OpenApiError(f"the document {given}; use a document of OpenAPI 3.x or Swagger 2.0")
    if not isinstance(root.get("paths"), dict) or not root["paths"]:
        raise OpenApiError("the document has no paths, so there are no operations to import")
    return dialect


def _pointed(root: Any, uri: str, pointer: str) -> Located | None:
    node = root
    for raw in pointer.split("/")[1:]:
        name = pointer_name(raw)
        if isinstance(node, dict) and name in node:
            node = node[name]
        elif isinstance(node, list) and _INDEX.fullmatch(name) and int(name) < len(node):
            node = node[int(name)]
        else:
            return None
    return Located(node, uri, pointer)


def _anchored(root: Located, name: str) -> Located | None:
    """Return the schema that declares a plain name (JSON Schema 2020-12, section 8.2.2)."""
    pending = [root]
    while pending:
        part = pending.pop()
        if name in (part.mapping.get("$anchor"), part.mapping.get("$dynamicAnchor")):
            return part
        pending += [child for _, child in part.entries()]
    return None
