"""Finds the buckets that a call takes from, given the limits of a catalog."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mcp_operator.api.catalog import Catalog
from mcp_operator.api.limits import LimitRule, RateLimit, RateLimits
from mcp_operator.gateway.limits.buckets import Bucket
from mcp_operator.gateway.limits.errors import Limit
from mcp_operator.gateway.policy.access import matches
from mcp_operator.gateway.shares import digest_of
from mcp_operator.gateway.table import Kind, Named


@dataclass(frozen=True, slots=True)
class _Counted:
    """A limit that counts a call, in one bucket for all clients or in one per client."""

    limit: Limit
    name: str
    rate: RateLimit
    per_client: bool = False

    def bucket(self, client: str) -> Bucket:
        key = f"c/{digest_of(client)}/{self.name}" if self.per_client else f"s/{self.name}"
        interval = self.rate.seconds / self.rate.requests
        return Bucket(key, interval, interval * self.rate.burst, self.limit)


class Plan:
    """The limits of one catalog.

    Attributes:
        places: The maximum number of concurrent calls, by the name of the tool.
        counts_resources: Whether a limit depends on which resource is read.
        is_empty: Whether there are no limits.
    """

    def __init__(self, catalog: Catalog) -> None:
        """Collect the limits of a catalog.

        Args:
            catalog: The catalog.
        """
        limits = catalog.server.rate_limits or RateLimits()
        self._rules: Mapping[Kind, tuple[LimitRule, ...]] = {
            "tools": limits.tools,
            "prompts": limits.prompts,
            "resources": limits.resources,
        }
        self._common = (
            *_pair("shared", "", limits.shared, None),
            *_pair("perClient", "", None, limits.per_client),
        )
        self._own = {tool.name: tool.rate_limit for tool in catalog.tools if tool.rate_limit}
        self._known: dict[Named | None, tuple[_Counted, ...]] = {}
        self.places: Mapping[str, int] = {
            tool.name: tool.max_concurrent_requests
            for tool in catalog.tools
            if tool.max_concurrent_requests
        }
        self.counts_resources = bool(limits.resources)
        self.is_empty = not (self._common or any(self._rules.values()) or self._own or self.places)

    def buckets(self, named: Named | None, client: str) -> list[Bucket]:
        """Return the buckets that a client's call takes from.

        Args:
            named: The entry that it is for; None for one that is not served to the client.
            client: The client.
        """
        counted = self._known.get(named)
        if counted is None:  # bounded: the keys are names of the catalog
            counted = self._known[named] = (*self._common, *self._special(named))
        return [each.bucket(client) for each in counted]

    def of_client(self, client: str) -> list[Bucket]:
        """Return the client's own buckets, for requests that do not call anything."""
        return [each.bucket(client) for each in self._common if each.per_client]

    def _special(self, named: Named | None) -> Iterator[_Counted]:
        if named is None:
            return
        for rule in self._rules[named.kind]:
            if matches(rule.pattern, named.name):
                name = f"{named.kind}/{rule.pattern}"
                yield from _pair(named.kind, name, rule.shared, rule.per_client)
        if named.kind == "tools" and (own := self._own.get(named.name)):
            yield _Counted("tool", f"tool/{named.name}", own)


def _pair(
    limit: Limit, name: str, shared: RateLimit | None, per_client: RateLimit | None
) -> Iterator[_Counted]:
    if shared is not None:
        yield _Counted(limit, name, shared)
    if per_client is not None:
        yield _Counted(limit, name, per_client, per_client=True)
