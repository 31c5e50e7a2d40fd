"""The rate limits of a catalog."""

from __future__ import annotations

from mcp_operator.api.catalog_model import CatalogModel


class RateLimit(CatalogModel):
    """Allows `requests` per `seconds`, and `burst` at once after a pause."""

    requests: int
    seconds: int
    burst: int


class LimitRule(CatalogModel):
    """Limits for everything that a pattern matches, counted together; `*` is any characters."""

    pattern: str
    shared: RateLimit | None = None
    per_client: RateLimit | None = None


class RateLimits(CatalogModel):
    """Limits for all calls, and for those of some tools, prompts and resources."""

    shared: RateLimit | None = None
    per_client: RateLimit | None = None
    tools: tuple[LimitRule, ...] = ()
    prompts: tuple[LimitRule, ...] = ()
    resources: tuple[LimitRule, ...] = ()
