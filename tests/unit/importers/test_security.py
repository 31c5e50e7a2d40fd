"""Security schemes become credentials with a Secret to fill, and never an argument."""

from __future__ import annotations

from typing import Any

import pytest

from support.openapi_documents import get, imported, openapi, swagger, text_of, tool, tools

OAUTH = {
    "type": "oauth2",
    "flows": {
        "clientCredentials": {"tokenUrl": "https://login.example.com/token", "scopes": {"r": "r"}}
    },
}
CONSENT = {"type": "oauth2", "flows": {"implicit": {"authorizationUrl": "https://e.com"}}}


def secured(scheme: dict[str, Any], *parameters: dict[str, Any], **root: Any) -> dict[str, Any]:
    """Return a document whose operations ask for one scheme."""
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
def test_a_scheme_is_a_credential(scheme: dict[str, Any], said: dict[str, Any]) -> None:
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
def test_the_output_says_how_to_fill_the_secret(scheme: dict[str, Any], command: str) -> None:
    text = text_of(imported(secured(scheme)))

    assert f"#   kubectl create secret {command}\n" in text


def test_a_client_certificate_belongs_to_the_service() -> None:
    (obj,) = imported(secured({"type": "mutualTLS"})).objects

    assert obj["spec"]["service"]["tls"] == {"clientCertificateSecretRef": {"name": "shop-my-key"}}


def test_of_several_ways_the_one_with_a_token_is_taken() -> None:
    schemes = {
        "basic": {"type": "http", "scheme": "basic"},
        "query": {"type": "apiKey", "in": "query", "name": "key"},
        "old": {"type": "http", "scheme": "bearer", "description": "Deprecated."},
        "bearer": {"type": "http", "scheme": "bearer"},
    }
    ways: Any = [{name: []} for name in schemes]
    document = openapi(get(), security=ways, components={"securitySchemes": schemes})

    assert credentials(document)["secretRef"] == {"name": "shop-bearer"}


def test_what_an_operation_asks_for_together_goes_together() -> None:
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


def test_an_operation_that_is_open_to_all_gets_no_credential() -> None:
    paths = {"/a": {"get": {"security": []}}, "/b": {"get": {}}, "/c": {"get": {"security": [{}]}}}
    bearer = {"securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}}

    found = tools(openapi(paths, security=[{"key": []}], components=bearer))
    assert ["request" in entry for entry in found.values()] == [False, True, False]


def test_a_scheme_that_no_secret_can_fill_is_reported() -> None:
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
def test_a_parameter_that_carries_a_credential_is_no_argument(
    parameter: dict[str, Any], *, is_secret: bool
) -> None:
    given = {"schema": {"type": "string"}, **parameter}
    entry = tool(secured({"type": "apiKey", "in": "header", "name": "X-Key"}, given))

    assert ("inputSchema" not in entry) == is_secret


@pytest.mark.parametrize(
    ("name", "is_noted"),
    [("X-Registry-Auth", True), ("X-Api-Key", True), ("X-Author", False), ("X-Request-Id", False)],
)
def test_a_header_that_may_carry_a_secret_is_noted(name: str, *, is_noted: bool) -> None:
    given = {"name": name, "in": "header", "schema": {"type": "string"}}

    notes = [note.text for note in imported(openapi(get(given))).report.notes]
    assert any("may carry a secret" in note for note in notes) == is_noted


def test_a_credential_in_a_form_of_swagger_2_is_no_argument_either() -> None:
    token = {"name": "token", "in": "formData", "type": "string", "description": "Access token."}
    text = {"name": "text", "in": "formData", "type": "string"}
    document = swagger(
        {"/say": {"post": {"parameters": [token, text]}}},
        securityDefinitions={"o": {"type": "oauth2", "flow": "accessCode", "scopes": {}}},
        security=[{"o": []}],
    )

    assert list(tool(document)["inputSchema"]["properties"]) == ["text"]
    assert credentials(document)["type"] == "Bearer"


def test_basic_and_client_credentials_of_swagger_2_are_known() -> None:
    for scheme, type_ in (
        ({"type": "basic"}, "Basic"),
        ({"type": "oauth2", "flow": "application", "tokenUrl": "https://e.com/t"}, "OAuth2"),
    ):
        document = swagger(get(), securityDefinitions={"s": scheme}, security=[{"s": []}])
        assert credentials(document)["type"] == type_
