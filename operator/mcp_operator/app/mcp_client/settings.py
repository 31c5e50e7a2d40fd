"""The settings of `mcp-operator inspect`: only flags, because people run it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field

from mcp_operator.settings import Seconds
from mcp_operator.settings.loading import Options, Setting

Arguments = Annotated[
    Sequence[str], Setting("NAME=VALUE, such as city=Paris", "NAME=VALUE", "--arg", repeated=True)
]


TOKEN_VARIABLE: Final = "MCP_OPERATOR_INSPECT_TOKEN"  # noqa: S105 - the name of a variable
"""Holds the token where no file does."""


class InspectSettings(Options):
    """What every command of `inspect` takes."""

    url: Annotated[
        str,
        Field(pattern=r"^https?://[^/?#\s]+([/?#]\S*)?$"),
        Setting("a URL, such as http://127.0.0.1:8080/mcp", "URL", ""),
    ]
    """The URL of an MCP endpoint, such as http://127.0.0.1:8080/mcp."""
    header: Annotated[Sequence[str], Setting("a header", "HEADER", repeated=True)] = ()
    """A header of each request, as 'NAME: VALUE', or @FILE with one on each line; the arguments of
    a command are visible to others on the machine, a file need not be."""
    token_file: Annotated[Path | None, Setting("a path", "FILE")] = None
    """A file with the bearer token. Without it, the token is the value of
    MCP_OPERATOR_INSPECT_TOKEN, if that is set."""
    ca_file: Annotated[Path | None, Setting("a path", "FILE")] = None
    """A PEM file with the certificate authorities to trust, instead of those of the system."""
    protocol: Annotated[Literal["auto", "legacy"], Setting("one of auto, legacy", "VERSION")] = (
        "auto"
    )
    """The version of MCP to speak: `legacy` opens a session, as clients of 2025-11-25 and earlier
    do; `auto` takes the newest version that the server has."""
    timeout: Seconds = 60
    """How long to wait for an answer, in seconds."""
    output: Annotated[
        Literal["text", "json"], Setting("one of text, json", "FORMAT", short="-o")
    ] = "text"
    """How the answer is shown: `text` for people, `json` as the server sent it."""

    @property
    def server(self) -> str:
        """The URL for messages: without its query, which may hold a key."""
        return self.url.partition("?")[0]


class ListSettings(InspectSettings):
    """The settings of `inspect list`."""


class DescribeSettings(InspectSettings):
    """The settings of `inspect describe`."""

    name: Annotated[str, Field(min_length=1), Setting("a name or a URI", "NAME", "")]
    """The name of a tool, prompt, resource or template, or the URI of a resource."""


class CallSettings(InspectSettings):
    """The settings of `inspect call`."""

    name: Annotated[str, Field(min_length=1), Setting("the name of a tool", "TOOL", "")]
    """The name of the tool."""
    arg: Arguments = ()
    """An argument. VALUE is read as the schema of the tool has it: as JSON where that is not a
    string."""
    args: Annotated[str, Setting("a JSON object, or @FILE", "JSON")] = ""
    """All arguments as a JSON object, or @FILE with one; --arg sets more of them."""
    yes: Annotated[bool, Setting("true or false")] = False
    """Call a tool that may change or delete something without asking first."""
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        Setting("one of debug, info, warning, error", "LEVEL"),
    ] = "info"
    """The lowest severity of the server's log messages to show."""


class PromptSettings(InspectSettings):
    """The settings of `inspect prompt`."""

    name: Annotated[str, Field(min_length=1), Setting("the name of a prompt", "PROMPT", "")]
    """The name of the prompt."""
    arg: Arguments = ()
    """An argument."""


class ReadSettings(InspectSettings):
    """The settings of `inspect read`."""

    uri: Annotated[str, Field(min_length=1), Setting("the URI of a resource", "URI", "")]
    """The URI of the resource."""


class WatchSettings(InspectSettings):
    """The settings of `inspect watch`."""

    uris: Annotated[Sequence[str], Setting("URIs of resources", "URI", "", repeated=True)] = ()
    """URIs of resources to subscribe to. The lists are watched in any case."""
