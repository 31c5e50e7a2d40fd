"""The operations of a document, in the same form for OpenAPI 3 and Swagger 2."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from mcp_operator.api.catalog import JsonObject
from mcp_operator.importers.documents import Dialect, Documents, Located, OpenApiError

METHODS: Final = ("get", "head", "options", "query", "post", "put", "patch", "delete", "trace")
"""The methods of a Path Item Object; QUERY since OpenAPI 3.2."""

_SERVER_VARIABLE: Final = re.compile(r"\{([^{}]+)\}")


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter outside the body.

    Attributes:
        name: Its name in the request.
        location: `path`, `query`, `header` or `cookie`.
        schema: The schema object of its value.
        required: Whether every request must have it.
        description: What it means.
        style: How lists and objects are written: a style of OpenAPI, or `json`; empty for the
            default of the location.
        explode: Whether each item is written separately; None for the default of the style.
        reserved: Whether reserved characters are not percent-encoded.
    """

    name: str
    location: str
    schema: Located
    required: bool = False
    description: str = ""
    style: str = ""
    explode: bool | None = None
    reserved: bool = False


@dataclass(frozen=True, slots=True)
class Media:
    """One media type that a body can have.

    Attributes:
        type: The media type, in lower case, without parameters.
        schema: The schema object of the body; its node is None if the document has none.
        encoding: How each field of a form is written (OpenAPI 3.1, Encoding Object).
    """

    type: str
    schema: Located
    encoding: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Body:
    """The body of a request.

    Attributes:
        media: The media types that it can have.
        required: Whether the document says that every request must have it.
        optional: Whether the document says that a request can omit it. Most say neither.
        description: What it means.
    """

    media: tuple[Media, ...]
    required: bool = False
    optional: bool = False
    description: str = ""


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation, as the document describes it.

    Attributes:
        method: In upper case.
        template: The path as the document writes it.
        base_path: The path of its server, without a slash at the end.
        host: The host of its server, if the document names one.
        place: The Operation Object.
        item: The Path Item Object.
    """

    method: str
    template: str
    base_path: str
    host: str
    place: Located
    item: Located

    @property
    def label(self) -> str:
        """The name of the operation in reports."""
        return f"{self.method} {self.template}"

    @property
    def id(self) -> str:
        """The operationId; empty if there is none."""
        return self.place.text("operationId")

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags."""
        given = self.place.mapping.get("tags")
        return tuple(str(tag) for tag in given) if isinstance(given, list) else ()


def operations(documents: Documents) -> Iterator[Operation]:
    """Yield every operation of the main document, in its order."""
    for template, written in documents.main.entries("paths"):
        if template.startswith("x-"):
            continue
        try:
            target = documents.resolved(written)
        except OpenApiError:
            target = written  # `unread_paths` reports what is missing
        for method in METHODS:
            for item in (written, target):  # some documents have operations beside a reference
                place = item.at(method)
                if isinstance(place.node, dict):
                    host, base_path = _server(documents, item, place)
                    yield Operation(method.upper(), template, base_path, host, place, item)
                    break


def unread_paths(documents: Documents) -> Iterator[tuple[str, str]]:
    """Yield the paths whose operations could not be read from another document, and why."""
    for template, written in documents.main.entries("paths"):
        try:
            documents.resolved(written)
        except OpenApiError as error:
            yield template, str(error)


def parameters(documents: Documents, operation: Operation) -> tuple[Located, ...]:
    """Return the parameters of an operation and of its path; the operation's take precedence.

    Raises:
        OpenApiError: A parameter is a reference without a target.
    """
    found: dict[tuple[str, str], Located] = {}
    for place in (operation.item, operation.place):
        for _, written in place.entries("parameters"):
            part = documents.resolved(written)
            name, location = part.text("name"), part.text("in")
            found[name.lower() if location == "header" else name, location] = part
    return tuple(found.values())


def _server(documents: Documents, item: Located, place: Located) -> tuple[str, str]:
    """Return the host and the path of the server that is declared nearest to an operation."""
    root = documents.main
    if documents.dialect is Dialect.SWAGGER_2:
        return root.text("host"), _base_path(root.text("basePath"))
    for part in (place, item, root):
        for _, server in part.entries("servers"):
            url = server.text("url")
            if url:
                split = urlsplit(_filled(url, server.at("variables").mapping))
                return split.netloc.rpartition("@")[2], _base_path(split.path)
    return "", ""


def _filled(url: str, variables: JsonObject) -> str:
    def default(found: re.Match[str]) -> str:
        variable = variables.get(found[1])
        return str(variable.get("default", "")) if isinstance(variable, dict) else found[0]

    return _SERVER_VARIABLE.sub(default, url)


def _base_path(path: str) -> str:
    """Normalize the path of a server, so that it can precede other paths."""
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            kept = kept[:-1]
        elif segment not in ("", "."):
            kept.append(segment)
    return "".join(f"/{segment}" for segment in kept)
