"""The files for a server in mode Direct."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from mcp_operator.api.catalog import SecretKey
from mcp_operator.api.prompts import PromptMessage, PromptVariable
from mcp_operator.api.reasons import Reason
from mcp_operator.builders.assembly import Assembly
from mcp_operator.builders.direct import deliverable, direct_files, files_size, with_digests
from support.entries import backend, catalog, prompt, resource, tool

OUTPUT = {"type": "object"}


def files(*entries: Any) -> dict[str, list[dict[str, Any]]]:
    return {name: json.loads(text) for name, text in direct_files(catalog(*entries)).items()}


def test_every_kind_has_a_file_even_if_it_is_empty() -> None:
    assert files() == {"tools.json": [], "prompts.json": [], "resources.json": []}


def test_a_tool_has_its_schemas_and_the_address_of_its_endpoint() -> None:
    to = backend("/orders/{id}", method="GET", scheme="https", port=8443)
    [written] = files(tool(to=to, title="T", description="D", output_schema=OUTPUT))["tools.json"]
    assert written == {
        "name": "search",
        "title": "T",
        "description": "D",
        "icons": [],
        "method": "GET",
        "endpoint": "https://orders.demo.svc:8443/orders/{id}",
        "inputSchema": {"type": "object"},
        "outputSchema": OUTPUT,
        "annotations": {},
        "requiredClientCapabilities": [],
    }


def test_a_prompt_of_one_text_has_a_template_and_messages() -> None:
    variables = (PromptVariable(name="what", required=True),)
    [written] = files(prompt("Say {{what}}", variables=variables))["prompts.json"]
    assert written["template"] == "Say {{what}}"
    others = dict.fromkeys(("image", "audio", "resourceUri", "resourceLink"))
    assert written["messages"] == [{"role": "user", "text": "Say {{what}}"} | others]
    [variable] = written["variables"]
    assert (variable["name"], variable["required"], variable["default"]) == ("what", True, None)


@pytest.mark.parametrize(
    "messages",
    [
        (PromptMessage(text="a"), PromptMessage(text="b")),
        (PromptMessage(resource_uri="docs://a"),),
        (PromptMessage(text="a"), PromptMessage(resource_uri="docs://a")),
    ],
)
def test_a_prompt_of_other_messages_has_no_template(messages: tuple[PromptMessage, ...]) -> None:
    [written] = files(prompt(messages=messages))["prompts.json"]
    assert written["template"] is None
    assert len(written["messages"]) == len(messages)


def test_a_resource_has_its_content() -> None:
    [written] = files(resource(uri="docs://a", mime_type="text/html", text="Grüße"))[
        "resources.json"
    ]
    assert written["content"] == {
        "uri": "docs://a",
        "mimeType": "text/html",
        "text": "Grüße",
        "blob": None,
    }
    assert written["operations"] is None


def test_a_resource_over_http_has_an_operation() -> None:
    entry = resource(uri_template="docs://{id}", mime_type="", backend=backend("/{id}"))
    [written] = files(entry)["resources.json"]
    assert written["content"] is None
    [operation] = written["operations"]
    assert operation["endpoint"] == "http://orders.demo.svc:80/{id}"
    assert (operation["uri"], operation["uriTemplate"]) == ("", "docs://{id}")


def test_no_file_contains_a_reference_to_a_secret() -> None:
    secret = SecretKey(namespace="demo", name="login", key="token")
    text = "".join(direct_files(catalog(resource(uri="docs://a", secret=secret))).values())
    assert "login" not in text


def test_the_size_of_files_is_counted_in_bytes() -> None:
    assert files_size({"a": "ü", "bc": ""}) == 5


def test_the_digests_match_those_of_sha256sum() -> None:
    plain = direct_files(catalog(tool()))
    digest, written = with_digests(plain)
    hashes = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in plain.items()}
    printed = "".join(f"{hashes[name]}  {name}\n" for name in sorted(hashes))
    assert digest == hashlib.sha256(printed.encode()).hexdigest()
    assert json.loads(written.pop("catalog.json")) == {"digest": digest, "files": hashes}
    assert written == plain


def test_a_resource_from_a_secret_is_omitted_and_reported() -> None:
    secret = resource(uri="shop://secret", secret=SecretKey(namespace="demo", name="s", key="k"))
    plain = resource(uri="shop://plain", text="hello")
    assembly = Assembly(catalog(secret, plain), fully_served=(), rejected=(), secrets=frozenset())
    result = deliverable(assembly)
    assert [entry.uri for entry in result.catalog.resources] == ["shop://plain"]
    [rejection] = result.rejected
    assert rejection.reason is Reason.SECRET_NOT_DELIVERED


def test_a_catalog_without_secrets_is_delivered_unchanged() -> None:
    plain = catalog(resource(uri="shop://plain", text="hello"))
    assembly = Assembly(plain, fully_served=(), rejected=(), secrets=frozenset())
    assert deliverable(assembly) is assembly
