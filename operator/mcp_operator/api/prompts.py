"""The parts of a catalog's prompts."""

from __future__ import annotations

from typing import Literal

from mcp_operator.api.catalog_model import CatalogModel


class PromptVariable(CatalogModel):
    """One argument of a prompt; `enum` feeds `completion/complete`.

    With `elicit`, the gateway asks the user for a value that is missing, if the client supports it.
    """

    name: str
    title: str = ""
    description: str = ""
    required: bool = False
    default: str | None = None
    enum: tuple[str, ...] = ()
    elicit: bool = False


class PromptMedia(CatalogModel):
    """An image or audio, as base64."""

    mime_type: str
    data: str


class ResourceLink(CatalogModel):
    """A link to a resource in a message."""

    uri: str
    name: str
    title: str = ""
    description: str = ""
    mime_type: str = ""


class PromptMessage(CatalogModel):
    """One message with exactly one content; `resource_uri` names a resource to embed.

    The text and the URIs can contain `{{variable}}` places.
    """

    role: Literal["user", "assistant"] = "user"
    text: str | None = None
    image: PromptMedia | None = None
    audio: PromptMedia | None = None
    resource_uri: str | None = None
    resource_link: ResourceLink | None = None
