"""The sources of documents, and the references that are followed."""

from __future__ import annotations

import hashlib
import io
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from mcp_operator.app import openapi_sources
from mcp_operator.app.openapi_sources import read_source
from mcp_operator.importers.documents import Dialect, OpenApiError
from support.openapi_documents import get, openapi

DOCUMENT = openapi(get())
JSON = json.dumps(DOCUMENT)
YAML = "openapi: 3.1.0\ninfo: {title: Shop, version: '1'}\npaths:\n  /things: {get: {}}\n"


def refers(*references: str) -> str:
    """Return a document with one schema for each reference."""
    schemas = {f"S{n}": {"$ref": one} for n, one in enumerate(references)}
    return json.dumps(DOCUMENT | {"components": {"schemas": schemas}})


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / name.replace("__", "/").replace("_", ".")).write_text(text)
    return folder / "api.json"


@pytest.mark.parametrize(
    "text", [JSON, YAML, "\ufeff" + JSON, "# a comment\n" + JSON], ids=["json", "yaml", "bom", "#"]
)
def test_a_file_can_be_json_or_yaml(tmp_path: Path, text: str) -> None:
    source = read_source(str(write(tmp_path, api_json=text)))

    assert source.documents.main.mapping["info"]["title"] == "Shop"
    assert source.shown == "api.json"
    assert source.digest == hashlib.sha256((tmp_path / "api.json").read_bytes()).hexdigest()


def test_yaml_words_such_as_no_are_read_as_strings(tmp_path: Path) -> None:
    text = YAML + "components: {schemas: {Country: {enum: [NO, SE]}}}\n"

    source = read_source(str(write(tmp_path, api_json=text)))
    assert source.documents.main.at("components", "schemas", "Country").node == {
        "enum": ["NO", "SE"]
    }


@pytest.mark.parametrize("version", ["3", "3.0", "'3.0.4'", "3.1", "3.1.1", "3.2.0"])
def test_a_version_can_be_short_or_a_number(tmp_path: Path, version: str) -> None:
    text = f"openapi: {version}\npaths: {{/x: {{get: {{}}}}}}\n"

    old = version in ("3", "3.0", "'3.0.4'")
    dialect = read_source(str(write(tmp_path, api_json=text))).documents.dialect
    assert dialect is (Dialect.OPENAPI_3_0 if old else Dialect.OPENAPI_3_1)


def test_a_dash_reads_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(JSON.encode())))

    source = read_source("-")
    assert (source.shown, source.count) == ("standard input", 1)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[1, 2]", "its root is not an object"),
        ("just text", "its root is not an object"),
        ('{"info": {}}', "has no field openapi or swagger"),
        ('{"openapi": "4.0", "paths": {}}', "has the version '4.0'"),
        ('{"openapi": "3.1.0", "paths": {}}', "has no paths"),
        ("a: [", r"api\.json:\d+: is not valid YAML"),
        ("a: 1\n---\nb: 2\n", "has 2 YAML documents: keep one"),
        ("", "is empty"),
        ("[" * 100_000, "nested too deep|is not valid YAML"),
        ('{"a": NaN}', "its root is not an object|has no field"),
    ],
)
def test_a_file_that_is_not_a_document_is_rejected_with_the_reason(
    tmp_path: Path, text: str, told: str
) -> None:
    with pytest.raises(OpenApiError, match=told):
        read_source(str(write(tmp_path, api_json=text)))


def test_a_document_that_is_nested_too_deeply_is_rejected(tmp_path: Path) -> None:
    nested: Any = {}
    for _ in range(300):
        nested = {"x": nested}

    with pytest.raises(OpenApiError, match="nested deeper than 200 levels"):
        read_source(str(write(tmp_path, api_json=json.dumps(DOCUMENT | {"x": nested}))))


def test_the_error_about_a_missing_or_binary_file_names_it(tmp_path: Path) -> None:
    with pytest.raises(OpenApiError, match=r"none\.json cannot be read: No such file"):
        read_source(str(tmp_path / "none.json"))
    (tmp_path / "api.json").write_bytes(b"\xff\xfe{")
    with pytest.raises(OpenApiError, match=r"api\.json is not UTF-8 text"):
        read_source(str(tmp_path / "api.json"))


def test_references_to_files_in_the_folder_and_below_are_followed(tmp_path: Path) -> None:
    (tmp_path / "types").mkdir()
    file = write(
        tmp_path,
        api_json=refers("types/a.yaml#/A", "b.json"),
        types__a_yaml="A: {$ref: '../b.json#/B'}",
        b_json='{"B": {"type": "string"}}',
    )

    source = read_source(str(file))
    (_, first), (_, second) = source.documents.main.entries("components", "schemas")
    assert source.documents.resolved(first).node == {"type": "string"}
    assert source.documents.resolved(second).node == {"B": {"type": "string"}}
    assert source.count == 3


def unread(source: openapi_sources.Source) -> list[str]:
    """Return why the references of a document cannot be followed."""
    told = []
    for _, schema in source.documents.main.entries("components", "schemas"):
        with pytest.raises(OpenApiError) as caught:
            source.documents.resolved(schema)
        told.append(str(caught.value))
    return told


def test_a_reference_outside_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "secret.yaml").write_text("password: x\n")
    (tmp_path / "inner" / "link.yaml").symlink_to(tmp_path / "secret.yaml")
    references = ("../secret.yaml", (tmp_path / "secret.yaml").as_uri(), "link.yaml")
    file = write(tmp_path / "inner", api_json=refers(*references))

    told = unread(read_source(str(file)))
    assert all("--references-from" in one for one in told)


def test_a_reference_to_an_allowed_folder_is_followed(tmp_path: Path) -> None:
    for name in ("inner", "common"):
        (tmp_path / name).mkdir()
    (tmp_path / "common" / "a.yaml").write_text("type: string\n")
    file = write(tmp_path / "inner", api_json=refers("../common/a.yaml"))

    source = read_source(str(file), [str(tmp_path / "common")])
    (_, schema) = next(source.documents.main.entries("components", "schemas"))
    assert source.documents.resolved(schema).node == {"type": "string"}


def test_a_reference_from_a_file_to_a_url_is_not_followed(tmp_path: Path) -> None:
    file = write(tmp_path, api_json=refers("http://169.254.169.254/latest#/x"))

    (told,) = unread(read_source(str(file)))
    assert "neither in the folder of the document nor on its host" in told


def test_the_error_about_a_missing_target_names_the_reference(tmp_path: Path) -> None:
    file = write(tmp_path, api_json=refers("none.yaml#/A", "#/nowhere"))

    missing, nowhere = unread(read_source(str(file)))
    assert "refers to 'none.yaml#/A', and " in missing
    assert missing.endswith("cannot be read: No such file or directory")
    assert nowhere == "refers to '#/nowhere', which does not exist"


def test_the_number_and_size_of_documents_are_limited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(tmp_path, api_json=refers("a.json", "b.json"), a_json="{}", b_json="{}")

    monkeypatch.setattr(openapi_sources, "MAX_DOCUMENTS", 2)
    assert read_source(str(file)).count == 2
    monkeypatch.setattr(openapi_sources, "MAX_BYTES", 100)
    with pytest.raises(OpenApiError, match="more than 100 bytes"):
        read_source(str(file))


class _Handler(BaseHTTPRequestHandler):
    pages: dict[str, tuple[int, dict[str, str], str]]

    def do_GET(self) -> None:
        status, headers, text = self.pages.get(self.path, (404, {}, ""))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: Any) -> None:
        """Log nothing."""


@pytest.fixture
def web() -> Iterator[tuple[str, dict[str, tuple[int, dict[str, str], str]]]]:
    """Serve pages on loopback."""
    pages: dict[str, tuple[int, dict[str, str], str]] = {}
    handler = type("_Served", (_Handler,), {"pages": pages})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}", pages
        server.shutdown()
        thread.join()


def test_a_url_is_read_with_its_references_on_the_same_host(web: Any) -> None:
    url, pages = web
    pages["/v1/api.json?key=secret"] = (200, {}, refers("a.json#/A", f"{url}/b.json"))
    pages["/v1/a.json"] = (200, {}, '{"A": {"type": "string"}}')
    pages["/b.json"] = (200, {}, '{"type": "integer"}')

    source = read_source(f"{url}/v1/api.json?key=secret")
    (_, first), (_, second) = source.documents.main.entries("components", "schemas")
    assert source.documents.resolved(first).node == {"type": "string"}
    assert source.documents.resolved(second).node == {"type": "integer"}
    assert source.shown == f"{url}/v1/api.json"


def test_the_shown_url_does_not_contain_the_password(web: Any) -> None:
    url, pages = web
    pages["/api.json"] = (200, {}, JSON)

    source = read_source(url.replace("http://", "http://user:password@") + "/api.json")
    assert source.shown == f"{url}/api.json"


def test_references_from_a_url_to_files_and_other_hosts_are_not_followed(
    web: Any, tmp_path: Path
) -> None:
    url, pages = web
    (tmp_path / "a.json").write_text("{}")
    pages["/api.json"] = (200, {}, refers((tmp_path / "a.json").as_uri(), "http://127.0.0.1:1/x"))

    told = unread(read_source(f"{url}/api.json"))
    assert all("--references-from" in one for one in told)


def test_a_redirect_is_followed_for_the_document_but_not_for_references(web: Any) -> None:
    url, pages = web
    pages["/old"] = (302, {"Location": "/new/api.json"}, "")
    pages["/new/api.json"] = (200, {}, refers("a.json"))
    pages["/new/a.json"] = (302, {"Location": "http://127.0.0.1:1/"}, "")

    (told,) = unread(read_source(f"{url}/old"))
    assert told.endswith("/new/a.json answers with status 302")


def test_the_error_about_a_failing_url_names_it_without_secrets(web: Any) -> None:
    url, _ = web
    with pytest.raises(OpenApiError, match="none answers with status 404"):
        read_source(f"{url}/none?token=secret")
    with pytest.raises(OpenApiError, match=r"http://127\.0\.0\.1:1/x cannot be read") as caught:
        read_source("http://user:password@127.0.0.1:1/x")
    assert "password" not in str(caught.value)


def test_a_url_that_sends_too_many_bytes_is_rejected(
    web: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, pages = web
    pages["/api.json"] = (200, {}, " " * 300_000)
    monkeypatch.setattr(openapi_sources, "MAX_BYTES", 100_000)

    with pytest.raises(OpenApiError, match="more than 100000 bytes"):
        read_source(f"{url}/api.json")


def test_a_repeated_key_takes_its_last_value_and_adds_a_note(
    tmp_path: Path,
) -> None:
    text = YAML + "components:\n  schemas: {A: {}}\n  schemas: {B: {}}\n"

    source = read_source(str(write(tmp_path, api_json=text)))
    assert source.documents.main.at("components", "schemas").node == {"B": {}}
    line = text.count("\n")
    assert source.notes == (
        f"the key 'schemas' appears twice, and the import uses the last value (api.json:{line})",
    )
