"""How many requests a server or a tool takes: of all clients together, and of each."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mcp_operator.api.base import ApiModel, list_map, rule, validated
from mcp_operator.api.v1alpha1.authentication import Pattern

Requests = Annotated[int, Field(ge=1, le=1_000_000)]


class RateLimit(ApiModel):
    """How many requests are served in a time; those beyond get HTTP status 429 and Retry-After."""

    requests: Requests
    """Requests that are served in one second, minute or hour, spread over it or in bursts."""
    per: Literal["Second", "Minute", "Hour"] = "Minute"
    """Time that requests is about."""
    burst: Requests | None = None
    """Requests that are served at once after a rest; as many as requests when left out."""


class LimitRule(ApiModel):
    """Limits of everything that a pattern matches, counted together."""

    model_config = validated(
        rule(
            "has(self.shared) || has(self.perClient)",
            "set at least one limit: shared, perClient or both",
        )
    )

    name: Pattern
    """Name, or URI of a resource as lists show it; * stands for any characters, as in orders-*."""
    shared: RateLimit | None = None
    """Calls of all clients together."""
    per_client: RateLimit | None = None
    """Calls of each client."""


LimitRules = Annotated[
    tuple[LimitRule, ...],
    Field(default_factory=tuple, min_length=1, max_length=32, json_schema_extra=list_map("name")),
]


class RateLimits(ApiModel):
    """How many calls the gateway takes: of tools, prompts, resources and completions.

    Lists are answered from memory and are not counted. A client is identified by its name if
    the server authenticates clients, otherwise by its address. Behind a proxy, all clients have the
    same address.
    """

    model_config = validated(
        rule(
            "has(self.shared) || has(self.perClient) || has(self.tools) || has(self.prompts) "
            "|| has(self.resources)",
            "set at least one limit: shared, perClient, tools, prompts or resources",
        )
    )

    shared: RateLimit | None = None
    """Calls of all clients together."""
    per_client: RateLimit | None = None
    """Calls of each client."""
    tools: LimitRules
    """Additional limits of some tools."""
    prompts: LimitRules
    """Limits of some prompts."""
    resources: LimitRules
    """Limits of some resources, by URI or URI template."""
