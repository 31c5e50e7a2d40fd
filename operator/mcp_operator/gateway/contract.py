"""The contract between the protocol side and the execution side.

The protocol side knows MCP and no HTTP client; the execution side knows HTTP and no MCP sessions.
This module is the only interface between them.
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
"""W3C Trace Context, section 3.2. Any other value is dropped, because it is untrusted text."""

TRACE_KEYS: Final = ("traceparent", "tracestate")
"""The members of a trace context, in headers and in the `_meta` of MCP."""


class _Missing(enum.Enum):
    MISSING = enum.auto()


MISSING: Final = _Missing.MISSING
"""Means "no structured content"; `None` is the JSON value null."""


LogLevel: TypeAlias = Literal[
    "debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"
]
"""From the least to the most severe (RFC 5424 section 6.2.1), with the names that MCP uses."""


class Listener(Protocol):
    """Receives the events of a running call. Its methods never block and never fail.

    Events that the client did not ask for or does not read are dropped.
    """

    def progress(self, value: float, total: float | None = None, message: str = "") -> None:
        """Report the progress of the call.

        Args:
            value: A finite number. A value that does not exceed the last one is dropped, because
                MCP requires progress to increase.
            total: The final `value`, if known.
            message: A sentence about the progress; empty for none.
        """
        ...

    def log(self, level: LogLevel, data: Any, logger: str = "") -> None:
        """Report an event.

        Args:
            level: How severe it is.
            data: Any value that has a JSON form (see `exact.encode`).
            logger: The name of the logger; empty for none.
        """
        ...


class _Deaf:
    """Ignores all events."""

    def progress(self, value: float, total: float | None = None, message: str = "") -> None:
        """Ignore it."""

    def log(self, level: LogLevel, data: Any, logger: str = "") -> None:
        """Ignore it."""


NOBODY: Final[Listener] = _Deaf()


class ClientInput(NamedTuple):
    """What a client sent back after `InputRequired`.

    Attributes:
        responses: Results of the input requests, by the ids of the requests; not validated.
        state: The `state` of the `InputRequired`, as the execution side returned it; None if it
            had none.
    """

    responses: Mapping[str, Any] = MappingProxyType({})
    state: str | None = None


NO_INPUT: Final = ClientInput()


@dataclass(slots=True)
class Validators:
    """Tells whether a response has changed (RFC 9110 section 8.8).

    The caller passes the validators of a response that it knows, and the execution side makes the
    request conditional. The execution side then stores the validators of the new response here.

    Attributes:
        etag: `ETag` as it was sent; empty for none.
        last_modified: `Last-Modified` as it was sent; empty for none.
        unchanged: The backend reported that the response has not changed; the execution side
            then returns an empty result.
    """

    etag: str = ""
    last_modified: str = ""
    unchanged: bool = False


@dataclass(slots=True)  # not frozen: creating frozen objects takes four times as long
class Call:
    """What the execution side knows of the MCP request that caused the call.

    Attributes:
        headers: The client's HTTP headers, with names in lower case. A backend gets only those
            that the tool lists in `forwardHeaders`.
        deadline: When the client no longer waits for the result, in the event loop's time; None if
            only the tool's own timeout applies.
        trace: W3C Trace Context to forward: `traceparent` and `tracestate`, if the client sent
            them.
        client: A digest that identifies the client where clients share a limit
            (`shares.digest_of`).
        listener: Receives the events of the call until it ends.
        capabilities: The capabilities that the client declared (`ClientCapabilities`); empty if
            unknown.
        input: What the client sent back, if an earlier call required input.
        validators: Those of a response that the caller knows; None for an unconditional request.
        fresh_seconds: How long the response can be cached; set by the executor.
        is_public: Whether a cache can give the response to every client; set by the executor.
        takes_jobs: Whether the caller continues with the job that a backend accepted. Otherwise
            the call waits until the job ends or the deadline passes.
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
"""Why a call failed. In order: the arguments do not make a valid request; the backend answered with
a status from 400 to 499; with a higher status or an invalid response; it did not answer in time; it
could not be reached; too many calls to it are in progress; the gateway could not or must not make
the call."""


@dataclass(frozen=True, slots=True)
class ToolResult:
    """The outcome of a tool call, in MCP's own content blocks.

    Attributes:
        content: Content blocks (`text`, `image`, `audio`, `resource`, `resource_link`), ready to
            send; the members of large blocks are already encoded (see `exact`).
        is_error: The call failed in a way that the model can read and act on.
        structured: Any JSON value for `structuredContent`, unfolded (see `exact`), or `MISSING`.
        meta: Members of the result's `_meta`, without any name that MCP reserves.
        cause: Why the call failed; None if the tool itself reported the failure.
    """

    content: tuple[JsonObject, ...]
    is_error: bool = False
    structured: Any | Literal[_Missing.MISSING] = MISSING
    meta: JsonObject = field(default_factory=dict)
    cause: Cause | None = None


@dataclass(frozen=True, slots=True)
class InputRequired:
    """The client must provide input before the call can complete (2026-07-28, MRTR).

    This call has ended. The client calls the tool again with a `ClientInput`, or with only the
    state if there are no requests.

    Attributes:
        requests: Requests to the client: objects with the `method` (such as `elicitation/create`)
            and the `params`, by ids that only the execution side interprets. Their shape is
            valid; whether the client declared support for them is not checked.
        state: What the execution side needs back, in plain text; None for nothing.
    """

    requests: Mapping[str, JsonObject] = field(default_factory=dict)
    state: str | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """A request that a backend accepted and still works on (202, RFC 9110 section 15.3.3).

    Attributes:
        target: Path and query of the job's status, on the backend that accepted it.
        pause: Seconds to wait before the next request for the status.
        message: The backend's description of the state, safe for clients; empty for none.
    """

    target: str
    pause: float
    message: str = ""


class JobUnreachableError(OperatorError):
    """The status of a job could not be read. The job can still be running; try again later.

    Attributes:
        pause: Seconds that the backend asked to wait before the next request; 0 for none.
    """

    def __init__(self, message: str, pause: float = 0.0) -> None:
        super().__init__(message)
        self.pause = pause


def error_result(text: str, cause: Cause | None = None) -> ToolResult:
    """Return a result that tells the model what went wrong."""
    return ToolResult(content=({"type": "text", "text": text},), is_error=True, cause=cause)


class ResourceUnavailable(OperatorError):  # noqa: N818 - a state that is reported to the client
    """A resource of the catalog could not be read; the message is safe for clients."""


class Executor(Protocol):
    """Calls backends. Cancelling the awaiting task cancels the call to the backend."""

    async def call_tool(
        self, tool: ToolEntry, arguments: JsonObject, call: Call
    ) -> ToolResult | InputRequired | Job:
        """Call a tool with arguments that its input schema has accepted.

        Never raises for a failure of the backend: that is a result with `is_error`.

        Returns:
            The result; a job only if the tool has a `task` policy and the call takes jobs.
        """
        ...

    async def look_at(
        self, tool: ToolEntry, job: Job, call: Call
    ) -> ToolResult | InputRequired | Job:
        """Request the state of a job once, or send it the client's input.

        Returns:
            The job's result, the input that it needs, or the job with its new state.

        Raises:
            JobUnreachableError: The backend did not report the state.
        """
        ...

    async def wait_for(self, tool: ToolEntry, job: Job, call: Call) -> ToolResult:
        """Poll a job until it ends or the call reaches its deadline.

        Never raises for a failure of the backend, like `call_tool`.
        """
        ...

    async def drop(self, tool: ToolEntry, job: Job, call: Call) -> None:
        """Tell the backend that nobody needs a job any longer; its answer is ignored."""
        ...

    async def read_resource(
        self, entry: ResourceEntry, uri: str, variables: Variables, call: Call
    ) -> tuple[JsonObject, ...]:
        """Read a resource, given the concrete URI and the values of its template variables.

        Returns:
            The `contents` of MCP's `resources/read`, never empty.

        Raises:
            ResourceUnavailable: The backend or the Secret did not provide the content.
        """
        ...
