"""How clients show an MCPServer to people."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from mcp_operator.api.base import LIST_SET, ApiModel, matching
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
    """A picture that clients may show for the server."""

    src: Annotated[
        str,
        matching(
            r"^(https?://|data:image/)[^\s]+$",
            "write a URL with http or https, or a data: URI of an image",
            max_length=8192,
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
    """Sizes that the picture is good for, such as 48x48, or any."""
