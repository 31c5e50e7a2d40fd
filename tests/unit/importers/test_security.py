"""Security schemes become credentials with a Secret to create, and never an argument."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mcp_operator.api.validation import problems
from mcp_operator.importers.options import Backend
from support.openapi_documents import get, imported, openapi, swagger, text_of, tool, tools

OAUTH = {
    "type": "oauth2",
    "flows": {
        "clientCredentials": {"tokenUrl": "https://login.example.com/token", "scopes": {"r": "r"}}
    },
}
CONSENT = {"type": "oauth2", "flows": {"implicit": {"authorizationUrl": "https://e.com"}}}


def secured(scheme: dict[str, Any], *parameters: dict[str, Any], **root: Any) -> dict[str, Any]:
    """Return a document whose operations require one scheme."""
    return openapi(
        get(*parameters),
        security=[{"myKey": ["r"]}],
        components={"securitySchemes": {"myKey": scheme}},
        **root,
    )


def credentials(document: dict[str, Any]) -> Any:
    (obj,) = imported(document).objects
    return obj["spec"].get("request", {}).get("credentials")


@pytest.mark.parametrize(
    ("scheme", "said"),
    [
        ({"type": "http", "scheme": "Bearer"}, {"type": "Bearer"}),
        ({"type": "http", "scheme": "basic"}, {"type": "Basic"}),
        (
            {"type": "apiKey", "in": "header", "name": "X-Key"},
            {"type": "Header", "header": "X-Key"},
        ),
        ({"type": "apiKey", "in": "query", "name": "key"}, {"type": "Query", "name": "key"}),
        ({"type": "apiKey", "in": "cookie", "name": "sid"}, {"type": "Cookie", "name": "sid"}),
        ({"type": "openIdConnect", "openIdConnectUrl": "https://e.com"}, {"type": "Bearer"}),
        (CONSENT, {"type": "Bearer"}),
        (
            OAUTH,
            {
                "type": "OAuth2",
                "oauth2": {"tokenURL": "https://login.example.com/token", "scopes": ["r"]},
            },
        ),
        (
            {
                "type": "apiKey",
                "in": "header",
                "name": "Authorization",
                "description": 'Must be prepended with "token" followed by a space.',
            },
            {"type": "Header", "header": "Authorization", "prefix": "token "},
        ),
        (
            {
                "type": "apiKey",
                "in": "header",
                "name": "authorization",
                "description": "Bearer Token authentication",
            },
            {"type": "Bearer"},
        ),
    ],
)
def test_a_security_scheme_becomes_credentials(
    scheme: dict[str, Any], said: dict[str, Any]
) -> None:
    assert credentials(secured(scheme)) == said | {"secretRef": {"name": "shop-my-key"}}


@pytest.mark.parametrize(
    ("scheme", "command"),
    [
        ({"type": "http", "scheme": "bearer"}, "generic shop-my-key --from-file=token=FILE"),
        (
            {"type": "http", "scheme": "basic"},
            "generic shop-my-key --from-file=username=FILE --from-file=password=FILE",
        ),
        ({"type": "mutualTLS"}, "tls shop-my-key --cert=FILE --key=FILE"),
    ],
)
def test_the_output_shows_the_command_that_creates_the_secret(
    scheme: dict[str, Any], command: str
) -> None:
    text = text_of(imported(secured(scheme)))

    assert f"#   kubectl create secret {command}\n" in text


def test_a_client_certificate_is_set_on_the_service() -> None:
    (obj,) = imported(secured({"type": "mutualTLS"})).objects

    assert obj["spec"]["service"]["tls"] == {"clientCertificateSecretRef": {"name": "shop-my-key"}}


def test_of_several_alternatives_the_one_with_a_token_is_used() -> None:
    schemes = {
        "basic": {"type": "http", "scheme": "basic"},
        "query": {"type": "apiKey", "in": "query", "name": "key"},
        "old": {"type": "http", "scheme": "bearer", "description": "Deprecated."},
        "bearer": {"type": "http", "scheme": "bearer"},
    }
    ways: Any = [{name: []} for name in schemes]
    document = openapi(get(), security=ways, components={"securitySchemes": schemes})

    assert credentials(document)["secretRef"] == {"name": "shop-bearer"}


def test_schemes_that_are_required_together_are_combined() -> None:
    schemes = {
        "app": {"type": "apiKey", "in": "header", "name": "X-App"},
        "user": {"type": "apiKey", "in": "header", "name": "X-User"},
        "site": {"type": "apiKey", "in": "query", "name": "site"},
    }
    together: Any = [{name: [] for name in schemes}]
    document = openapi(get(), security=together, components={"securitySchemes": schemes})

    (obj,) = imported(document).objects
    assert obj["spec"]["request"]["credentials"]["header"] == "X-App"
    request = obj["spec"]["tools"][0]["request"]
    assert request["headers"] == [
        {
            "name": "X-User",
            "valueFrom": {"secretKeyRef": {"name": "shop-user", "key": "token"}},
        }
    ]
    assert request["query"][0]["valueFrom"]["secretKeyRef"]["name"] == "shop-site"


def test_an_operation_without_security_has_no_credentials() -> None:
    paths = {"/a": {"get": {"security": []}}, "/b": {"get": {}}, "/c": {"get": {"security": [{}]}}}
    bearer = {"securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}}

    found = tools(openapi(paths, security=[{"key": []}], components=bearer))
    assert ["request" in entry for entry in found.values()] == [False, True, False]


def test_an_unsupported_scheme_is_reported() -> None:
    outcome = imported(secured({"type": "http", "scheme": "digest"}))

    assert "the security scheme myKey is not supported" in "\n".join(outcome.report.lines())


@pytest.mark.parametrize(
    ("parameter", "is_secret"),
    [
        ({"name": "X-Key", "in": "header"}, True),
        ({"name": "x-key", "in": "header"}, True),
        ({"name": "token", "in": "query", "description": "Authentication token."}, True),
        ({"name": "token", "in": "query", "description": "Of the next page."}, False),
        ({"name": "X-Key", "in": "query"}, False),
        ({"name": "name", "in": "query", "description": "Needs authentication."}, False),
    ],
)
def test_a_parameter_with_a_credential_is_not_an_argument(
    parameter: dict[str, Any], *, is_secret: bool
) -> None:
    given = {"schema": {"type": "string"}, **parameter}
    entry = tool(secured({"type": "apiKey", "in": "header", "name": "X-Key"}, given))

    assert ("inputSchema" not in entry) == is_secret


@pytest.mark.parametrize(
    ("name", "is_noted"),
    [("X-Registry-Auth", True), ("X-Api-Key", True), ("X-Author", False), ("X-Request-Id", False)],
)
def test_a_header_that_could_carry_a_secret_gets_a_note(name: str, *, is_noted: bool) -> None:
    given = {"name": name, "in": "header", "schema": {"type": "string"}}

    notes = [note.text for note in imported(openapi(get(given))).report.notes]
    assert any("may carry a secret" in note for note in notes) == is_noted


def test_a_credential_in_a_form_of_swagger_2_is_not_an_argument() -> None:
    token = {"name": "token", "in": "formData", "type": "string", "description": "Access token."}
    text = {"name": "text", "in": "formData", "type": "string"}
    document = swagger(
        {"/say": {"post": {"parameters": [token, text]}}},
        securityDefinitions={"o": {"type": "oauth2", "flow": "accessCode", "scopes": {}}},
        security=[{"o": []}],
    )

    assert list(tool(document)["inputSchema"]["properties"]) == ["text"]
    assert credentials(document)["type"] == "Bearer"


def test_basic_and_client_credentials_of_swagger_2_are_supported() -> None:
    for scheme, type_ in (
        ({"type": "basic"}, "Basic"),
        ({"type": "oauth2", "flow": "application", "tokenUrl": "https://e.com/t"}, "OAuth2"),
    ):
        document = swagger(get(), securityDefinitions={"s": scheme}, security=[{"s": []}])
        assert credentials(document)["type"] == type_


@pytest.mark.parametrize(
    ("scheme", "told"),
    [
        ({"type": "http", "scheme": "digest"}, "not supported"),
        ({"type": "http", "scheme": "negotiate"}, "not supported"),
        (None, "not declared"),
    ],
)
def test_the_note_about_an_unusable_scheme_says_why(scheme: Any, told: str) -> None:
    declared = {"securitySchemes": {"s": scheme}} if scheme else {}

    (note,) = imported(openapi(get(), components=declared, security=[{"s": []}])).report.notes
    assert note.text == f"the security scheme s is {told}, so the tool has no credentials"


@pytest.mark.parametrize(
    ("backend", "scheme"),
    [
        (Backend(), "https"),
        (Backend(scheme="https"), "https"),
        (Backend(external="https://api.example.com"), None),
        (Backend(external="http://api.example.com"), None),
    ],
)
def test_a_client_certificate_is_used_only_with_tls(backend: Backend, scheme: str | None) -> None:
    declared = {"securitySchemes": {"s": {"type": "mutualTLS"}}}
    document = openapi(get(), components=declared, security=[{"s": []}])

    (obj,) = imported(document, backend=backend).objects
    assert problems(obj) == []
    assert obj["spec"].get("service", {}).get("scheme") == scheme
    shown = "clientCertificateSecretRef" in json.dumps(obj)
    assert shown == (not backend.external.startswith("http:"))


@pytest.mark.parametrize(
    "names", [("api_key", "apiKey"), ("日本", "한국"), ("k" * 90 + "1", "k" * 90 + "2")]
)
@pytest.mark.parametrize("base", ["shop", "s" * 63])
def test_no_two_schemes_share_a_secret(names: tuple[str, str], base: str) -> None:
    schemes = {
        names[0]: {"type": "apiKey", "in": "header", "name": "X-One"},
        names[1]: {"type": "http", "scheme": "basic"},
    }
    paths: Any = {f"/{n}": {"get": {"security": [{name: []}]}} for n, name in enumerate(schemes)}
    outcome = imported(openapi(paths, components={"securitySchemes": schemes}), name=base)

    (obj,) = outcome.objects
    assert problems(obj) == []
    used = [tool["request"]["credentials"]["secretRef"]["name"] for tool in obj["spec"]["tools"]]
    assert used == [name for name, _ in outcome.secrets]
    assert len(set(used)) == len(used)


@pytest.mark.parametrize(
    ("url", "type_"),
    [
        ("https://login.example.com/token", "OAuth2"),
        ("http://keycloak.identity.svc/realms/shop/token", "OAuth2"),
        ("http://localhost:8080/token", "Bearer"),
        ("http://127.0.0.1/token", "Bearer"),
        ("https://keycloak/token", "Bearer"),
        ("/token", "Bearer"),
    ],
)
def test_only_a_token_url_that_the_gateway_can_call_becomes_oauth2(url: str, type_: str) -> None:
    flows = {"clientCredentials": {"tokenUrl": url, "scopes": {}}}
    document = openapi(
        get(),
        components={"securitySchemes": {"o": {"type": "oauth2", "flows": flows}}},
        security=[{"o": []}],
    )

    assert credentials(document)["type"] == type_
