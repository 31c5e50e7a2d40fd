"""Servers and tools with invalid limits."""

from __future__ import annotations

from support.manifests import server, tool, tools
from support.negatives.case import Negative

SECRET = {"name": "redis", "key": "password"}

LIMITS = [
    Negative(
        "empty rate limits",
        server(rateLimits={}),
        "spec.rateLimits",
        "at least one limit: shared, perClient, tools, prompts or resources",
    ),
    Negative(
        "rate limits in mode Direct",
        server(image="example/server:1", rateLimits={"shared": {"requests": 1}}),
        "spec.rateLimits",
        "in mode Direct, your own server limits its clients",
    ),
    Negative(
        "a rate limit without a number",
        server(rateLimits={"shared": {"per": "Second"}}),
        "spec.rateLimits.shared.requests",
        "Required value",
    ),
    Negative(
        "a rate limit of zero requests",
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
        "a rule without a limit",
        server(rateLimits={"tools": [{"name": "*"}]}),
        "spec.rateLimits.tools[0]",
        "at least one limit: shared, perClient or both",
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
        "a rule without tools",
        server(rateLimits={"tools": []}),
        "spec.rateLimits.tools",
        "should have at least 1 items",
    ),
    Negative(
        "a Redis user without a password",
        server(redis={"serviceName": "a", "usernameSecretRef": SECRET}),
        "spec.redis.passwordSecretRef",
        "set passwordSecretRef",
    ),
    Negative(
        "a user of Sentinels without a password",
        server(
            redis={
                "address": "a.example.com",
                "sentinel": {"masterName": "shop", "usernameSecretRef": SECRET},
            }
        ),
        "spec.redis.sentinel",
        "set sentinel.passwordSecretRef",
    ),
    Negative(
        "Sentinels without the name of the primary",
        server(redis={"serviceName": "a", "sentinel": {}}),
        "spec.redis.sentinel.masterName",
        "Required value",
    ),
    Negative(
        "a primary with a space in its name",
        server(redis={"serviceName": "a", "sentinel": {"masterName": "my master"}}),
        "spec.redis.sentinel.masterName",
        "use letters, digits, '.', '_' and '-'",
    ),
    Negative(
        "a key prefix with a hash tag",
        server(redis={"serviceName": "a", "keyPrefix": "{shop}"}),
        "spec.redis.keyPrefix",
        "use letters, digits",
    ),
    Negative(
        "a negative database",
        server(redis={"serviceName": "a", "db": -1}),
        "spec.redis.db",
        "greater than or equal to 0",
    ),
    Negative(
        "an unknown failureMode",
        server(redis={"serviceName": "a", "failureMode": "Half"}),
        "spec.redis.failureMode",
        'supported values: "Open", "Closed"',
    ),
    *(
        Negative(
            f"a Redis with {name} in mode Direct",
            server(image="a", redis={"serviceName": "a", name: value}),
            "spec.redis",
            "in mode Direct, your own server gets only the address of Redis",
        )
        for name, value in {
            "db": 1,
            "keyPrefix": "a",
            "passwordSecretRef": SECRET,
            "tls": {},
            "sentinel": {"masterName": "a"},
            "failureMode": "Open",
        }.items()
    ),
    Negative(
        "a limit per client above that of the server",
        server(config={"maxConcurrentRequests": 10, "maxConcurrentRequestsPerClient": 11}),
        "spec.config.maxConcurrentRequestsPerClient",
        "the limit of one client cannot be higher than that of all clients",
    ),
    Negative(
        "a limit per client above the default of the server",
        server(config={"maxConcurrentRequestsPerClient": 101}),
        "spec.config.maxConcurrentRequestsPerClient",
        "the limit of one client cannot be higher than that of all clients",
    ),
    Negative(
        "a capability that clients do not have",
        tool(requiredClientCapabilities=["sampling"]),
        "spec.requiredClientCapabilities[0]",
        'supported values: "Elicitation"',
    ),
    Negative(
        "a capability twice",
        tool(requiredClientCapabilities=["Roots", "Roots"]),
        "spec.requiredClientCapabilities[1]",
        "Duplicate value",
    ),
    Negative(
        "an entry with an empty list of capabilities",
        tools({"name": "a", "path": "/a", "requiredClientCapabilities": []}),
        "spec.tools[0].requiredClientCapabilities",
        "should have at least 1 items",
    ),
    Negative(
        "a tool with zero concurrent calls",
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
