"""MCPTools with invalid endpoints and credentials."""

from __future__ import annotations

from mcp_operator.core.meta import Object
from support.manifests import SERVICE, tool, tools, without
from support.negatives.case import Negative

CREDENTIALS = "spec.request.credentials"
TOKEN_URL = "https://login.example.com/token"  # noqa: S105 - an address


def external(url: str, **fields: object) -> Object:
    return without(tool(external={"url": url, **fields}), "service")


def credentials(type_: str, secret: Object | None = None, **fields: object) -> Object:
    written = {"type": type_, "secretRef": {"name": "s", **(secret or {})}, **fields}
    return tool(request={"credentials": written})


def oauth2(**fields: object) -> Object:
    return credentials("OAuth2", oauth2={"tokenURL": TOKEN_URL, **fields})


_NAMED = "name is required with types Query and Cookie"

ENDPOINTS = [
    Negative(
        "a Service and an external host",
        tool(external={"url": "https://api.example.com"}),
        "spec.external",
        "set only one of service and external",
    ),
    Negative(
        "a Service and an external host in an entry",
        tools({"name": "a", "service": SERVICE, "external": {"url": "https://api.example.com"}}),
        "spec.tools[0].external",
        "set only one of service and external",
    ),
    *(
        Negative(
            f"an external URL with {what}",
            external(url),
            "spec.external.url",
            "write a URL such as https://api.example.com/v1",
        )
        for what, url in (
            ("no scheme", "api.example.com"),
            ("another scheme", "ftp://api.example.com"),
            ("scheme file", "file:///etc/passwd"),
            ("a user", "https://user:pass@api.example.com"),
            ("a user that looks like a host", "https://api.example.com@evil.example"),
            ("a query", "https://api.example.com/?key=1"),
            ("a fragment", "https://api.example.com/#a"),
            ("a parameter in the host", "https://{host}/v1"),
            ("an IPv6 address", "https://[::1]/"),
            ("uppercase letters", "https://API.example.com"),
            ("a line break", "https://api.example.com/\r\nX: 1"),
            ("a backslash", "https://api.example.com\\@evil.example"),
        )
    ),
    Negative(
        "an external host with .. in the path",
        external("https://api.example.com/v1/../admin"),
        "spec.external.url",
        "must not contain the segments . or ..",
    ),
    Negative(
        "TLS settings of an external host without https",
        external("http://api.example.com", tls={"serverName": "api.example.com"}),
        "spec.external.tls",
        "tls needs a url that begins with https://",
    ),
    Negative(
        "a virtual host with a port",
        tool(service={**SERVICE, "host": "shop.example.com:80"}),
        "spec.service.host",
        "use lower-case letters",
    ),
    Negative(
        "a virtual host with a line break",
        tool(service={**SERVICE, "host": "a\r\nX-Admin: 1"}),
        "spec.service.host",
        "use lower-case letters",
    ),
    Negative(
        "a client certificate without name",
        tool(service={**SERVICE, "scheme": "https", "tls": {"clientCertificateSecretRef": {}}}),
        "spec.service.tls.clientCertificateSecretRef.name",
        "Required value",
    ),
    Negative(
        "credentials of an unknown type",
        credentials("Digest"),
        f"{CREDENTIALS}.type",
        'supported values: "Bearer", "Basic", "Header", "Query", "Cookie", "OAuth2"',
    ),
    *(
        Negative(
            f"credentials of type {type_} without name",
            credentials(type_),
            f"{CREDENTIALS}.name",
            _NAMED,
        )
        for type_ in ("Query", "Cookie")
    ),
    *(
        Negative(
            f"credentials of type {type_} with a name",
            credentials(type_, name="x"),
            f"{CREDENTIALS}.name",
            _NAMED,
        )
        for type_ in ("Bearer", "Basic")
    ),
    Negative(
        "credentials with header and name",
        credentials("Header", header="X-A", name="X-B"),
        f"{CREDENTIALS}.header",
        "type: Header requires exactly one of header and name",
    ),
    Negative(
        "a header for Query credentials",
        credentials("Query", header="X-A", name="key"),
        f"{CREDENTIALS}.header",
        "type: Header requires exactly one of header and name",
    ),
    Negative(
        "credentials in a header with a colon",
        credentials("Header", name="X:"),
        f"{CREDENTIALS}.name",
        "write the name of a header or cookie",
    ),
    Negative(
        "credentials in a cookie with a comma",
        credentials("Cookie", name="a,b"),
        f"{CREDENTIALS}.name",
        "write the name of a header or cookie",
    ),
    Negative(
        "credentials in the Host header",
        credentials("Header", name="HOST"),
        f"{CREDENTIALS}.name",
        "are set by the gateway; name another",
    ),
    Negative(
        "a prefix for Basic credentials",
        credentials("Basic", prefix="Token "),
        f"{CREDENTIALS}.prefix",
        "prefix is for tokens that are sent unchanged",
    ),
    Negative(
        "a prefix with a line break",
        credentials("Bearer", prefix="Token\r\n"),
        f"{CREDENTIALS}.prefix",
        "a prefix is printable ASCII",
    ),
    Negative(
        "OAuth2 without a token endpoint",
        credentials("OAuth2"),
        f"{CREDENTIALS}.oauth2",
        "oauth2 is required with type: OAuth2",
    ),
    Negative(
        "a token endpoint for Bearer credentials",
        credentials("Bearer", oauth2={"tokenURL": TOKEN_URL}),
        f"{CREDENTIALS}.oauth2",
        "oauth2 is required with type: OAuth2",
    ),
    Negative(
        "a token endpoint with a query",
        oauth2(tokenURL=f"{TOKEN_URL}?tenant=a"),
        f"{CREDENTIALS}.oauth2.tokenURL",
        "write a URL such as",
    ),
    Negative(
        "a token endpoint with a path parameter",
        oauth2(tokenURL="https://login.example.com/{tenant}/token"),
        f"{CREDENTIALS}.oauth2.tokenURL",
        "write a URL such as",
    ),
    Negative(
        "a scope with a space",
        oauth2(scopes=["read write"]),
        f"{CREDENTIALS}.oauth2.scopes[0]",
        "a scope has printable ASCII characters",
    ),
    Negative(
        "a scope twice",
        oauth2(scopes=["read", "read"]),
        f"{CREDENTIALS}.oauth2.scopes[1]",
        "Duplicate value",
    ),
    Negative(
        "an unknown client authentication",
        oauth2(clientAuthentication="JWT"),
        f"{CREDENTIALS}.oauth2.clientAuthentication",
        'supported values: "Basic", "Post"',
    ),
    Negative(
        "TLS settings of a token endpoint without https",
        oauth2(tokenURL="http://login.example.com", tls={"serverName": "login.example.com"}),
        f"{CREDENTIALS}.oauth2.tls",
        "tls needs a tokenURL that begins with https://",
    ),
    *(
        Negative(
            f"credentials of type {type_} with {key}",
            credentials(type_, {key: "k"}, **fields),
            f"{CREDENTIALS}.secretRef",
            "remove what the type does not read",
        )
        for type_, key, fields in (
            ("Bearer", "usernameKey", {}),
            ("Bearer", "clientIDKey", {}),
            ("Basic", "clientSecretKey", {}),
            ("Query", "passwordKey", {"name": "q"}),
            ("OAuth2", "key", {"oauth2": {"tokenURL": TOKEN_URL}}),
            ("OAuth2", "usernameKey", {"oauth2": {"tokenURL": TOKEN_URL}}),
        )
    ),
]
