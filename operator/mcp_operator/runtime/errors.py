"""What the API server, or the way to it, answers when it refuses.

One class is enough: callers decide by what can be done about it, through the properties.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from pydantic_core import from_json

from mcp_operator.core.errors import OperatorError

NO_ANSWER: Final = 0
"""The status of a request that got no answer at all."""

REFUSED: Final = "ConnectionRefused"
"""Reason: no connection came about, so the server has certainly not seen the request."""

LOST: Final = "ConnectionLost"
"""Reason: the connection broke or timed out; the server may have acted on the request."""

MALFORMED: Final = "MalformedAnswer"
"""Reason: the answer is not what the Kubernetes API speaks."""

_MESSAGE_LIMIT: Final = 512
"""Characters kept of an answer that is not a Status: proxies answer with whole pages."""


class LeadershipLostError(OperatorError):
    """The lease can no longer be relied on; another process may lead now."""


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
        message: What the server said.
        request: What was asked, as `METHOD PATH`; empty for a watch's ERROR event.
        retry_after: Seconds after which the server wants to be asked again, if it said so.
        causes: The single fields the server complains about.
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
        """Read a `metav1.Status`, from an answer's body or from a watch's ERROR event."""
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
    def from_answer(
        cls, status: int, headers: Mapping[str, str], body: bytes, request: str
    ) -> ApiError:
        """Read an answer that is not a success; its body may be a Status or plain text.

        Args:
            status: The HTTP status.
            headers: The headers, by their names in lower case.
            body: The body.
            request: What was asked, for the error's text.
        """
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
    def is_not_found(self) -> bool:
        """The object, or the whole kind, does not exist."""
        return self.status == HTTPStatus.NOT_FOUND

    @property
    def is_forbidden(self) -> bool:
        """RBAC or an admission plugin refused."""
        return self.status == HTTPStatus.FORBIDDEN

    @property
    def is_namespace_terminating(self) -> bool:
        """Nothing can be made any more where it was to be made (Go: NamespaceTerminatingCause)."""
        return any(cause.reason == "NamespaceTerminating" for cause in self.causes)

    @property
    def is_already_exists(self) -> bool:
        """An object of that name was there before."""
        return self.status == HTTPStatus.CONFLICT and self.reason == "AlreadyExists"

    @property
    def is_conflict(self) -> bool:
        """The object is not, or no longer, the one that the request was made for.

        A uid that does not match is told as an invalid change of `metadata.uid` where the object
        exists, and as a conflict where it does not.
        """
        if self.status == HTTPStatus.CONFLICT:
            return not self.is_already_exists
        return any(cause.field == "metadata.uid" for cause in self.causes)

    @property
    def is_expired(self) -> bool:
        """The resourceVersion is one the server no longer has, or does not have yet.

        The second comes as a timeout with the cause `ResourceVersionTooLarge` (client-go,
        tools/cache/reflector.go, isTooLargeResourceVersionError).
        """
        if self.status == HTTPStatus.GONE or self.reason in {"Expired", "Gone"}:
            return True
        return any(cause.reason == "ResourceVersionTooLarge" for cause in self.causes) or (
            "Too large resource version" in self.message
        )

    @property
    def is_retryable(self) -> bool:
        """The same request may succeed later without any change of it."""
        return (
            self.status in {NO_ANSWER, HTTPStatus.TOO_MANY_REQUESTS}
            or self.status >= HTTPStatus.INTERNAL_SERVER_ERROR
            or self.is_conflict
        )


def _seconds(raw: object) -> float | None:
    """Read a Retry-After; its other form, a date, is not used by any API server."""
    text = str(raw or "").strip()
    return float(text) if text.isdecimal() and float(text) > 0 else None
