"""When a request that failed may be sent again."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from mcp_operator.api.base import LIST_SET, ApiModel, matching
from mcp_operator.api.v1alpha1.common import Duration

RetryCause = Annotated[
    str,
    matching(
        "^(connect-failure|reset|429|5[0-9]{2})$",
        "list connect-failure, reset, 429 or an HTTP status from 500 to 599, such as '503'",
        max_length=15,
    ),
]
"""Istio's and Envoy's words; connect-failure alone is certain not to have reached the backend."""


class Retries(ApiModel):
    """When a request that failed is sent again.

    The call's timeout holds for all tries together. Of the requests to one backend, at most a fifth
    are retries, and ten more, so that they do not add much to the load that made it fail.
    """

    attempts: Annotated[int, Field(ge=1, le=5)] = 2
    """Maximum number of retries of a request."""
    retry_on: tuple[RetryCause, ...] = Field(
        default_factory=lambda: ("connect-failure", "503"),
        min_length=1,
        max_length=16,
        json_schema_extra=LIST_SET,
    )
    """Failures after which a request is retried: connect-failure (no connection was opened),
    reset (the backend closed the connection before its answer was whole) and HTTP statuses;
    connect-failure and '503' when left out."""
    backoff: Duration = "100ms"
    """Time before the first retry, doubled before each further one, or longer if the backend sends
    Retry-After. A request is not retried if it would have to wait beyond the timeout."""
