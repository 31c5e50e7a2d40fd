"""How clients show a server, a tool, a prompt or a resource to people."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mcp_operator.api.base import LIST_SET, ApiModel, list_map, matching
from mcp_operator.api.v1alpha1.common import MimeType

ServerUrl = Annotated[
    str,
    matching(
        r"^https?://[^\s]+$",
        "write a URL with http or https, such as https://shop.example.com",
        max_length=2048,
    ),
]


class Icon(ApiModel):
    """A picture that clients may show."""

    src: Annotated[
        str,
        matching(
            r"^(https://|data:image/)[^\s]+$",
            "write a URL with https, or a data: URI of an image",
            max_length=4096,
        ),
    ]
    """URL of the picture, or a data: URI that holds it."""
    mime_type: MimeType | None = None
    """Media type of the picture, where its URL does not tell it."""
    sizes: tuple[
        Annotated[
            str,
            matching(r"^([0-9]+x[0-9]+|any)$", "write a size such as 48x48, or any", max_length=16),
        ],
        ...,
    ] = Field(default_factory=tuple, max_length=16, json_schema_extra=LIST_SET)
    """Sizes for which the picture is suitable, such as 48x48, or any."""
    theme: Literal["light", "dark"] | None = None
    """Theme for which the picture is made; any when left out."""


Icons = Annotated[tuple[Icon, ...], Field(max_length=4, json_schema_extra=list_map("src"))]
"""More or longer ones, in each of 128 tools, would cost the API server more than it allows."""
