"""How much a gateway serves, and to whom: the limits of a catalog."""

from __future__ import annotations

from mcp_operator.api.catalog_model import CatalogModel


class RateLimit(CatalogModel):
    """Serves `requests` in every `seconds`, and `burst` of them at once after a rest."""

    requests: int
    seconds: int
    burst: int


class LimitRule(CatalogModel):
    """Limits of what a pattern matches, counted together; `*` stands for any characters."""

    pattern: str
    shared: RateLimit | None = None
    per_client: RateLimit | None = None


class RateLimits(CatalogModel):
    """Limits of all calls, and of those of some tools, prompts and resources."""

    shared: RateLimit | None = None
    per_client: RateLimit | None = None
    tools: tuple[LimitRule, ...] = ()
    prompts: tuple[LimitRule, ...] = ()
    resources: tuple[LimitRule, ...] = ()
