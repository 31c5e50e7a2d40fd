"""Reads parameters and bodies of OpenAPI 3."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from mcp_operator.importers.documents import Documents, Located
from mcp_operator.importers.operations import Body, Media, Parameter

_MEDIA_TYPE: Final = re.compile(r"[a-z0-9!#$&^_.+*-]+/[a-z0-9!#$&^_.+*-]+")
"""RFC 6838, section 4.2, and the media type ranges of OpenAPI, such as `image/*`."""


def media_type(written: str) -> str:
    """Return a media type in lower case, without its parameters.

    An invalid one, such as `json`, counts as JSON, because authors usually mean that.
    """
    found = written.partition(";")[0].strip().lower()
    return found if _MEDIA_TYPE.fullmatch(found) else "application/json"


def parameter(part: Located) -> Parameter:
    """Read a parameter."""
    node = part.mapping
    schema, style = part.at("schema"), part.text("style")
    for name, content in part.entries("content"):  # the specification allows only one entry
        schema = content.at("schema")
        style = "json" if media_type(name).endswith("json") else ""
        break
    explode = node.get("explode")
    return Parameter(
        name=part.text("name"),
        location=part.text("in"),
        schema=schema,
        required=node.get("required") is True,
        description=part.text("description"),
        style=style,
        explode=explode if isinstance(explode, bool) else None,
        reserved=node.get("allowReserved") is True,
    )


def body(documents: Documents, part: Located) -> Body | None:
    """Read the body of a request; None if the operation has none.

    Raises:
        OpenApiError: It is a reference without a target.
    """
    if not isinstance(part.node, dict):
        return None
    part = documents.resolved(part)
    media = tuple(_media(part))
    if not media:
        return None
    required = part.mapping.get("required")
    return Body(media, required is True, required is False, part.text("description"))


def _media(part: Located) -> Iterator[Media]:
    for name, content in part.entries("content"):
        encoding: dict[str, Any] = content.at("encoding").mapping
        yield Media(media_type(name), content.at("schema"), encoding)
