"""Compiles how much a gateway serves: `spec.rateLimits`, and a tool's own `rateLimit`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from mcp_operator.api import limits
from mcp_operator.api.v1alpha1 import MCPServer
from mcp_operator.api.v1alpha1.limits import LimitRule, RateLimit

_SECONDS: Final = {"Second": 1, "Minute": 60, "Hour": 3600}


def compile_limits(server: MCPServer) -> limits.RateLimits | None:
    """Return the limits of a server's gateway; None if it has none."""
    spec = server.spec.rate_limits
    if spec is None:
        return None
    return limits.RateLimits(
        shared=compile_limit(spec.shared),
        per_client=compile_limit(spec.per_client),
        tools=_rules(spec.tools),
        prompts=_rules(spec.prompts),
        resources=_rules(spec.resources),
    )


def compile_limit(given: RateLimit | None) -> limits.RateLimit | None:
    """Return a limit with its default filled in."""
    if given is None:
        return None
    return limits.RateLimit(
        requests=given.requests,
        seconds=_SECONDS[given.per],
        burst=given.burst or given.requests,
    )


def _rules(given: Iterable[LimitRule]) -> tuple[limits.LimitRule, ...]:
    return tuple(
        limits.LimitRule(
            pattern=each.name,
            shared=compile_limit(each.shared),
            per_client=compile_limit(each.per_client),
        )
        for each in given
    )
