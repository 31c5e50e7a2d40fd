"""HTTP operations are resolved: headers, credentials, TLS and their references."""

from __future__ import annotations

from typing import Any

import pytest

from mcp_operator.api.catalog import Backend, Credentials, Header, SecretKey
from mcp_operator.api.reasons import Reason
from mcp_operator.api.v1alpha1.backend import ServiceRef
from mcp_operator.api.v1alpha1.request import RequestFields
from mcp_operator.builders.compile_http import (
    HttpCall,
    Referrer,
    compile_backend,
    http_references,
    path_places,
    union,
)
from mcp_operator.builders.compiled import UnresolvedError
from mcp_operator.builders.references import Facts, References
from mcp_operator.core.meta import Key
from support.compiled import TO_ORDERS, facts

LOGIN = facts(secrets={"login": {"token", "username", "password", "pin", "ca.crt"}})
SETTINGS: dict[str, str | bytes] = {
    "region": " eu-1 ",
    "lines": "a\r\nX-Admin: 1",
    "blob": b"\x00",
    "umlaut": "ü",
}


def call(*, timeout: str | None = None, max_bytes: int | None = None, **fields: Any) -> HttpCall:
    return HttpCall(
        service=ServiceRef.model_validate(TO_ORDERS | fields.pop("service", {})),
        path=fields.pop("path", "/"),
        method="GET",
        request=RequestFields.model_validate(fields),
        timeout=timeout,
        max_bytes=max_bytes,
    )


def compiled(given: Facts, **fields: Any) -> Backend:
    return compile_backend(call(**fields), Referrer("MCPTool", "demo", given))


def unresolved(given: Facts, **fields: Any) -> tuple[Reason, str]:
    with pytest.raises(UnresolvedError) as caught:
        compiled(given, **fields)
    return caught.value.finding.reason, caught.value.finding.message


def secret(key: str, name: str = "login") -> SecretKey:
    return SecretKey(namespace="demo", name=name, key=key)


def source(kind: str, name: str, key: str) -> dict[str, Any]:
    return {"name": "X-Key", "valueFrom": {f"{kind}KeyRef": {"name": name, "key": key}}}


def test_a_service_can_be_called_over_tls_with_a_custom_ca() -> None:
    tls = {"caSecretRef": {"name": "login", "key": "ca.crt"}, "serverName": "orders.example"}
    backend = compiled(LOGIN, service={"scheme": "https", "tls": tls})
    assert backend.scheme == "https"
    assert backend.ca == secret("ca.crt")
    assert backend.server_name == "orders.example"
    assert not backend.insecure_skip_verify


def test_the_certificate_is_verified_unless_insecure_skip_verify_is_set() -> None:
    backend = compiled(facts(), service={"scheme": "https"})
    assert (backend.ca, backend.server_name, backend.insecure_skip_verify) == (None, "", False)
    unverified = compiled(facts(), service={"scheme": "https", "tls": {"insecureSkipVerify": True}})
    assert unverified.insecure_skip_verify


def test_timeouts_and_sizes_are_numbers_or_unset() -> None:
    backend = compiled(facts(), timeout="1m30s", max_bytes=5)
    assert (backend.timeout_seconds, backend.max_response_bytes) == (90, 5)
    backend = compiled(facts())
    assert (backend.timeout_seconds, backend.max_response_bytes) == (None, None)


def test_names_of_forwarded_headers_are_lowercased() -> None:
    assert compiled(facts(), forward_headers=("X-Trace",)).forward_headers == ("x-trace",)


def test_a_header_has_a_fixed_value_or_one_from_a_config_map_or_secret() -> None:
    given = facts(secrets={"login": {"token"}}, config_maps={"settings": SETTINGS})
    backend = compiled(
        given,
        headers=[
            {"name": "X-Fixed", "value": "1"},
            source("configMap", "settings", "region"),
            source("secret", "login", "token"),
        ],
    )
    assert backend.headers == (
        Header(name="X-Fixed", value="1"),
        Header(name="X-Key", value="eu-1"),
        Header(name="X-Key", secret=secret("token")),
    )


@pytest.mark.parametrize("key", ["lines", "blob", "umlaut"])
def test_a_header_value_from_a_config_map_must_be_one_line_of_printable_ascii(key: str) -> None:
    given = facts(config_maps={"settings": SETTINGS})
    assert unresolved(given, headers=[source("configMap", "settings", key)]) == (
        Reason.CONFIG_MAP_NOT_FOUND,
        f"header X-Key: key {key!r} of ConfigMap demo/settings is not one line of printable ASCII",
    )


@pytest.mark.parametrize(("key", "value"), [("umlaut", "ü"), ("region", "eu-1")])
def test_a_query_parameter_can_have_any_single_line_of_text(key: str, value: str) -> None:
    given = facts(config_maps={"settings": SETTINGS})
    backend = compiled(given, query=[source("configMap", "settings", key)])
    assert backend.query == (Header(name="X-Key", value=value),)


@pytest.mark.parametrize("key", ["lines", "blob"])
def test_a_query_parameter_with_control_characters_is_rejected(key: str) -> None:
    given = facts(config_maps={"settings": SETTINGS})
    reason, message = unresolved(given, query=[source("configMap", "settings", key)])
    assert reason is Reason.CONFIG_MAP_NOT_FOUND
    assert f"query parameter X-Key: key {key!r} of ConfigMap demo/settings is not one " in message
    assert message.endswith("line of text without control characters")


def test_the_source_of_a_header_must_exist() -> None:
    reason, message = unresolved(facts(), headers=[source("configMap", "settings", "region")])
    assert reason is Reason.CONFIG_MAP_NOT_FOUND
    assert message == "ConfigMap demo/settings does not exist: create it, or correct the name"
    reason, message = unresolved(LOGIN, headers=[source("secret", "login", "other")])
    assert reason is Reason.SECRET_NOT_FOUND
    assert message == "Secret demo/login has no key 'other': add it, or correct the key"


def test_a_header_with_a_source_of_a_newer_release_is_unresolved() -> None:
    headers = [{"name": "X-Key", "valueFrom": {"fieldRef": {"path": "x"}}}]
    assert (
        unresolved(facts(), headers=headers)[1]
        == "header X-Key sets neither value nor a reference: set one of them"
    )


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            {"type": "Bearer", "secretRef": {"name": "login"}},
            Credentials(type="Bearer", secret=secret("token")),
        ),
        (
            {"type": "Bearer", "secretRef": {"name": "login", "key": "pin"}},
            Credentials(type="Bearer", secret=secret("pin")),
        ),
        (
            {"type": "Header", "header": "X-Key", "secretRef": {"name": "login"}},
            Credentials(type="Header", name="X-Key", secret=secret("token")),
        ),
        (
            {"type": "Basic", "secretRef": {"name": "login"}},
            Credentials(type="Basic", secret=secret("password"), username=secret("username")),
        ),
        (
            {"type": "Basic", "secretRef": {"name": "login", "usernameKey": "pin"}},
            Credentials(type="Basic", secret=secret("password"), username=secret("pin")),
        ),
    ],
)
def test_credentials_refer_to_the_secret_keys_of_their_type(
    given: Any, expected: Credentials
) -> None:
    assert compiled(LOGIN, credentials=given).credentials == expected


@pytest.mark.parametrize("missing", ["username", "password"])
def test_basic_credentials_need_both_keys(missing: str) -> None:
    given = facts(secrets={"login": {"username", "password"} - {missing}})
    credentials = {"type": "Basic", "secretRef": {"name": "login"}}
    assert unresolved(given, credentials=credentials) == (
        Reason.SECRET_NOT_FOUND,
        f"Secret demo/login has no key '{missing}': add it, or correct the key",
    )


def test_all_references_are_found_without_reading_them() -> None:
    references = http_references(
        call(
            service={"namespace": "other", "tls": {"caSecretRef": {"name": "ca", "key": "k"}}},
            headers=[
                {"name": "X-Fixed", "value": "1"},
                source("configMap", "settings", "region"),
                source("secret", "key", "k"),
            ],
            credentials={"type": "Bearer", "secretRef": {"name": "login"}},
        ),
        "demo",
    )
    assert references == References(
        services=frozenset({Key("other", "orders")}),
        config_maps=frozenset({Key("demo", "settings")}),
        secrets=frozenset({Key("demo", "ca"), Key("demo", "key"), Key("demo", "login")}),
    )


def test_the_union_of_no_references_is_empty() -> None:
    assert union([]) == References()


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/", ()),
        ("/{a}/{b}", ("a", "b")),
        ("/{a}-{b}/{a}", ("a", "b", "a")),
        ("/{}", ()),
        ("/{a/b}", ()),
        ("/{{a}}", ("a",)),
    ],
)
def test_a_path_placeholder_is_a_name_in_braces_within_one_segment(
    path: str, expected: tuple[str, ...]
) -> None:
    assert path_places(path) == expected
