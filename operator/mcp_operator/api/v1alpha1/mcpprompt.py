"""MCPPrompt: a prompt template."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from mcp_operator.api.base import LIST_SET, ApiModel, list_map, matching, rule, validated
from mcp_operator.api.v1alpha1.appearance import Icons
from mcp_operator.api.v1alpha1.common import (
    ChildStatus,
    Description,
    HttpPath,
    Kind,
    McpName,
    MimeType,
    Timestamp,
    Title,
    Uri,
    VariableName,
)

VariableValue = Annotated[str, Field(max_length=1024)]
Template = Annotated[str, Field(min_length=1, max_length=10000)]

MAX_DATA = 900_000
"""Characters of an image, or of audio; an object of more than 1.5 MiB is refused by etcd."""

Data = Annotated[
    str, Field(min_length=1, max_length=MAX_DATA, json_schema_extra={"format": "byte"})
]


def _of_type(kind: str, example: str) -> Any:
    said = f"write {kind}/ and a subtype: {example}"
    return matching(rf"^{kind}/[A-Za-z0-9!#$&^_.+-]+$", said, max_length=127)


class PromptVariable(ApiModel):
    """One argument of the prompt; {{name}} in the text stands for it."""

    model_config = validated(
        rule(
            "!has(self.default) || !has(self.enum) || self.default in self.enum",
            "default must be one of enum",
            field_path=".default",
        )
    )

    name: VariableName
    """Name of the variable."""
    title: Title | None = None
    """Name for people."""
    description: Description = ""
    """What the variable is for."""
    required: bool = False
    """Whether a client must give a value, if there is no default."""
    default: VariableValue | None = None
    """Value when the client gives none; empty when left out."""
    enum: tuple[VariableValue, ...] = Field(
        default_factory=tuple, min_length=1, max_length=100, json_schema_extra=LIST_SET
    )
    """Accepted values, offered to clients as completions; any value when left out."""
    elicit: bool = False
    """Whether the user is asked if the client gives no value and supports
    elicitation. If the user gives no value, or the client does not support it, the field has no
    effect. Do not ask for secrets: the client sees what the user types."""


class PromptImage(ApiModel):
    """An image."""

    mime_type: Annotated[str, _of_type("image", "image/png")]
    """Media type of the image, such as image/png."""
    data: Data
    """The image, as base64."""


class PromptAudio(ApiModel):
    """Audio."""

    mime_type: Annotated[str, _of_type("audio", "audio/wav")]
    """Media type of the audio, such as audio/wav."""
    data: Data
    """The audio, as base64."""


class PromptResourceLink(ApiModel):
    """A resource that clients may read, named and not embedded."""

    uri: Uri
    """URI of the resource, of this server or of another; may hold {{variable}} places."""
    name: McpName
    """Name of the resource."""
    title: Title | None = None
    """Name for people."""
    description: Description = ""
    """What the resource holds."""
    mime_type: MimeType | None = None
    """Media type of the content."""


class PromptMessage(ApiModel):
    """One message of the prompt."""

    model_config = validated(
        rule(
            "[has(self.text), has(self.image), has(self.audio), has(self.resourceURI), "
            "has(self.resourceLink)].filter(given, given).size() == 1",
            "set exactly one of text, image, audio, resourceURI and resourceLink",
        )
    )

    role: Literal["user", "assistant"] = "user"
    """Who speaks."""
    text: Template | None = None
    """Text with {{variable}} places."""
    resource_uri: Annotated[Uri | None, Field(alias="resourceURI")] = None
    """URI of a resource of the same server, whose content is embedded; may hold {{variable}}
    places."""
    image: PromptImage | None = None
    """An image."""
    audio: PromptAudio | None = None
    """Audio."""
    resource_link: PromptResourceLink | None = None
    """A link to a resource that clients can read; clients support links since MCP
    2025-06-18."""


class MCPPromptSpec(ApiModel):
    """The prompt: one template, or several messages."""

    model_config = validated(
        rule(
            "has(self.template) != has(self.messages)",
            "set exactly one of template and messages",
            field_path=".template",
        )
    )

    name: McpName
    """Name by which clients get the prompt; unique in a server."""
    title: Title | None = None
    """Name for people."""
    description: Description = ""
    """What the prompt is for."""
    icons: Icons = Field(default_factory=tuple)
    """Pictures that clients may show for the prompt."""
    enabled: bool = True
    """Whether the prompt is served."""
    ingress_path: HttpPath | None = None
    """Accepted for compatibility and reported as IngressPathIgnored: clients get prompts over
    MCP."""
    template: Template | None = None
    """Text of a single user message, with {{variable}} places.
    Values are inserted once, and are not evaluated as templates."""
    messages: tuple[PromptMessage, ...] = Field(default_factory=tuple, min_length=1, max_length=32)
    """Messages in their order."""
    variables: tuple[PromptVariable, ...] = Field(
        default_factory=tuple, max_length=64, json_schema_extra=list_map("name")
    )
    """Variables of the template or messages; each must be declared here."""


class MCPPromptStatus(ChildStatus):
    """What the operator knows of the prompt."""

    validated: bool | None = None
    """Whether the template and its variables fit together."""
    last_validation_time: Timestamp | None = None
    """When the outcome of the validation last changed."""
    variable_count: Annotated[int, Field(ge=0)] | None = None
    """Variables declared."""
    undeclared: tuple[str, ...] = Field(default_factory=tuple, max_length=64)
    """Variables that the text uses and variables does not declare."""
    unused: tuple[str, ...] = Field(default_factory=tuple, max_length=64)
    """Variables declared and not used."""


class MCPPrompt(Kind):
    """A prompt template that MCPServers serve."""

    spec: MCPPromptSpec
