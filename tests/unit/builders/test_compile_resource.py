"""An MCPResource becomes entries of the catalog: inline, from another object, or over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from mcp_operator.api.catalog import Argument, ResourceEntry, SecretKey, SourceRef
from mcp_operator.api.conditions import ConditionType
from mcp_operator.api.reasons import Reason
from mcp_operator.api.v1alpha1 import MCPResource
from mcp_operator.builders.compile_resource import (
    compile_resource,
    resource_identities,
    resource_references,
)
from mcp_operator.builders.compiled import Finding
from mcp_operator.builders.references import Facts, References
from mcp_operator.core.meta import Key
from support.compiled import TO_ORDERS, facts, operation, resource

URI = "docs://guide"


def entry(given: MCPResource, known: Facts | None = None) -> ResourceEntry:
    compiled = compile_resource(given, known or facts())
    assert [finding for finding in compiled.findings if finding.blocking] == []
    [only] = compiled.entries
    assert isinstance(only, ResourceEntry)
    return only


def finding(given: MCPResource, known: Facts | None = None) -> Finding:
    compiled = compile_resource(given, known or facts())
    assert compiled.entries == ()
    [only] = [one for one in compiled.findings if one.blocking]
    return only


def source(kind: str, name: str, key: str) -> MCPResource:
    reference = {"name": name, "key": key}
    return resource(contentFrom={"uri": URI, f"{kind}KeyRef": reference})


def test_inline_text_is_served_unchanged() -> None:
    only = entry(
        resource(
            title="Guide",
            description="How to.",
            annotations={"audience": ["user"], "priority": "0.8"},
            content={"uri": URI, "mimeType": "text/markdown", "text": "# Hi"},
        )
    )
    assert only == ResourceEntry(
        name="docs",
        title="Guide",
        description="How to.",
        uri=URI,
        mime_type="text/markdown",
        annotations={"audience": ["user"], "priority": 0.8},
        text="# Hi",
        source=SourceRef(kind="MCPResource", namespace="demo", name="example"),
    )


def test_an_empty_text_is_valid_content() -> None:
    assert entry(resource(content={"uri": URI, "text": ""})).text == ""


@pytest.mark.parametrize("annotations", [None, {}])
def test_a_resource_without_hints_has_no_annotations(annotations: Any) -> None:
    given = {"annotations": annotations} if annotations is not None else {}
    assert entry(resource(content={"uri": URI, "text": "x"}, **given)).annotations == {}


@pytest.mark.parametrize("blob", ["AAECAw==", "AAEC\nAw==\n"])
def test_a_base64_blob_can_have_line_breaks(blob: str) -> None:
    assert entry(resource(content={"uri": URI, "blob": blob})).blob == "AAECAw=="


@pytest.mark.parametrize("blob", ["a", "AAEC!", "äöü=", "AA=EC"])
def test_a_blob_must_be_base64(blob: str) -> None:
    only = finding(resource(content={"uri": URI, "blob": blob}))
    assert (only.reason, only.message) == (
        Reason.INVALID,
        "content.blob is not base64: encode the content",
    )


def test_content_from_a_config_map_is_text_or_a_blob() -> None:
    known = facts(config_maps={"files": {"guide": "Hello", "logo": b"\x00\x01\x02"}})
    assert entry(source("configMap", "files", "guide"), known).text == "Hello"
    assert entry(source("configMap", "files", "logo"), known).blob == "AAEC"


def test_content_from_a_secret_is_only_a_reference() -> None:
    only = entry(source("secret", "login", "token"), facts(secrets={"login": {"token"}}))
    assert only.secret == SecretKey(namespace="demo", name="login", key="token")
    assert (only.text, only.blob, only.backend) == (None, None, None)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [("configMap", Reason.CONFIG_MAP_NOT_FOUND), ("secret", Reason.SECRET_NOT_FOUND)],
)
def test_the_source_of_content_must_exist(kind: str, reason: Reason) -> None:
    only = finding(source(kind, "files", "guide"))
    assert (only.condition, only.reason) == (ConditionType.RESOLVED_REFS, reason)
    assert only.message.endswith("demo/files does not exist: create it, or correct the name")


def test_a_content_source_of_a_newer_release_is_unresolved() -> None:
    only = finding(source("bucket", "files", "guide"))
    assert only.message == "contentFrom names neither a ConfigMap nor a Secret: set one"


def test_an_operation_becomes_a_resource_with_its_uri() -> None:
    only = entry(operation("/guide", uri=URI, mimeType="text/html", maxBytes=9, timeout="2s"))
    assert (only.uri, only.uri_template, only.mime_type) == (URI, "", "text/html")
    assert only.backend is not None
    assert (only.backend.method, only.backend.path) == ("GET", "/guide")
    assert (only.backend.timeout_seconds, only.backend.max_response_bytes) == (2, 9)


def test_an_operation_has_no_media_type_by_default() -> None:
    assert entry(operation(uri=URI)).mime_type == ""


def test_an_operation_can_have_its_own_title() -> None:
    given = {"service": TO_ORDERS, "uri": URI}
    assert entry(resource(title="All", operations=[given])).title == "All"
    assert entry(resource(title="All", operations=[given | {"title": "One"}])).title == "One"


def test_path_placeholders_are_arguments_along_with_the_parameters() -> None:
    parameters = [
        {"name": "lang", "in": "header", "default": "en", "enum": ["en", "de"]},
        {"name": "page", "in": "query", "required": True},
    ]
    only = entry(operation("/{id}", uriTemplate="docs://{id}{?lang,page}", parameters=parameters))
    assert only.uri_template == "docs://{id}{?lang,page}"
    assert only.backend is not None
    assert only.backend.arguments == (
        Argument(name="lang", location="header", target="lang", default="en", enum=("en", "de")),
        Argument(name="page", location="query", target="page", required=True),
        Argument(name="id", location="path", target="id", required=True),
    )


@pytest.mark.parametrize(
    ("fields", "uri", "template"),
    [
        ({"ingressPath": "/guide"}, "mcp://demo/example/guide", ""),
        ({"ingressPath": "/{id}", "service": {"path": "/{id}"}}, "", "mcp://demo/example/{id}"),
        (
            {"ingressPath": "/a", "parameters": [{"name": "q", "in": "query"}]},
            "",
            "mcp://demo/example/a{?q}",
        ),
    ],
)
def test_without_a_uri_the_uri_is_derived_from_the_ingress_path(
    fields: dict[str, Any], uri: str, template: str
) -> None:
    given = resource(operations=[fields | {"service": TO_ORDERS | fields.get("service", {})}])
    only = entry(given)
    assert (only.uri, only.uri_template) == (uri, template)
    assert resource_identities(given) == {uri or template}
    [remark] = compile_resource(given, facts()).remarks
    assert remark.reason is Reason.INGRESS_PATH_IGNORED


@pytest.mark.parametrize(
    ("path", "fields", "reason", "message"),
    [
        (
            "/",
            {"uriTemplate": "docs://{id}"},
            Reason.UNDECLARED_ARGUMENT,
            "uriTemplate: the URI docs://{id} names id, which neither the path nor parameters",
        ),
        (
            "/{id}",
            {"uri": URI},
            Reason.UNDECLARED_ARGUMENT,
            f"uri: the URI {URI} does not name the required id: use uriTemplate, with {{id}}",
        ),
        (
            "/{id}",
            {"uriTemplate": "docs://{id}", "parameters": [{"name": "id", "in": "query"}]},
            Reason.UNDECLARED_ARGUMENT,
            "no argument fills {id} of the path /{id}: map one to it with in: path",
        ),
        (
            "/{id}/{other}",
            {"uriTemplate": "docs://{id}{other}"},
            Reason.INVALID,
            "the URI template 'docs://{id}{other}' has no text between two variables",
        ),
        ("/{id", {"uri": URI}, Reason.INVALID, "the path /{id has a brace outside of a {name}"),
    ],
)
def test_the_variables_of_the_uri_must_match_the_request(
    path: str, fields: dict[str, Any], reason: Reason, message: str
) -> None:
    only = finding(operation(path, **fields))
    assert (only.condition, only.reason) == (ConditionType.ACCEPTED, reason)
    assert only.message.startswith(f"operations[0]: {message}")


def test_a_required_parameter_with_a_default_can_be_missing_in_the_uri() -> None:
    parameter = {"name": "q", "in": "query", "required": True, "default": "all"}
    assert entry(operation(uri=URI, parameters=[parameter])).uri == URI


def test_a_finding_has_the_index_of_its_operation_and_the_others_are_served() -> None:
    lost = {"service": {"name": "stock", "port": 80}, "uri": "docs://lost"}
    compiled = compile_resource(
        resource(operations=[{"service": TO_ORDERS, "uri": URI}, lost]), facts()
    )
    assert [only.name for only in compiled.entries] == ["docs"]
    [missing] = compiled.findings
    assert (
        missing.message
        == "operations[1]: Service demo/stock does not exist: create it, or correct the name"
    )
    assert missing.condition is ConditionType.RESOLVED_REFS


def test_of_two_operations_with_the_same_uri_the_first_is_served() -> None:
    one = {"service": TO_ORDERS | {"path": "/one"}, "uri": URI}
    two = {"service": TO_ORDERS | {"path": "/two"}, "uri": URI}
    compiled = compile_resource(resource(operations=[one, two]), facts())
    [only] = compiled.entries
    assert isinstance(only, ResourceEntry)
    assert only.backend is not None
    assert only.backend.path == "/one"
    [double] = compiled.findings
    assert double.reason is Reason.DUPLICATE_NAME
    assert double.message == (
        f"operations[1]: another operation has the URI {URI}, too: give one of them another URI"
    )


def test_a_disabled_resource_has_no_references() -> None:
    given = resource(enabled=False, operations=[{"service": {"name": "stock", "port": 80}}])
    compiled = compile_resource(given, Facts())
    assert compiled.entries == ()
    [remark] = compiled.findings
    assert (remark.reason, remark.blocking) == (Reason.DISABLED, False)
    assert resource_references(given) == References()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (resource(content={"uri": URI, "text": "x"}), References()),
        (
            source("configMap", "files", "a"),
            References(config_maps=frozenset({Key("demo", "files")})),
        ),
        (source("secret", "login", "a"), References(secrets=frozenset({Key("demo", "login")}))),
        (operation(uri=URI), References(services=frozenset({Key("demo", "orders")}))),
    ],
)
def test_the_references_of_a_resource_are_found(given: MCPResource, expected: References) -> None:
    assert resource_references(given) == expected


def test_the_identities_of_a_resource_are_known_without_compiling_it() -> None:
    assert resource_identities(resource(content={"uri": URI, "text": "x"})) == {URI}
    assert resource_identities(source("secret", "login", "a")) == {URI}
    two = [{"service": TO_ORDERS, "uri": "a:1"}, {"service": TO_ORDERS, "uriTemplate": "a:{b}"}]
    assert resource_identities(resource(operations=two)) == {"a:1", "a:{b}"}


def test_a_resource_in_a_form_of_a_newer_release_is_invalid() -> None:
    only = finding(resource(bucket={"name": "files"}))
    assert only.reason is Reason.INVALID
    assert only.message == "spec sets none of content, contentFrom and operations: set one of them"
