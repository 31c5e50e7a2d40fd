"""What the protocol side asks of the execution side, and what it gets back.

The protocol core knows MCP and no HTTP client; the execution side knows HTTP and no MCP session.
They meet here.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple, Protocol, TypeAlias

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


LogLevel: TypeAlias = Literal[
    "debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"
]
"""From the least to the most severe (RFC 5424 section 6.2.1, in MCP's words)."""


class Listener(Protocol):
    """Is told of a call while it runs. Telling never waits and never fails.

    What the client did not ask for, or does not read, is dropped.
    """

    def progress(self, value: float, total: float | None = None, message: str = "") -> None:
        """Note how far the call is.

        Args:
            value: A finite number; one that is not above the last is dropped, as MCP has it.
            total: What `value` will be in the end, where that is known.
            message: A sentence about it, empty for none.
        """
        ...

    def log(self, level: LogLevel, data: Any, logger: str = "") -> None:
        """Note something that happened.

        Args:
            level: How severe it is.
            data: Any value that has a JSON form (see `exact.encode`).
            logger: Where it comes from, empty for no name.
        """
        ...


class _Deaf:
    """Listens to nothing."""

    def progress(self, value: float, total: float | None = None, message: str = "") -> None:
        """Drop it."""

    def log(self, level: LogLevel, data: Any, logger: str = "") -> None:
        """Drop it."""


NOBODY: Final[Listener] = _Deaf()


class ClientInput(NamedTuple):
    """What a client sent back after `InputRequired`.

    Attributes:
        responses: Results of input requests, by the ids that the requests had; unchecked.
        state: The `state` of that `InputRequired`, as the execution gave it; None where it gave
            none.
    """

    responses: Mapping[str, Any] = MappingProxyType({})
    state: str | None = None


NO_INPUT: Final = ClientInput()


@dataclass(slots=True)
class Validators:
    """What tells whether an answer has changed (RFC 9110 section 8.8).

    Given to an execution with what is known of an earlier answer, which it then asks for only if it
    has changed. It puts in those of the new one.

    Attributes:
        etag: `ETag` as it was sent; empty for none.
        last_modified: `Last-Modified` as it was sent; empty for none.
        unchanged: The backend says that the answer has not changed; what the execution returns is
            empty then.
    """

    etag: str = ""
    last_modified: str = ""
    unchanged: bool = False


@dataclass(slots=True)  # not frozen, which takes four times as long to make
class Call:
    """What an execution may know of the MCP request that caused it.

    Attributes:
        headers: The client's HTTP headers, names in lower case. Only those that a tool names in
            `forwardHeaders` reach a backend.
        deadline: When the answer is no longer wanted, in the event loop's time; None where only
            the tool's own timeout counts.
        trace: W3C Trace Context to hand on: `traceparent` and `tracestate`, where the client sent
            them.
        client: A digest of who shares with other clients what there is (`shares.digest_of`).
        listener: Gets the events of the call until it ends.
        capabilities: What the client declared that it can do (`ClientCapabilities`); empty where
            that is not known.
        input: What the client sent back, if this is a call that required input before.
        validators: Of an answer that is known; None where it is not asked whether it changed.
        fresh_seconds: How long the answer may be kept; set by who answers.
        is_public: Whether who keeps it may give it to everybody; likewise.
        takes_jobs: Whether the caller goes on with what a backend accepts; otherwise the call lasts
            until that has ended, or its time has.
    """

    headers: Mapping[str, str] = field(default_factory=dict)
    deadline: float | None = None
    trace: Mapping[str, str] = field(default_factory=dict)
    client: str = ""
    listener: Listener = NOBODY
    capabilities: JsonObject = field(default_factory=dict)
    input: ClientInput = NO_INPUT
    validators: Validators | None = None
    fresh_seconds: float = 0.0
    is_public: bool = False
    takes_jobs: bool = False


Cause: TypeAlias = Literal[
    "invalid_arguments",
    "client_error",
    "backend_error",
    "timeout",
    "unreachable",
    "rejected",
    "error",
]
"""Why a call failed: its arguments make no request; the backend answered with a status of 400 to
499, or with a higher one or no valid answer; it did not answer in time, or could not be reached; it
has too many calls already; the gateway could not or must not make the call."""


@dataclass(frozen=True, slots=True)
class ToolResult:
    """The outcome of a tool call, in MCP's own content blocks.

    Attributes:
        content: Content blocks (`text`, `image`, `audio`, `resource`, `resource_link`), ready to
            be sent; the members of large ones are encoded (see `exact`).
        is_error: The call failed in a way that the model can read about and act on.
        structured: Any JSON value for `structuredContent`, unfolded (see `exact`), or `MISSING`.
        meta: Members of the result's `_meta`, none of them with a name that MCP reserves.
        cause: Why the call failed; None for what the tool itself calls a failure.
    """

    content: tuple[JsonObject, ...]
    is_error: bool = False
    structured: Any | Literal[_Missing.MISSING] = MISSING
    meta: JsonObject = field(default_factory=dict)
    cause: Cause | None = None


@dataclass(frozen=True, slots=True)
class InputRequired:
    """A call needs something of the client before it can be completed (2026-07-28, MRTR).

    It has ended: the client calls again, with a `ClientInput`. Without requests, it calls again
    with the state alone.

    Attributes:
        requests: Requests to the client, by ids that mean something to the execution alone: objects
            with the `method` (such as `elicitation/create`) and the `params`. Of well-formed shape;
            whether the client declared that it takes them is not checked.
        state: What the execution wants back, in plain text; None for nothing.
    """

    requests: Mapping[str, JsonObject] = field(default_factory=dict)
    state: str | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """What a backend has accepted and goes on with after its answer (202, RFC 9110 section 15.3.3).

    Attributes:
        target: Path and query of where to ask after it, on the backend that accepted it.
        pause: Seconds to wait before that.
        message: What the backend says of its state, fit for clients; empty for nothing.
    """

    target: str
    pause: float
    message: str = ""


class JobUnreachableError(OperatorError):
    """A job could not be looked at; it may go on, and be there at another look.

    Attributes:
        pause: Seconds for which the backend asks to be left alone; 0 for none.
    """

    def __init__(self, message: str, pause: float = 0.0) -> None:
        super().__init__(message)
        self.pause = pause


def error_result(text: str, cause: Cause | None = None) -> ToolResult:
    """Return the result that tells a model what went wrong."""
    return ToolResult(content=({"type": "text", "text": text},), is_error=True, cause=cause)


class ResourceUnavailable(OperatorError):  # noqa: N818 - a state that the client is told of
    """A resource exists in the catalog and could not be read; the sentence is fit for clients."""


class Executor(Protocol):
    """Calls backends. Cancelling the awaiting task cancels the call to the backend."""

    async def call_tool(
        self, tool: ToolEntry, arguments: JsonObject, call: Call
    ) -> ToolResult | InputRequired | Job:
        """Call a tool with arguments that its input schema has accepted.

        Never raises for what a backend does or fails to do: that is a result with `is_error`.

        Returns:
            The result; a job only where the tool has a `task` policy and the call takes jobs.
        """
        ...

    async def look_at(
        self, tool: ToolEntry, job: Job, call: Call
    ) -> ToolResult | InputRequired | Job:
        """Ask after a job, once, or bring it the input of the client.

        Returns:
            Its result, what it needs, or how it is to be asked after next.

        Raises:
            JobUnreachableError: Nobody can tell.
        """
        ...

    async def wait_for(self, tool: ToolEntry, job: Job, call: Call) -> ToolResult:
        """Ask after a job until it has ended, or the call's time is over.

        Never raises, as `call_tool`.
        """
        ...

    async def drop(self, tool: ToolEntry, job: Job, call: Call) -> None:
        """Tell the backend that a job is not wanted any more; whatever it makes of that is fine."""
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
