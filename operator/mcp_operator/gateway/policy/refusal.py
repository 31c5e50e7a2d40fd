"""The response to a client that is refused."""

from __future__ import annotations

from typing import Final, Literal

from mcp_operator.core.errors import OperatorError

Why = Literal["missing", "invalid", "forbidden", "busy", "unavailable"]

_STATUS: Final = {"missing": 401, "invalid": 401, "forbidden": 403, "busy": 429, "unavailable": 503}


class Refusal(OperatorError):  # noqa: N818 - an answer to a client, not a fault
    """A request is not let in; the sentence is fit for clients and quotes nothing of them.

    Attributes:
        why: `missing` credentials, `invalid` ones, ones that are `forbidden` to do this, too many
            new ones at once (`busy`), or none can be verified now (`unavailable`).
        scopes: Those of which one would have helped.
    """

    def __init__(self, why: Why, message: str, scopes: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.why: Why = why
        self.scopes = scopes

    @property
    def retry_after(self) -> int | None:
        """Seconds after which the same request may be let in, if that helps."""
        return 1 if self.why in ("busy", "unavailable") else None

    @property
    def status(self) -> int:
        """The HTTP status."""
        return _STATUS[self.why]
