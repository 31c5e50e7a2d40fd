"""The response to a client that is refused."""

from __future__ import annotations

from typing import Final, Literal

from mcp_operator.core.errors import OperatorError

Why = Literal["missing", "invalid", "forbidden", "busy", "unavailable"]

_STATUS: Final = {"missing": 401, "invalid": 401, "forbidden": 403, "busy": 429, "unavailable": 503}


class Refusal(OperatorError):  # noqa: N818 - a response to a client, not a fault
    """A request is refused; the message is safe for clients and quotes nothing that they sent.

    Attributes:
        why: Credentials are `missing`, `invalid`, or `forbidden` to do this; too many new ones came
            at once (`busy`); or none can be verified now (`unavailable`).
        scopes: Any one of these scopes would have been enough.
    """

    def __init__(self, why: Why, message: str, scopes: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.why: Why = why
        self.scopes = scopes

    @property
    def retry_after(self) -> int | None:
        """Seconds after which the same request can succeed; None if a retry does not help."""
        return 1 if self.why in ("busy", "unavailable") else None

    @property
    def status(self) -> int:
        """The HTTP status."""
        return _STATUS[self.why]
