"""`spec.auth` becomes a part of the catalog, and a missing reference does not open the server."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mcp_operator.api.access import AccessRule, ClaimValues
from mcp_operator.api.catalog import ApiKeys, Auth, Catalog
from mcp_operator.api.jwks import MAX_BYTES, MAX_KEYS, KeySetError, public_keys
from mcp_operator.api.v1alpha1 import MCPServer
from mcp_operator.builders.catalog import build_catalog
from mcp_operator.builders.children import build_children
from mcp_operator.builders.cluster_facts import ClusterFacts, called_by, gather_cluster_facts
from mcp_operator.builders.compile_auth import (
    CompiledAuth,
    auth_references,
    auth_secrets,
    compile_auth,
    condition_faults,
    not_authenticated,
)
from mcp_operator.builders.context import BuildContext
from mcp_operator.builders.httproute import build_http_route
from mcp_operator.builders.ingress import build_ingress
from mcp_operator.builders.references import Facts
from mcp_operator.builders.server_catalog import build_server_catalog
from mcp_operator.core.meta import Key
from support.identity import jwk, provider_keys, rsa_key
from support.servers import server

CLIENTS, KEYS = Key("demo", "clients"), Key("demo", "keys")
CERTS = "http://keycloak.identity.svc:8080/certs"
CONSENTING = {
    "metadata": {
        "name": "keycloak",
        "namespace": "identity",
        "annotations": {"mcp-operator.dev/allow-from": "demo"},
    },
    "spec": {"ports": [{"port": 8080}], "selector": {"app": "keycloak"}},
}
KEYCLOAK = Key("identity", "keycloak")


def by_key(**fields: Any) -> MCPServer:
    api_key = {"secretRef": {"name": "clients"}, **fields}
    return server(auth={"type": "APIKey", "apiKey": api_key})


def by_token(
    uri: str | None = None, spec: dict[str, Any] | None = None, **fields: Any
) -> MCPServer:
    where: dict[str, Any] = {"jwksURI": uri} if uri else {}
    if not uri:
        where = {"jwksConfigMapRef": {"name": "keys", "key": "jwks.json"}}
    jwt = {"issuer": "https://login.example.com", "audiences": ["shop"], **where, **fields}
    return server(auth={"type": "JWT", "jwt": jwt}, **spec or {})


def config_map(content: str) -> Facts:
    return Facts(config_maps={KEYS: {"jwks.json": content}})


def compiled_auth(owner: MCPServer, facts: Facts) -> CompiledAuth:
    compiled = compile_auth(owner, facts)
    assert compiled is not None
    return compiled


def reason(owner: MCPServer, facts: Facts) -> str:
    compiled = compiled_auth(owner, facts)
    assert compiled.finding is not None
    return str(compiled.finding.reason)


def test_a_server_without_auth_serves_every_client() -> None:
    assert compile_auth(server(), Facts()) is None
    assert compile_auth(server(auth={"type": "None"}), Facts()) is None
    assert build_catalog(server(), ()).catalog.schema_version == 1


def test_the_catalog_names_the_secret_of_api_keys_and_does_not_contain_them() -> None:
    facts = Facts(secrets={CLIENTS: frozenset({"alice"})})

    compiled = compiled_auth(by_key(header="X-API-Key"), facts)

    assert compiled.auth == Auth(
        api_keys=ApiKeys(header="x-api-key", namespace="demo", name="clients")
    )
    assert compiled.finding is None
    assert auth_references(by_key()).secrets == {CLIENTS}


def test_keys_can_be_in_several_secrets_and_missing_ones_are_reported() -> None:
    owner = by_key(secretRef=None, secretRefs=[{"name": "red"}, {"name": "blue"}])
    red, blue = Key("demo", "red"), Key("demo", "blue")

    compiled = compiled_auth(owner, Facts(secrets={red: frozenset({"ci"})}))

    assert compiled.auth == Auth(api_keys=ApiKeys(namespace="demo", names=("red", "blue")))
    assert compiled.finding is not None
    assert (
        compiled.finding.message
        == "Secret demo/blue does not exist: create it, or correct the name"
    )
    assert "the others are served" in not_authenticated(compiled.finding)
    assert auth_references(owner).secrets == {red, blue}
    assert auth_secrets(compiled.auth) == {"red", "blue"}
    none = compiled_auth(owner, Facts()).finding
    assert none is not None
    assert (
        none.message == "Secret demo/red does not exist: create it, or correct the name; "
        "Secret demo/blue does not exist: create it, or correct the name"
    )
    assert "none is served" in not_authenticated(none)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (Facts(), "SecretNotFound"),
        (Facts(secrets={CLIENTS: frozenset()}), "SecretNotFound"),
        (Facts(denied=frozenset({CLIENTS})), "RefNotPermitted"),
    ],
)
def test_a_missing_secret_is_reported_as_the_reason(facts: Facts, expected: str) -> None:
    assert reason(by_key(), facts) == expected


def test_a_catalog_with_auth_has_schema_version_two() -> None:
    catalog = build_catalog(by_key(), ()).catalog

    assert catalog.schema_version == 2
    assert Catalog.model_validate_json(catalog.canonical()) == catalog
    assert b'"schemaVersion":2' in catalog.canonical()


def test_a_rule_condition_reaches_the_gateway_and_an_invalid_one_is_reported() -> None:
    def ruled(when: str) -> MCPServer:
        rule = {"name": "staff", "tools": ["*"], "when": when}
        keys = {"secretRef": {"name": "clients"}}
        return server(auth={"type": "APIKey", "apiKey": keys, "rules": [rule]})

    good = ruled("principal.startsWith('team-')")
    [rule] = compiled_auth(good, Facts()).auth.rules
    assert rule == AccessRule(tools=("*",), when="principal.startsWith('team-')")
    assert list(condition_faults(good)) == []
    [(index, problem)] = condition_faults(ruled("tool == 'x'"))
    assert index == 0
    assert "a name other than principal, scopes, claims" in problem


def test_the_role_includes_the_secrets_of_clients_even_before_they_exist() -> None:
    def named(owner: MCPServer, facts: Facts = Facts()) -> list[str]:  # noqa: B008
        catalog = build_server_catalog(owner, (), facts)
        children = build_children(owner, catalog, BuildContext("gateway:1"), ClusterFacts())
        (role,) = [child.object for child in children if child.object["kind"] == "Role"]
        [_, secrets] = role["rules"]
        return sorted({*secrets["resourceNames"]} - {"mcp-server-shop-keys"})

    assert named(server()) == []
    assert named(by_key()) == ["clients"]
    tls = {"caSecretRef": {"name": "ca", "key": "ca.crt"}}
    facts = Facts(secrets={Key("demo", "ca"): frozenset({"ca.crt"})}, external_hosts=("*",))
    assert named(by_token("https://login.example.com/certs", tls=tls), facts) == ["ca"]


def test_the_catalog_has_the_public_keys_of_a_config_map_without_private_parts() -> None:
    private = jwk(rsa_key(), "rsa") | {"d": "hush", "p": "hush", "q": "hush"}
    shared = {"kty": "oct", "kid": "hmac", "k": "hush"}

    compiled = compiled_auth(by_token(), config_map(json.dumps({"keys": [private, shared]})))

    assert compiled.finding is None
    assert compiled.auth.jwt is not None
    assert compiled.auth.jwt.keys == {"keys": [jwk(rsa_key(), "rsa")]}
    assert "hush" not in compiled.auth.canonical_json


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        '{"keys": {}}',
        '{"keys": []}',
        '{"keys": [{"kty": "oct", "k": "aHVzaA"}]}',
        '{"keys": [{"kty": "RSA", "use": "enc"}]}',
        '{"keys": [{"kty": "RSA", "key_ops": ["encrypt"]}]}',
        '{"keys": ["RSA"]}',
        '{"keys": [{"kty": ["RSA"]}]}',
        '{"keys": [{"kty": {}}]}',
        "[" * 100_000,
        " " * (MAX_BYTES + 1),
    ],
)
def test_a_config_map_without_a_valid_key_leaves_the_server_closed(content: str) -> None:
    owner = by_token()
    assert reason(owner, config_map(content)) == "ConfigMapNotFound"
    jwt = compiled_auth(owner, config_map(content)).auth.jwt
    assert jwt is not None
    assert (jwt.keys, jwt.endpoint) == (None, None)


def test_a_missing_config_map_is_reported_as_the_reason() -> None:
    assert reason(by_token(), Facts()) == "ConfigMapNotFound"
    assert reason(by_token(), Facts(config_maps={KEYS: {"other": ""}})) == "ConfigMapNotFound"
    assert auth_references(by_token()).config_maps == {KEYS}


def test_the_number_of_keys_in_a_key_set_is_limited() -> None:
    many = json.dumps({"keys": provider_keys() * 100})

    assert len(public_keys(many)) == MAX_KEYS
    with pytest.raises(KeySetError, match="not JSON"):
        public_keys(b"\xff")


def test_keys_are_fetched_from_a_service_that_grants_access() -> None:
    owner = by_token(CERTS)
    facts = Facts(services={KEYCLOAK: CONSENTING})

    compiled = compiled_auth(owner, facts)

    assert compiled.finding is None
    assert compiled.auth.jwt is not None
    endpoint = compiled.auth.jwt.endpoint
    assert endpoint is not None
    assert (endpoint.host, endpoint.port, endpoint.path) == (
        "keycloak.identity.svc",
        8080,
        "/certs",
    )
    assert auth_references(owner).services == {KEYCLOAK}
    catalog = build_catalog(owner, (), facts).catalog
    found = gather_cluster_facts(
        called_by(catalog), {KEYCLOAK: CONSENTING}.get, has_gateway_api=False
    ).destinations
    assert [(each.namespace, each.ports) for each in found] == [("identity", ("8080",))]


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (Facts(), "ServiceNotFound"),
        (Facts(services={KEYCLOAK: CONSENTING | {"metadata": {}}}), "RefNotPermitted"),
        (Facts(services={KEYCLOAK: CONSENTING | {"spec": {"ports": []}}}), "PortNotFound"),
    ],
)
def test_a_missing_or_forbidden_service_of_keys_is_reported_as_the_reason(
    facts: Facts, expected: str
) -> None:
    assert reason(by_token(CERTS), facts) == expected


def test_an_external_host_of_keys_must_be_allowed_by_the_installation() -> None:
    owner = by_token("https://login.example.com/certs")

    assert reason(owner, Facts()) == "RefNotPermitted"
    assert compiled_auth(owner, Facts(external_hosts=("*.example.com",))).finding is None
    address = by_token("https://169.254.169.254/certs")
    assert reason(address, Facts(external_hosts=("*",))) == "RefNotPermitted"


def test_omitted_jwt_fields_have_defaults() -> None:
    ingress = {"host": "mcp.example.com", "tlsSecretName": "tls", "pathPrefix": "/shop"}
    compiled = compiled_auth(by_token(spec={"ingress": ingress}, requiredScopes=["use"]), Facts())

    jwt = compiled.auth.jwt
    assert jwt is not None
    assert jwt.resource == "https://mcp.example.com/shop"
    assert jwt.authorization_servers == ("https://login.example.com",)
    assert jwt.scopes_supported == ("use",)
    assert jwt.user_claim == "sub"


def test_the_ingress_and_the_route_include_the_path_of_the_metadata() -> None:
    ingress = build_ingress(
        by_token(spec={"ingress": {"host": "a.example", "pathPrefix": "/shop"}})
    )
    route = {"parentRefs": [{"name": "public"}], "pathPrefix": "/shop/"}
    http_route = build_http_route(by_token(spec={"httpRoute": route}))
    well_known = "/.well-known/oauth-protected-resource/shop"

    assert ingress is not None
    assert [
        (path["path"], path["pathType"]) for path in ingress["spec"]["rules"][0]["http"]["paths"]
    ] == [("/shop", "Prefix"), (well_known, "Exact")]
    assert http_route is not None
    assert [match["path"] for match in http_route["spec"]["rules"][0]["matches"]] == [
        {"type": "PathPrefix", "value": "/shop/"},
        {"type": "Exact", "value": well_known},
    ]


def test_an_ingress_with_the_path_prefix_root_has_one_path() -> None:
    ingress = build_ingress(by_token(spec={"ingress": {"pathPrefix": "/"}}))

    assert ingress is not None
    assert len(ingress["spec"]["rules"][0]["http"]["paths"]) == 1


def test_a_jwt_server_without_jwt_settings_accepts_no_client() -> None:
    assert compiled_auth(server(auth={"type": "JWT"}), Facts()).auth == Auth()


def test_rules_are_compiled_with_all_their_fields() -> None:
    rule = {
        "name": "readers",
        "tools": ["get-*"],
        "principals": ["*"],
        "claims": [{"name": "groups", "values": ["staff"]}],
    }
    owner = server(
        auth={"type": "APIKey", "apiKey": {"secretRef": {"name": "clients"}}, "rules": [rule]}
    )

    assert compiled_auth(owner, Facts()).auth.rules == (
        AccessRule(
            tools=("get-*",),
            principals=("*",),
            claims=(ClaimValues(name="groups", values=("staff",)),),
        ),
    )
