"""Wrong limits of servers and tools."""

from __future__ import annotations

from support.manifests import server, tool
from support.negatives.case import Negative

LIMITS = [
    Negative(
        "rate limits of nothing",
        server(rateLimits={}),
        "spec.rateLimits",
        "set shared, perClient, tools, prompts or resources",
    ),
    Negative(
        "rate limits in mode Direct",
        server(image="example/server:1", rateLimits={"shared": {"requests": 1}}),
        "spec.rateLimits",
        "in mode Direct your own server limits its clients",
    ),
    Negative(
        "a rate limit without a number",
        server(rateLimits={"shared": {"per": "Second"}}),
        "spec.rateLimits.shared.requests",
        "Required value",
    ),
    Negative(
        "a rate limit of no requests",
        server(rateLimits={"perClient": {"requests": 0}}),
        "spec.rateLimits.perClient.requests",
        "greater than or equal to 1",
    ),
    Negative(
        "a rate limit without a burst",
        server(rateLimits={"perClient": {"requests": 1, "burst": 0}}),
        "spec.rateLimits.perClient.burst",
        "greater than or equal to 1",
    ),
    Negative(
        "a rate limit per day",
        server(rateLimits={"shared": {"requests": 1, "per": "Day"}}),
        "spec.rateLimits.shared.per",
        'supported values: "Second", "Minute", "Hour"',
    ),
    Negative(
        "a rule that limits nothing",
        server(rateLimits={"tools": [{"name": "*"}]}),
        "spec.rateLimits.tools[0]",
        "set shared, perClient or both",
    ),
    Negative(
        "two rules for one pattern",
        server(
            rateLimits={
                "resources": [
                    {"name": "docs://*", "shared": {"requests": 1}},
                    {"name": "docs://*", "perClient": {"requests": 1}},
                ]
            }
        ),
        "spec.rateLimits.resources[1]",
        "Duplicate value",
    ),
    Negative(
        "a rule for a name with a space",
        server(rateLimits={"prompts": [{"name": "a b", "shared": {"requests": 1}}]}),
        "spec.rateLimits.prompts[0].name",
        "a pattern is printable ASCII",
    ),
    Negative(
        "rules for no tool",
        server(rateLimits={"tools": []}),
        "spec.rateLimits.tools",
        "should have at least 1 items",
    ),
    Negative(
        "one client that has more than all",
        server(config={"maxConcurrentRequests": 10, "maxConcurrentRequestsPerClient": 11}),
        "spec.config.maxConcurrentRequestsPerClient",
        "one client cannot have more than all together",
    ),
    Negative(
        "one client that has more than all by default",
        server(config={"maxConcurrentRequestsPerClient": 101}),
        "spec.config.maxConcurrentRequestsPerClient",
        "one client cannot have more than all together",
    ),
    Negative(
        "a tool that takes no calls at a time",
        tool(maxConcurrentRequests=0),
        "spec.maxConcurrentRequests",
        "greater than or equal to 1",
    ),
    Negative(
        "a tool whose limit is a number",
        tool(rateLimit=5),
        "spec.rateLimit",
        "must be of type object",
    ),
]
