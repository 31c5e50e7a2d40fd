"""What the protocol side asks of the execution side, and what it gets back.

The protocol core knows MCP and no HTTP client; the execution side knows HTTP and no MCP session.
They meet here.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol

from mcp_operator.api.catalog import JsonObject, ResourceEntry, ToolEntry
from mcp_operator.api.uritemplates import Variables
from mcp_operator.core.errors import OperatorError

TRACEPARENT: Final = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
)
"""W3C Trace Context, section 3.2. Anything else is dropped: it may say anything."""


class _Missing(enum.Enum):
    MISSING = enum.auto()


MISSING: Final = _Missing.MISSING
"""Says "no structured content", where `None` is the JSON value null."""


@dataclass(frozen=True, slots=True)
class Call:
    """What an execution may know of the MCP request that caused it.

    Attributes:
        headers: The client's HTTP headers, names in lower case. Only those that a tool names in
            `forwardHeaders` reach a backend.
        deadline: When the answer is no longer wanted, in the event loop's time; None where only
            the tool's own timeout counts.
        trace: W3C Trace Context to hand on: `traceparent` and `tracestate`, where the client sent
            them.
        client: Who shares with other clients what there is.
    """

    headers: Mapping[str, str] = field(default_factory=dict)
    deadline: float | None = None
    trace: Mapping[str, str] = field(default_factory=dict)
    client: str = ""


@dataclass(frozen=True, slots=True)
class ToolResult:
    """The outcome of a tool call, in MCP's own content blocks.

    Attributes:
        content: Content blocks (`text`, `image`, `audio`, `resource`), ready to be sent; the
            members of large ones are encoded (see `exact`).
        is_error: The call failed in a way that the model can read about and act on.
        structured: Any JSON value for `structuredContent`, unfolded (see `exact`), or `MISSING`.
    """

    content: tuple[JsonObject, ...]
    is_error: bool = False
    structured: Any | Literal[_Missing.MISSING] = MISSING


class ResourceUnavailable(OperatorError):  # noqa: N818 - a state that the client is told of
    """A resource exists in the catalog and could not be read; the sentence is fit for clients."""


class Executor(Protocol):
    """Calls backends. Cancelling the awaiting task cancels the call to the backend."""

    async def call_tool(self, tool: ToolEntry, arguments: JsonObject, call: Call) -> ToolResult:
        """Call a tool with arguments that its input schema has accepted.

        Never raises for what a backend does or fails to do: that is a result with `is_error`.
        """
        ...

    async def read_resource(
        self, entry: ResourceEntry, uri: str, variables: Variables, call: Call
    ) -> tuple[JsonObject, ...]:
        """Read a resource, given with the concrete URI and the values of its template variables.

        Returns:
            The `contents` of MCP's `resources/read`, never empty.

        Raises:
            ResourceUnavailable: The backend or the Secret did not give the content.
        """
        ...
