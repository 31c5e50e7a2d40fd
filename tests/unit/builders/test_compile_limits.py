"""Rate limits and concurrency limits of servers and tools, as gateways get them."""

from __future__ import annotations

from typing import Any

import pytest

from mcp_operator.api.catalog import ToolEntry
from mcp_operator.api.limits import LimitRule, RateLimit, RateLimits
from mcp_operator.api.v1alpha1 import MCPServer, MCPTool
from mcp_operator.builders.catalog import server_settings
from mcp_operator.builders.compile_tool import compile_tool
from mcp_operator.builders.references import Facts
from support.manifests import server, tool, tools


def limits(**given: Any) -> RateLimits | None:
    return server_settings(MCPServer.model_validate(server(rateLimits=given))).rate_limits


def compiled(obj: Any) -> dict[str, ToolEntry]:
    entries = compile_tool(MCPTool.model_validate(obj), Facts(check_services=False)).entries
    return {entry.name: entry for entry in entries if isinstance(entry, ToolEntry)}


@pytest.mark.parametrize(("per", "seconds"), [("Second", 1), ("Minute", 60), ("Hour", 3600)])
def test_the_default_burst_is_the_number_of_requests_per_period(per: str, seconds: int) -> None:
    expected = RateLimit(requests=7, seconds=seconds, burst=7)
    assert limits(shared={"requests": 7, "per": per}) == RateLimits(shared=expected)


def test_rules_keep_their_patterns_and_their_order() -> None:
    wide = {"name": "*", "perClient": {"requests": 9, "burst": 2}}
    narrow = {"name": "a-*", "shared": {"requests": 1, "per": "Second"}}
    rules = (
        LimitRule(pattern="*", per_client=RateLimit(requests=9, seconds=60, burst=2)),
        LimitRule(pattern="a-*", shared=RateLimit(requests=1, seconds=1, burst=1)),
    )
    for kind in ("tools", "prompts", "resources"):
        assert limits(**{kind: [wide, narrow]}) == RateLimits.model_validate({kind: rules})


def test_the_settings_of_a_server_without_limits_have_none() -> None:
    settings = server_settings(MCPServer.model_validate(server()))
    assert settings.rate_limits is None
    assert "imit" not in settings.canonical_json


def test_the_concurrency_limit_for_one_client_reaches_the_settings() -> None:
    obj = server(config={"maxConcurrentRequestsPerClient": 3})
    settings = server_settings(MCPServer.model_validate(obj))
    assert settings.max_concurrent_requests_per_client == 3


def test_a_tool_can_have_its_own_limits() -> None:
    entry = compiled(tool(rateLimit={"requests": 2}, maxConcurrentRequests=3))["search"]
    assert entry.rate_limit == RateLimit(requests=2, seconds=60, burst=2)
    assert entry.max_concurrent_requests == 3
    entry = compiled(tool())["search"]
    assert (entry.rate_limit, entry.max_concurrent_requests) == (None, None)


def test_entries_inherit_the_limits_of_their_object_unless_they_set_their_own() -> None:
    one = {"name": "one", "path": "/"}
    two = {"name": "two", "path": "/", "rateLimit": {"requests": 5}, "maxConcurrentRequests": 6}
    found = compiled(tools(one, two, rateLimit={"requests": 1}, maxConcurrentRequests=9))
    requests = {name: (e.rate_limit and e.rate_limit.requests) for name, e in found.items()}
    assert requests == {"one": 1, "two": 5}
    places = {name: e.max_concurrent_requests for name, e in found.items()}
    assert places == {"one": 9, "two": 6}


def test_entries_inherit_required_client_capabilities_unless_they_set_their_own() -> None:
    one = {"name": "one", "path": "/"}
    two = {"name": "two", "path": "/", "requiredClientCapabilities": ["Roots"]}
    found = compiled(tools(one, two, requiredClientCapabilities=["Sampling", "Elicitation"]))
    required = {name: e.required_client_capabilities for name, e in found.items()}
    assert required == {"one": ("Sampling", "Elicitation"), "two": ("Roots",)}
    assert compiled(tool())["search"].required_client_capabilities == ()
