"""The endpoints of requests: Services with named or numbered ports, and allowed external hosts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mcp_operator.api.catalog import Backend, Credentials, ResourceEntry, SecretKey, ToolEntry
from mcp_operator.api.hosts import is_allowed, is_outside
from mcp_operator.api.reasons import Reason
from mcp_operator.builders.cluster_facts import called_by, gather_cluster_facts
from mcp_operator.builders.compile_resource import compile_resource
from mcp_operator.builders.compile_tool import compile_tool, tool_references
from mcp_operator.builders.compiled import Entry
from mcp_operator.builders.references import Facts
from mcp_operator.core.meta import Key
from support.compiled import SERVICE, TO_ORDERS, facts, resource, tool
from support.compiled_tools import entry, finding
from support.entries import catalog

SECRETS = {
    "client": {"client_id", "client_secret", "id", "key"},
    "pair": {"tls.crt", "tls.key"},
    "ca": {"ca.crt"},
}
KNOWN = facts(secrets=SECRETS)
ALLOWED = replace(KNOWN, external_hosts=("api.example.com", "*.example.org"))


def outside(url: str, given: Facts = ALLOWED, **spec: Any) -> Backend:
    return entry(given, service=None, external={"url": url}, **spec).backend


def backend_of(compiled: Entry) -> Backend:
    assert isinstance(compiled, ToolEntry | ResourceEntry)
    assert compiled.backend is not None
    return compiled.backend


def secret(name: str, key: str) -> SecretKey:
    return SecretKey(namespace="demo", name=name, key=key)


def test_a_port_is_resolved_by_its_name() -> None:
    assert entry(KNOWN, service={"name": "orders", "port": "http"}).backend.port == 80
    found = finding(KNOWN, service={"name": "orders", "port": "grpc"})
    assert found.reason is Reason.PORT_NOT_FOUND
    assert found.message == "Service demo/orders has no port grpc; use one of: 80 (http)"


def test_a_virtual_host_does_not_change_the_address() -> None:
    backend = entry(KNOWN, service=TO_ORDERS | {"host": "shop.example.com"}).backend
    assert (backend.host, backend.virtual_host) == ("orders.demo.svc", "shop.example.com")


def test_a_client_certificate_has_both_keys_of_its_secret() -> None:
    tls = {"clientCertificateSecretRef": {"name": "pair"}}
    compiled = compile_tool(tool(service=TO_ORDERS | {"scheme": "https", "tls": tls}), KNOWN)
    [only] = compiled.entries
    assert backend_of(only).client_certificate == secret("pair", "tls.crt")
    assert backend_of(only).client_key == secret("pair", "tls.key")
    assert compiled.secrets == (frozenset({secret("pair", "tls.crt"), secret("pair", "tls.key")}),)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://api.example.com", ("https", "api.example.com", 443, "/")),
        ("https://api.example.com/v1/", ("https", "api.example.com", 443, "/v1")),
        ("http://a.example.org:8080/x", ("http", "a.example.org", 8080, "/x")),
    ],
)
def test_an_external_host_that_is_allowed_is_the_backend(url: str, expected: Any) -> None:
    backend = outside(url)
    assert (backend.scheme, backend.host, backend.port, backend.path) == expected
    assert backend.external


def test_the_path_of_a_tool_is_appended_to_the_url() -> None:
    tools = [{"name": "one", "path": "/orders/{id}"}, {"name": "all"}]
    spec = {"external": {"url": "https://api.example.com/v1"}, "service": None}
    compiled = compile_tool(tool(tools=tools, **spec), ALLOWED)
    assert [backend_of(each).path for each in compiled.entries] == ["/v1/orders/{id}", "/v1"]
    assert outside("https://api.example.com/v1/{id}").arguments[0].target == "id"


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("https://other.example.com", "--external-host"),
        ("https://example.org", "--external-host"),
        ("https://api.example.com.evil.example", "--external-host"),
        ("https://orders.demo.svc", "it is a Service of the cluster"),
        ("https://orders.demo.svc.cluster.local", "use the public name of the host"),
        ("https://orders", "use the public name of the host"),
        ("https://localhost", "use the public name of the host"),
        ("https://10.0.0.1", "use the public name of the host"),
        ("https://93.184.216.34", "use the public name of the host"),
    ],
)
def test_the_finding_about_a_host_that_is_not_allowed_names_the_fix(url: str, why: str) -> None:
    found = finding(ALLOWED, service=None, external={"url": url})
    assert found.reason is Reason.REF_NOT_PERMITTED
    assert url.removeprefix("https://") in found.message
    assert why in found.message


def test_no_external_host_is_allowed_by_default() -> None:
    found = finding(KNOWN, service=None, external={"url": "https://api.example.com"})
    assert found.reason is Reason.REF_NOT_PERMITTED


def test_a_port_over_65535_is_invalid() -> None:
    found = finding(ALLOWED, service=None, external={"url": "https://api.example.com:70000"})
    assert found.message == "external.url: the port must be at most 65535"


@pytest.mark.parametrize(
    ("host", "patterns", "allowed"),
    [
        ("a.example.com", ["*"], True),
        ("a.b.example.com", ["*.example.com"], True),
        ("example.com", ["*.example.com"], False),
        ("aexample.com", ["*.example.com"], False),
        ("127.0.0.1", ["*", "127.0.0.1"], False),
        ("kubernetes.default.svc", ["*"], False),
    ],
)
def test_a_host_is_allowed_only_if_a_pattern_matches_it(
    host: str, patterns: list[str], *, allowed: bool
) -> None:
    assert is_allowed(host, patterns) is allowed


@pytest.mark.parametrize("host", ["a.svc", "a.b.svc.corp", "svc", "x.local", "a.localhost", "::1"])
def test_local_names_and_addresses_are_not_external_hosts(host: str) -> None:
    assert not is_outside(host)


def oauth2(**fields: Any) -> Any:
    written = {"tokenURL": "https://api.example.com/token", **fields}
    return {"type": "OAuth2", "secretRef": {"name": "client"}, "oauth2": written}


def credentials(given: Any, known: Facts = ALLOWED) -> Credentials:
    found = entry(known, request={"credentials": given}).backend.credentials
    assert found is not None
    return found


def test_a_token_endpoint_can_be_an_allowed_external_host() -> None:
    found = credentials(oauth2(scopes=["a"], clientAuthentication="Post"))
    assert found.secret == secret("client", "client_secret")
    assert found.username == secret("client", "client_id")
    assert found.oauth2 is not None
    assert (found.oauth2.scopes, found.oauth2.in_form) == (("a",), True)
    endpoint = found.oauth2.endpoint
    assert (endpoint.host, endpoint.path, endpoint.external) == ("api.example.com", "/token", True)
    refused = finding(KNOWN, request={"credentials": oauth2()})
    assert refused.reason is Reason.REF_NOT_PERMITTED
    assert "credentials.oauth2.tokenURL" in refused.message


def test_a_token_endpoint_can_be_a_service() -> None:
    given = oauth2(tokenURL="http://orders.demo.svc/token")
    found = credentials(given, KNOWN).oauth2
    assert found is not None
    assert (found.endpoint.host, found.endpoint.port) == ("orders.demo.svc", 80)
    assert not found.endpoint.external
    asked = tool_references(tool(request={"credentials": given}))
    assert asked.services == {Key("demo", "orders")}
    elsewhere = oauth2(tokenURL="http://login.identity.svc/token")
    assert finding(KNOWN, request={"credentials": elsewhere}).reason is Reason.SERVICE_NOT_FOUND


def test_the_secrets_of_a_token_endpoint_are_collected() -> None:
    tls = {
        "caSecretRef": {"name": "ca", "key": "ca.crt"},
        "clientCertificateSecretRef": {"name": "pair"},
    }
    given = {"credentials": oauth2(tls=tls)}
    [secrets] = compile_tool(tool(request=given), ALLOWED).secrets
    assert {(one.name, one.key) for one in secrets} == {
        ("client", "client_id"),
        ("client", "client_secret"),
        ("ca", "ca.crt"),
        ("pair", "tls.crt"),
        ("pair", "tls.key"),
    }
    names = {key.name for key in tool_references(tool(request=given)).secrets}
    assert names == {"client", "ca", "pair"}


@pytest.mark.parametrize(
    ("written", "name", "prefix"),
    [
        ({"type": "Query", "name": "appid"}, "appid", ""),
        ({"type": "Cookie", "name": "sid"}, "sid", ""),
        ({"type": "Header", "name": "X-Key", "prefix": "Token "}, "X-Key", "Token "),
        ({"type": "Bearer", "prefix": "ApiKey "}, "Authorization", "ApiKey "),
    ],
)
def test_credentials_have_a_name_and_a_prefix(written: Any, name: str, prefix: str) -> None:
    found = credentials({**written, "secretRef": {"name": "client", "key": "key"}})
    assert (found.name, found.prefix, found.secret) == (name, prefix, secret("client", "key"))


def test_cluster_facts_include_token_endpoints_and_external_ports() -> None:
    inside = oauth2(tokenURL="http://orders.demo.svc/token")
    tools = [
        entry(ALLOWED, service=None, external={"url": "https://api.example.com:8443"},
              request={"credentials": inside}),
    ]  # fmt: skip
    service = {**SERVICE, "spec": {**SERVICE["spec"], "selector": {"app": "orders"}}}
    found = gather_cluster_facts(
        called_by(catalog(*tools)), lambda _: service, has_gateway_api=True
    )
    assert found.external_ports == (8443,)
    assert [one.namespace for one in found.destinations] == ["demo"]


def test_a_resource_supports_the_same_request_fields() -> None:
    operation = {
        "name": "order",
        "uriTemplate": "orders://{id}{?lang}",
        "external": {"url": "https://api.example.com/orders/{+no}"},
        "query": [{"name": "v", "value": "1"}],
        "parameters": [
            {"name": "id", "in": "path", "as": "no", "style": "label", "allowReserved": True},
            {"name": "lang", "in": "cookie"},
        ],
    }
    [only] = compile_resource(resource(operations=[operation]), ALLOWED).entries
    assert only.name == "order"
    assert backend_of(only).path == "/orders/{+no}"
    first, second = backend_of(only).arguments
    assert (first.target, first.style, first.allow_reserved) == ("no", "label", True)
    assert second.location == "cookie"
    assert [one.name for one in backend_of(only).query] == ["v"]
