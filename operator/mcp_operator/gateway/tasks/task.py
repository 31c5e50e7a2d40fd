"""A task as an immutable value, with the transitions between its states as pure functions.

A task is `working` or `input_required` until it ends; after that, it never changes. While it works,
either its call is in progress, or the backend has accepted it as a job that the gateway polls.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final, Literal

from pydantic_core import from_json

from mcp_operator.api.catalog import JsonObject
from mcp_operator.gateway import exact
from mcp_operator.gateway.contract import Job

Status = Literal["working", "input_required", "completed", "cancelled", "failed"]
"""The statuses of the extension, section "Task Status"."""

ENDED: Final = frozenset[Status]({"completed", "cancelled", "failed"})

KEEP_SECONDS: Final = 3600.0
"""How long a task is kept after it has ended."""

MAX_ROUNDS: Final = 32
"""How often one task can ask for input."""

INTERNAL_ERROR: Final = -32603
"""The error code of JSON-RPC for a failure of the server."""

TOO_OFTEN: Final = "The backend requested input too many times for one task"

ID_BYTES: Final = 16
"""Random bytes of a task's id. Without authentication, the id alone gives access to the task."""


@dataclass(frozen=True, slots=True)
class Task:
    """A tool call that continues in the background. Times are Unix seconds, durations seconds.

    Attributes:
        id: 128 random bits.
        tool: The name of the tool that was called.
        origin: `SCHEME://HOST:PORT` of the backend that got the call, and the only one to poll.
        owner: A digest of the principal that it belongs to; empty without authentication.
        client: The client, for limits that clients share.
        created: When it was created.
        updated: When its state, as clients see it, last changed.
        max_age: How long it can take.
        pause: How long to wait before the next poll.
        status: The status that clients see.
        message: The backend's description of the state, safe for clients.
        job: The job that the backend accepted; None while the call itself is in progress.
        begun: Whether the call, or the delivery of answers, has begun. It is then never repeated.
        failures: The number of consecutive failed polls.
        rounds: How often it asked for input.
        asked: The requests without an answer, by keys that are never reused.
        answers: The answers of the client, by the keys that the backend chose.
        state: What the backend wants back with the answers; None for nothing.
        arguments: The arguments of the call; empty once the task has ended.
        headers: The client's headers that the tool forwards; empty once the task has ended.
        trace: The trace context of the call; empty once the task has ended.
        capabilities: The client's `ClientCapabilities`; empty once the task has ended.
        error: The JSON-RPC error that it failed with.
    """

    id: str
    tool: str
    origin: str
    owner: str
    client: str
    created: float
    updated: float
    max_age: float
    pause: float
    status: Status = "working"
    message: str = ""
    job: Job | None = None
    begun: bool = False
    failures: int = 0
    rounds: int = 0
    asked: Mapping[str, JsonObject] = field(default_factory=dict)
    answers: Mapping[str, Any] = field(default_factory=dict)
    state: str | None = None
    arguments: JsonObject = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    trace: Mapping[str, str] = field(default_factory=dict)
    capabilities: JsonObject = field(default_factory=dict)
    error: JsonObject | None = None

    @property
    def has_ended(self) -> bool:
        """Whether it has ended, and so never changes again."""
        return self.status in ENDED

    @property
    def expires(self) -> float:
        """When it can be deleted."""
        return KEEP_SECONDS + (self.updated if self.has_ended else self.created + self.max_age)

    def is_overdue(self, now: float) -> bool:
        """Tell whether it has exceeded its maximum age."""
        return now - self.created >= self.max_age

    def accepted(self, job: Job, now: float) -> Task:
        """Return the task after the backend accepted the call, or reported that it continues."""
        changed = job.message != self.message
        return self._next(
            now if changed or self.job is None else self.updated,
            job=job,
            pause=job.pause,
            message=job.message,
            failures=0,
            **_ANSWERED,
        )

    def unreachable(self, pause: float) -> Task:
        """Return the task after a failed poll; it will be polled again."""
        return self._next(self.updated, failures=self.failures + 1, pause=pause)

    def starting(self) -> Task:
        """Return the task with its call, or the delivery of answers, marked as begun."""
        return self._next(self.updated, begun=True)

    def asking(self, requests: Mapping[str, JsonObject], state: str | None, now: float) -> Task:
        """Return the task after the backend asked for input, or to be called with only the state.

        The extension forbids reusing a key, so each key contains the number of its round.
        """
        rounds = self.rounds + 1
        if rounds > MAX_ROUNDS:
            return self.failed(INTERNAL_ERROR, TOO_OFTEN, now)
        changes = {
            **_ANSWERED,
            "status": "input_required" if requests else "working",
            "rounds": rounds,
            "asked": {f"{rounds}.{key}": request for key, request in requests.items()},
            "state": state,
            "failures": 0,
        }
        return self._next(now, **changes)

    def answered(self, responses: Mapping[str, Any], now: float) -> Task:
        """Return the task after the client answered requests; unknown answers are ignored.

        After the last answer, the task works again, and its answers can be delivered.
        """
        taken = {key: value for key, value in responses.items() if key in self.asked}
        if not taken:
            return self
        asked = {key: request for key, request in self.asked.items() if key not in taken}
        answers = {**self.answers, **{_own_key(key): value for key, value in taken.items()}}
        status: Status = "input_required" if asked else "working"
        return self._next(now, status=status, asked=asked, answers=answers, begun=False)

    def completed(self, now: float) -> Task:
        """Return the task with a result, which can be that of a failed tool."""
        return self._end("completed", now)

    def failed(self, code: int, message: str, now: float) -> Task:
        """Return the task after it ended with a JSON-RPC error instead of a result."""
        ended = self._end("failed", now, error={"code": code, "message": message})
        return ended if self.has_ended else replace(ended, message=message)

    def cancelled(self, now: float) -> Task:
        """Return the task after the client cancelled it."""
        return self._end("cancelled", now)

    def _next(self, updated: float, **changes: Any) -> Task:
        return self if self.has_ended else replace(self, updated=updated, **changes)

    def _end(self, status: Status, now: float, **changes: Any) -> Task:
        """Return the ended task, without the data that only a running task needs."""
        call: JsonObject = {"arguments": {}, "headers": {}, "trace": {}, "capabilities": {}}
        cleared = {**_ANSWERED, **call, "message": ""}
        return self._next(now, status=status, **cleared | changes)


_ANSWERED: Final[JsonObject] = {"begun": False, "asked": {}, "answers": {}, "state": None}
"""The fields of a task that neither waits for answers nor has answers to deliver."""


def new_id() -> str:
    """Return an id that cannot be guessed."""
    return secrets.token_hex(ID_BYTES)


def _own_key(key: str) -> str:
    """Return the key that the backend gave to a request."""
    return key.partition(".")[2]


def described(task: Task) -> JsonObject:
    """Return a task as clients see it, without its result (the extension's `Task`)."""
    shown: JsonObject = {
        "taskId": task.id,
        "status": task.status,
        "createdAt": _timestamp(task.created),
        "lastUpdatedAt": _timestamp(task.updated),
        "ttlMs": max(1, round((task.expires - task.created) * 1000)),
        "pollIntervalMs": max(1, round(max(task.pause, 1.0) * 1000)),
    }
    if task.message:
        shown["statusMessage"] = task.message
    return shown


def detailed(task: Task, result: Any) -> JsonObject:
    """Return a task with the fields that depend on its status (the extension's `DetailedTask`).

    Args:
        task: The task.
        result: The result, if the task is completed.
    """
    shown = described(task)
    if task.status == "input_required":
        shown["inputRequests"] = dict(task.asked)
    elif task.status == "completed":
        shown["result"] = result
    elif task.status == "failed":
        shown["error"] = task.error
    return shown


def _timestamp(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)
    return moment.isoformat(timespec="milliseconds") + "Z"


def encoded(task: Task) -> bytes:
    """Encode a task for storage; numbers from its backend keep their original text."""
    return exact.encode(task)


def decoded(data: bytes) -> Task:
    """Decode a task that `encoded` encoded.

    Raises:
        ValueError: It has another format, for example that of another release.
    """
    try:
        fields = from_json(data)
        if fields["job"] is not None:
            fields["job"] = Job(**fields["job"])
        if fields["asked"]:  # it is only passed on, so its numbers must keep their text
            fields["asked"] = exact.loads(data.decode(), unfolded=True)["asked"]
        return Task(**fields)
    except (TypeError, KeyError) as error:
        raise ValueError("the stored task has the format of another release") from error
