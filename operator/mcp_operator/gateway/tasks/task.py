"""One task as a value, and how it goes from one state to the next, as pure functions.

A task is `working` or `input_required` until it has ended; one that has ended stays as it is. While
it works, either its call is under way, or the backend has accepted it as a job that is asked after.
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
"""Those of the extension, section "Task Status"."""

ENDED: Final = frozenset[Status]({"completed", "cancelled", "failed"})

KEEP_SECONDS: Final = 3600.0
"""How long a task is kept after it has ended."""

MAX_ROUNDS: Final = 32
"""How often one task may ask for input."""

INTERNAL_ERROR: Final = -32603
"""What JSON-RPC calls it when a server fails."""

TOO_OFTEN: Final = "The backend requested input too many times for one task"

ID_BYTES: Final = 16
"""Random bytes of a task's id: where nobody authenticates, knowing it is all that it takes."""


@dataclass(frozen=True, slots=True)
class Task:
    """A call of a tool that goes on in the background. Times are Unix seconds, durations seconds.

    Attributes:
        id: 128 random bits.
        tool: The name of the tool that was called.
        origin: `HOST:PORT` of the backend that the call went to; a job is asked after nowhere else.
        owner: A digest of the principal that it belongs to; empty where nobody authenticates.
        client: Who shares the room for tasks, and backends, with others.
        created: When it was created.
        updated: When clients last saw it change.
        max_age: How long it may take.
        pause: How long to wait before the next look at it.
        status: The status that clients see.
        message: What the backend says of it, fit for clients.
        job: What the backend has accepted; None while the call itself is under way.
        begun: Whether the call, or the delivery of answers, has begun. What has begun is never
            repeated.
        failures: Looks at the job in a row that came to nothing.
        rounds: How often it asked for input.
        asked: The requests that wait for an answer, by a key that is never used again.
        answers: The answers that came, by the keys of the backend.
        state: What the backend wants back with the answers; None for nothing.
        arguments: Those of the call, until the task has ended.
        headers: The headers of the client that the tool forwards, likewise.
        trace: The trace context of the call, likewise.
        capabilities: What the client declared of itself, likewise (`ClientCapabilities`).
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
        """Whether it stays as it is."""
        return self.status in ENDED

    @property
    def expires(self) -> float:
        """When it may be forgotten."""
        return KEEP_SECONDS + (self.updated if self.has_ended else self.created + self.max_age)

    def is_overdue(self, now: float) -> bool:
        """Tell whether it has taken longer than it may."""
        return now - self.created >= self.max_age

    def accepted(self, job: Job, now: float) -> Task:
        """The backend has accepted the call, or goes on with it."""
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
        """The job could not be looked at; there will be another look."""
        return self._next(self.updated, failures=self.failures + 1, pause=pause)

    def starting(self) -> Task:
        """Begin what must not be done twice."""
        return self._next(self.updated, begun=True)

    def asking(self, requests: Mapping[str, JsonObject], state: str | None, now: float) -> Task:
        """The backend asks for input, or to be called again with the state alone.

        The extension has every key used once, so each carries the number of its round.
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
        """The client answers some of what was asked; what was not asked is ignored.

        With the last answer the task works again, and the answers wait to be delivered.
        """
        taken = {key: value for key, value in responses.items() if key in self.asked}
        if not taken:
            return self
        asked = {key: request for key, request in self.asked.items() if key not in taken}
        answers = {**self.answers, **{_own_key(key): value for key, value in taken.items()}}
        status: Status = "input_required" if asked else "working"
        return self._next(now, status=status, asked=asked, answers=answers, begun=False)

    def completed(self, now: float) -> Task:
        """There is a result, which may be that of a tool that failed."""
        return self._end("completed", now)

    def failed(self, code: int, message: str, now: float) -> Task:
        """It ended without a result, with a JSON-RPC error."""
        ended = self._end("failed", now, error={"code": code, "message": message})
        return ended if self.has_ended else replace(ended, message=message)

    def cancelled(self, now: float) -> Task:
        """The client does not want it any more."""
        return self._end("cancelled", now)

    def _next(self, updated: float, **changes: Any) -> Task:
        return self if self.has_ended else replace(self, updated=updated, **changes)

    def _end(self, status: Status, now: float, **changes: Any) -> Task:
        """End it, and let go of all that only a task that goes on needs."""
        call: JsonObject = {"arguments": {}, "headers": {}, "trace": {}, "capabilities": {}}
        cleared = {**_ANSWERED, **call, "message": ""}
        return self._next(now, status=status, **cleared | changes)


_ANSWERED: Final[JsonObject] = {"begun": False, "asked": {}, "answers": {}, "state": None}
"""What a task has that neither waits for answers nor has any to deliver."""


def new_id() -> str:
    """Return an id that nobody can guess."""
    return secrets.token_hex(ID_BYTES)


def _own_key(key: str) -> str:
    """Return the key that the backend gave a request."""
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
    """Return a task with what its state adds (the extension's `DetailedTask`).

    Args:
        task: The task.
        result: The result, where it is completed.
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
    """Return a task as it is kept; numbers of its backend keep the form that they came in."""
    return exact.encode(task)


def decoded(data: bytes) -> Task:
    """Read what `encoded` wrote.

    Raises:
        ValueError: It is none, as one of another release may be.
    """
    try:
        fields = from_json(data)
        if fields["job"] is not None:
            fields["job"] = Job(**fields["job"])
        return Task(**fields)
    except (TypeError, KeyError) as error:
        raise ValueError("the stored task has the format of another release") from error
