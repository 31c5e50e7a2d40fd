"""The errors of requests to the API server.

One class is enough: callers decide what to do by its properties.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from pydantic_core import from_json

from mcp_operator.core.errors import OperatorError

NO_ANSWER: Final = 0
"""The status of a request without a response."""

REFUSED: Final = "ConnectionRefused"
"""Reason: no connection was established, so the server cannot have seen the request."""

LOST: Final = "ConnectionLost"
"""Reason: the connection broke or timed out; the server may have processed the request."""

MALFORMED: Final = "MalformedAnswer"
"""Reason: the response does not follow the Kubernetes API."""

_MESSAGE_LIMIT: Final = 512
"""Characters kept of a response that is not a Status: proxies send whole pages."""


class LeadershipLostError(OperatorError):
    """The lease has been lost, and another process may be leading."""


class StaleCacheError(OperatorError):
    """The API server's data was rolled back, and the caches are still being refilled."""


@dataclass(frozen=True, slots=True)
class Cause:
    """One entry of a Status's `details.causes`."""

    field: str
    reason: str
    message: str


class ApiError(OperatorError):
    """A request to the API server failed.

    Attributes:
        status: The HTTP status, or `NO_ANSWER`.
        reason: The machine-readable `reason` of the Status, or one of this module's.
        message: The server's message.
        request: `METHOD PATH`; empty for a watch's ERROR event.
        retry_after: Seconds to wait before a retry, if the server asked for that.
        causes: The fields that the server rejected.
    """

    def __init__(
        self,
        status: int,
        reason: str,
        message: str,
        *,
        request: str = "",
        retry_after: float | None = None,
        causes: tuple[Cause, ...] = (),
    ) -> None:
        super().__init__(f"{request}: {message}" if request else message)
        self.status = status
        self.reason = reason
        self.message = message
        self.request = request
        self.retry_after = retry_after
        self.causes = causes

    @classmethod
    def from_status(cls, raw: Mapping[str, Any], *, request: str = "") -> ApiError:
        """Read a `metav1.Status` from a response body or from a watch's ERROR event."""
        details = raw.get("details") or {}
        return cls(
            int(raw.get("code") or HTTPStatus.INTERNAL_SERVER_ERROR),
            raw.get("reason") or "Unknown",
            raw.get("message") or "the API server gave no message",
            request=request,
            retry_after=_seconds(details.get("retryAfterSeconds")),
            causes=tuple(
                Cause(cause.get("field", ""), cause.get("reason", ""), cause.get("message", ""))
                for cause in details.get("causes") or ()
            ),
        )

    @classmethod
    def from_response(
        cls, status: int, headers: Mapping[str, str], body: bytes, request: str
    ) -> ApiError:
        """Read an unsuccessful response, whose body is a Status or plain text."""
        error = cls._from_body(status, body, request)
        error.status = status
        error.retry_after = _seconds(headers.get("retry-after")) or error.retry_after
        return error

    @classmethod
    def _from_body(cls, status: int, body: bytes, request: str) -> ApiError:
        try:
            raw = from_json(body)
        except ValueError:
            raw = None
        if isinstance(raw, dict) and raw.get("kind") == "Status":
            return cls.from_status(raw, request=request)
        text = body.decode(errors="replace").strip()[:_MESSAGE_LIMIT]
        return cls(status, "Unknown", text or f"HTTP status {status}", request=request)

    @property
    def is_unreachable(self) -> bool:
        """Whether no connection was established, so the server cannot have seen the request."""
        return self.reason == REFUSED

    @property
    def is_not_found(self) -> bool:
        """Whether the object or its resource does not exist."""
        return self.status == HTTPStatus.NOT_FOUND

    @property
    def is_forbidden(self) -> bool:
        """Whether RBAC or an admission plugin rejected the request."""
        return self.status == HTTPStatus.FORBIDDEN

    @property
    def is_namespace_terminating(self) -> bool:
        """Whether the namespace is terminating (Go: NamespaceTerminatingCause)."""
        return any(cause.reason == "NamespaceTerminating" for cause in self.causes)

    @property
    def is_already_exists(self) -> bool:
        """Whether an object with that name already exists."""
        return self.status == HTTPStatus.CONFLICT and self.reason == "AlreadyExists"

    @property
    def is_conflict(self) -> bool:
        """Whether the object is not, or no longer, the one that the request expects.

        A mismatched UID is reported as an invalid change of `metadata.uid` if the object exists,
        and as a conflict if it does not.
        """
        if self.status == HTTPStatus.CONFLICT:
            return not self.is_already_exists
        return any(cause.field == "metadata.uid" for cause in self.causes)

    @property
    def is_expired(self) -> bool:
        """Whether the server no longer has the resourceVersion, or does not have it yet.

        The latter is reported as a timeout with the cause `ResourceVersionTooLarge` (client-go,
        tools/cache/reflector.go, isTooLargeResourceVersionError).
        """
        if self.status == HTTPStatus.GONE or self.reason in {"Expired", "Gone"}:
            return True
        return any(cause.reason == "ResourceVersionTooLarge" for cause in self.causes) or (
            "Too large resource version" in self.message
        )

    @property
    def is_retryable(self) -> bool:
        """Whether the same request may succeed later."""
        return (
            self.status in {NO_ANSWER, HTTPStatus.TOO_MANY_REQUESTS}
            or self.status >= HTTPStatus.INTERNAL_SERVER_ERROR
            or self.is_conflict
        )


def _seconds(raw: object) -> float | None:
    """Parse a Retry-After in seconds; no API server sends its other form, a date."""
    text = str(raw or "").strip()
    return float(text) if text.isdecimal() and float(text) > 0 else None
