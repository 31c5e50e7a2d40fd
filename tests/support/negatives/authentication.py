"""MCPServers with invalid `auth`."""

from __future__ import annotations

from typing import Any

from mcp_operator.core.meta import Object
from support.manifests import server
from support.negatives.case import Negative

KEYS: Object = {"secretRef": {"name": "clients"}}
TOKENS: Object = {
    "issuer": "https://login.example.com",
    "audiences": ["shop"],
    "jwksURI": "https://login.example.com/certs",
}


def api_key(**fields: Any) -> Object:
    return server(auth={"type": "APIKey", "apiKey": KEYS | fields})


def jwt(**fields: Any) -> Object:
    given = {name: value for name, value in (TOKENS | fields).items() if value is not None}
    return server(auth={"type": "JWT", "jwt": given})


def ruled(**rule: Any) -> Object:
    given = {"name": "a", "tools": ["*"]} | rule
    rule = {name: value for name, value in given.items() if value is not None}
    return server(auth={"type": "APIKey", "apiKey": KEYS, "rules": [rule]})


AUTHENTICATION = [
    Negative(
        "a condition of a rule that is too long",
        ruled(principals=["*"], when="true || " * 128 + "true"),
        "spec.auth.rules[0].when",
        "may not be more than 1024",
    ),
    Negative(
        "an audit in mode Direct",
        server(image="example/server:1", audit="All"),
        "spec.audit",
        "your own server logs its calls",
    ),
    Negative(
        "an unknown audit level",
        server(audit="Some"),
        "spec.audit",
        'supported values: "Off", "Failures", "All"',
    ),
    Negative(
        "a rule without principals",
        ruled(),
        "spec.auth.rules[0]",
        "set the clients of the rule",
    ),
    Negative(
        "a rule that allows nothing",
        ruled(tools=None, principals=["*"]),
        "spec.auth.rules[0]",
        "set what the rule allows",
    ),
    Negative(
        "a rule with an empty list of clients",
        ruled(principals=[]),
        "spec.auth.rules[0].principals",
        "should have at least 1 items",
    ),
    Negative(
        "a rule with a pattern that has a space",
        ruled(principals=["*"], tools=["a b"]),
        "spec.auth.rules[0].tools[0]",
        "a pattern is printable ASCII",
    ),
    Negative(
        "a rule with a name in upper case",
        ruled(name="Readers", principals=["*"]),
        "spec.auth.rules[0].name",
        "use lower-case letters",
    ),
    Negative(
        "scopes with API keys",
        ruled(anyScope=["read"]),
        "spec.auth.rules",
        "an API key has neither scopes nor claims",
    ),
    Negative(
        "claims with API keys",
        ruled(claims=[{"name": "groups", "values": ["staff"]}]),
        "spec.auth.rules",
        "an API key has neither scopes nor claims",
    ),
    Negative(
        "a claim without values",
        ruled(claims=[{"name": "groups", "values": []}]),
        "spec.auth.rules[0].claims[0].values",
        "should have at least 1 items",
    ),
    Negative(
        "rules without authentication",
        server(auth={"rules": [{"name": "a", "tools": ["*"], "principals": ["*"]}]}),
        "spec.auth.rules",
        "set type: APIKey or type: JWT",
    ),
    Negative(
        "a type of authentication that is unknown",
        server(auth={"type": "Basic"}),
        "spec.auth.type",
        'supported values: "None", "APIKey", "JWT"',
    ),
    Negative(
        "type APIKey without apiKey",
        server(auth={"type": "APIKey"}),
        "spec.auth.apiKey",
        "apiKey is required with type: APIKey",
    ),
    Negative(
        "apiKey without its type",
        server(auth={"apiKey": KEYS}),
        "spec.auth.apiKey",
        "apiKey is required with type: APIKey",
    ),
    Negative(
        "type JWT without jwt",
        server(auth={"type": "JWT"}),
        "spec.auth.jwt",
        "jwt is required with type: JWT",
    ),
    Negative(
        "jwt without its type",
        server(auth={"type": "None", "jwt": TOKENS}),
        "spec.auth.jwt",
        "jwt is required with type: JWT",
    ),
    Negative(
        "authentication in mode Direct",
        server(image="example/server:1", auth={"type": "APIKey", "apiKey": KEYS}),
        "spec.auth",
        "your own server authenticates its clients",
    ),
    Negative(
        "API keys in a header of MCP",
        api_key(header="Mcp-Session-Id"),
        "spec.auth.apiKey.header",
        "this header already has a meaning",
    ),
    Negative(
        "API keys in the header Cookie",
        api_key(header="cookie"),
        "spec.auth.apiKey.header",
        "this header already has a meaning",
    ),
    Negative(
        "API keys in the header Host",
        api_key(header="Host"),
        "spec.auth.apiKey.header",
        "set by the gateway",
    ),
    Negative(
        "API keys without a Secret",
        server(auth={"type": "APIKey", "apiKey": {}}),
        "spec.auth.apiKey",
        "set exactly one of secretRef and secretRefs",
    ),
    Negative(
        "API keys from secretRef and secretRefs",
        api_key(secretRefs=[{"name": "red"}]),
        "spec.auth.apiKey",
        "set exactly one of secretRef and secretRefs",
    ),
    Negative(
        "API keys from an empty list of Secrets",
        server(auth={"type": "APIKey", "apiKey": {"secretRefs": []}}),
        "spec.auth.apiKey.secretRefs",
        "should have at least 1 items",
    ),
    Negative(
        "API keys from the same Secret twice",
        server(auth={"type": "APIKey", "apiKey": {"secretRefs": [{"name": "a"}, {"name": "a"}]}}),
        "spec.auth.apiKey.secretRefs[1]",
        "Duplicate value",
    ),
    Negative(
        "tokens without audiences",
        jwt(audiences=[]),
        "spec.auth.jwt.audiences",
        "should have at least 1 items",
    ),
    Negative(
        "tokens without an issuer", jwt(issuer=None), "spec.auth.jwt.issuer", "Required value"
    ),
    Negative(
        "an issuer that is not a URL",
        jwt(issuer="login.example.com"),
        "spec.auth.jwt.issuer",
        "write a URL such as https://login.example.com",
    ),
    Negative(
        "an issuer with a query",
        jwt(issuer="https://login.example.com/?a=b"),
        "spec.auth.jwt.issuer",
        "without user, query or fragment",
    ),
    Negative(
        "an audience with a space",
        jwt(audiences=["the shop"]),
        "spec.auth.jwt.audiences[0]",
        "an audience is printable ASCII",
    ),
    Negative(
        "a claim with a space",
        jwt(userClaim="the name"),
        "spec.auth.jwt.userClaim",
        "the name of a claim is printable ASCII",
    ),
    Negative(
        "tokens without a source of keys",
        jwt(jwksURI=None),
        "spec.auth.jwt",
        "set exactly one of jwksURI and jwksConfigMapRef",
    ),
    Negative(
        "tokens with two sources of keys",
        jwt(jwksConfigMapRef={"name": "keys", "key": "jwks.json"}),
        "spec.auth.jwt",
        "set exactly one of jwksURI and jwksConfigMapRef",
    ),
    Negative(
        "keys over HTTP from outside the cluster",
        jwt(jwksURI="http://login.example.com/certs"),
        "spec.auth.jwt.jwksURI",
        "an attacker could change the keys and forge tokens",
    ),
    Negative(
        "keys over HTTP from a host that only starts like a Service",
        jwt(jwksURI="http://login.identity.svcs.example.com/certs"),
        "spec.auth.jwt.jwksURI",
        "an attacker could change the keys and forge tokens",
    ),
    Negative(
        "keys over HTTP from a host that only contains the name of a Service",
        jwt(jwksURI="http://login.identity.svc.example.com/certs"),
        "spec.auth.jwt.jwksURI",
        "an attacker could change the keys and forge tokens",
    ),
    Negative(
        "keys from a URL with a user",
        jwt(jwksURI="https://me@login.example.com/certs"),
        "spec.auth.jwt.jwksURI",
        "no user, query or fragment",
    ),
    Negative(
        "TLS settings for keys over HTTP",
        jwt(jwksURI="http://login.identity.svc/certs", tls={"serverName": "login"}),
        "spec.auth.jwt.tls",
        "tls needs a jwksURI that begins with https://",
    ),
    Negative(
        "a scope with a quote",
        jwt(requiredScopes=['mcp"use']),
        "spec.auth.jwt.requiredScopes[0]",
        "a scope has printable ASCII characters",
    ),
]
