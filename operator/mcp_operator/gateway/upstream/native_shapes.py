"""The MCP types that a backend can respond with (schema of 2026-07-28, `CallToolResult`).

Members that MCP does not define are dropped, and so are the names in `_meta` that MCP reserves.
"""

from __future__ import annotations

import base64
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, AliasGenerator, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from mcp_operator.gateway.exact import Encoded

MAX_BLOCKS: Final = 1000
"""Content blocks of one result, as clients have a cost per block in addition to its bytes."""

MAX_REQUESTS: Final = 32
"""Requests to the client in one response."""

MAX_STATE: Final = 4096
"""Characters of a request state, which must fit into one header."""

_OURS: Final = frozenset({"modelcontextprotocol", "mcp"})
"""Labels of prefixes in `_meta` that MCP reserves (basic, "General fields")."""


def _without_reserved(meta: dict[str, Any]) -> dict[str, Any]:
    return {
        key: value
        for key, value in meta.items()
        if _OURS.isdisjoint(key.rpartition("/")[0].lower().split("."))
    }


def _base64(text: str) -> str:
    base64.b64decode(text, validate=True)
    return text


def _number(value: Any) -> Any:
    """Accept a number, including one that keeps its original text."""
    if isinstance(value, bool) or not isinstance(value, int | float | Encoded):
        raise ValueError("must be a number")  # noqa: TRY004  # pydantic reports it
    return value


_Text = Annotated[str, Field(min_length=1)]
_Bytes = Annotated[str, AfterValidator(_base64)]
_Meta = Annotated[dict[str, Any], AfterValidator(_without_reserved)]
_Number = Annotated[Any, AfterValidator(_number)]
_MediaType = Annotated[str, Field(pattern=r"^[^/\s]+/\S+")]


class _Shape(BaseModel):
    model_config = ConfigDict(
        extra="ignore", strict=True, alias_generator=AliasGenerator(alias=to_camel)
    )


class _Annotations(_Shape):
    audience: list[Literal["user", "assistant"]] | None = None
    priority: _Number = None
    last_modified: str | None = None


class _Annotated(_Shape):
    annotations: _Annotations | None = None
    meta: _Meta = Field(default_factory=dict, alias="_meta")


class _TextBlock(_Annotated):
    type: Literal["text"]
    text: str


class _MediaBlock(_Annotated):
    type: Literal["image", "audio"]
    data: _Bytes
    mime_type: _MediaType


class _LinkBlock(_Annotated):
    type: Literal["resource_link"]
    uri: _Text
    name: _Text
    title: str | None = None
    description: str | None = None
    mime_type: _MediaType | None = None
    size: _Number = None
    icons: list[dict[str, Any]] | None = None


class _TextContents(_Shape):
    uri: _Text
    mime_type: _MediaType | None = None
    text: str
    meta: _Meta = Field(default_factory=dict, alias="_meta")


class _BlobContents(_Shape):
    uri: _Text
    mime_type: _MediaType | None = None
    blob: _Bytes
    meta: _Meta = Field(default_factory=dict, alias="_meta")


class _ResourceBlock(_Annotated):
    type: Literal["resource"]
    resource: _TextContents | _BlobContents


_Block = Annotated[
    _TextBlock | _MediaBlock | _LinkBlock | _ResourceBlock, Field(discriminator="type")
]


class _InputRequest(_Shape):
    method: Literal["elicitation/create", "sampling/createMessage", "roots/list"]
    params: dict[str, Any] = Field(default_factory=dict)


class NativeResult(_Shape):
    """The result of a call, as a backend returns it."""

    result_type: Literal["complete", "input_required"] = "complete"
    content: Annotated[list[_Block], Field(max_length=MAX_BLOCKS)] = Field(default_factory=list)
    structured_content: Any = None
    is_error: bool = False
    meta: _Meta = Field(default_factory=dict, alias="_meta")
    input_requests: Annotated[
        dict[Annotated[str, Field(min_length=1, max_length=128)], _InputRequest],
        Field(max_length=MAX_REQUESTS),
    ] = Field(default_factory=dict)
    request_state: (
        Annotated[
            str, Field(max_length=MAX_STATE, pattern=r"^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$")
        ]
        | None
    ) = None

    @property
    def has_structure(self) -> bool:
        """Whether there is structured content, which can be null."""
        return "structured_content" in self.model_fields_set
