"""What prompts of a catalog are made of."""

from __future__ import annotations

from typing import Literal

from mcp_operator.api.catalog_model import CatalogModel


class PromptVariable(CatalogModel):
    """One argument of a prompt; `enum` feeds `completion/complete`.

    With `elicit`, the user is asked for it where a client gives none, and can be asked.
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
    """A resource that a message names."""

    uri: str
    name: str
    title: str = ""
    description: str = ""
    mime_type: str = ""


class PromptMessage(CatalogModel):
    """One message, of exactly one content: `resource_uri` names a resource to embed.

    Text, and the URI of either resource, have `{{variable}}` places.
    """

    role: Literal["user", "assistant"] = "user"
    text: str | None = None
    image: PromptMedia | None = None
    audio: PromptMedia | None = None
    resource_uri: str | None = None
    resource_link: ResourceLink | None = None
