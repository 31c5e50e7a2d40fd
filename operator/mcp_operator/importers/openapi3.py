"""Parameters and bodies as OpenAPI 3 says them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mcp_operator.importers.documents import Documents, Located
from mcp_operator.importers.operations import Body, Media, Parameter


def media_type(written: str) -> str:
    """Return a media type in lower case, without its parameters."""
    return written.partition(";")[0].strip().lower()


def parameter(part: Located) -> Parameter:
    """Return a parameter."""
    node = part.mapping
    schema, style = part.at("schema"), node.get("style")
    for name, content in part.entries("content"):  # one entry, by the specification
        schema = content.at("schema")
        style = "json" if media_type(name).endswith("json") else None
        break
    explode = node.get("explode")
    return Parameter(
        name=str(node.get("name", "")),
        location=str(node.get("in", "")),
        schema=schema,
        required=node.get("required") is True,
        description=node.get("description") or "",
        style=style if isinstance(style, str) else "",
        explode=explode if isinstance(explode, bool) else None,
        reserved=node.get("allowReserved") is True,
    )


def body(documents: Documents, part: Located) -> Body | None:
    """Return the body of a request; None where the operation has none.

    Raises:
        OpenApiError: It is a reference that leads nowhere.
    """
    if not isinstance(part.node, dict):
        return None
    part = documents.resolved(part)
    node = part.mapping
    media = tuple(_media(part))
    if not media:
        return None
    required = node.get("required")
    return Body(media, required is True, required is False, node.get("description") or "")


def _media(part: Located) -> Iterator[Media]:
    for name, content in part.entries("content"):
        encoding: dict[str, Any] = content.at("encoding").mapping
        yield Media(media_type(name), content.at("schema"), encoding)
