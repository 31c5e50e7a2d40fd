"""The command that imports a document: what it writes, compares and rejects."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from mcp_operator.app.openapi_import import run_import
from mcp_operator.app.openapi_settings import ImportSettings
from mcp_operator.core.errors import OperatorError, SettingsError
from mcp_operator.importers.documents import OpenApiError
from mcp_operator.importers.options import Backend, Criterion
from mcp_operator.local.validation import validate
from mcp_operator.settings.loading import load
from support.openapi_documents import FOLDER, REAL, get, objects_in, openapi, real, real_bytes

GUIDE = Path(__file__).parents[3] / "docs" / "how-to" / "import-an-openapi-document.md"

Output = pytest.CaptureFixture[str]


def source(folder: Path, document: Any) -> str:
    file = folder / "api.json"
    file.write_text(json.dumps(document))
    return str(file)


def settings(source_: str, **flags: Any) -> ImportSettings:
    return load(ImportSettings, {"source": source_, **flags}, {})


def test_the_objects_go_to_stdout_and_the_report_to_stderr(tmp_path: Path, capsys: Output) -> None:
    assert run_import(settings(source(tmp_path, real("petstore3"))))

    shown = capsys.readouterr()
    (obj,) = objects_in(shown.out)
    assert len(obj["spec"]["tools"]) == 19
    assert "# source: api.json\n" in shown.out
    assert "The name and the port of the Service are guesses" in shown.out
    assert shown.err == (
        "note: the parameter api_key carries a credential, so it is not an argument (deletePet)\n"
        "19 operations: 19 tools in 1 object, 0 skipped\n"
    )


def test_the_output_flag_writes_a_file(tmp_path: Path, capsys: Output) -> None:
    file = tmp_path / "tools.yaml"
    run_import(settings(source(tmp_path, real("alertmanager")), output=str(file), service="am"))

    assert capsys.readouterr().out == ""
    assert "guess" not in file.read_text()
    assert validate([file]).problems == ()

    missing = tmp_path / "none" / "tools.yaml"
    with pytest.raises(OperatorError, match="cannot be written: No such file"):
        run_import(settings(source(tmp_path, real("alertmanager")), output=str(missing)))


@pytest.mark.parametrize("name", REAL)
def test_the_written_objects_are_valid(tmp_path: Path, name: str) -> None:
    file = tmp_path / "tools.yaml"
    flags = {"output": str(file), "output_schemas": "true", "server": "mcp", "namespace": "shop"}
    run_import(settings(source(tmp_path, real(name)), **flags))

    report = validate([file])
    assert report.problems == ()
    assert report.summary == "2 objects in 1 file: no problems"


def test_the_sample_matches_the_output_of_the_command(tmp_path: Path) -> None:
    file = tmp_path / "petstore3.yaml"
    (tmp_path / "petstore3.json").write_bytes(real_bytes("petstore3"))
    flags = {"name": "petstore", "service": "petstore:8080", "server": "petstore"}
    run_import(settings(str(tmp_path / "petstore3.json"), output=str(file), **flags))

    assert file.read_text() == (FOLDER / "petstore3.yaml").read_text()


def test_the_guide_shows_the_output_of_the_command(tmp_path: Path, capsys: Output) -> None:
    guide = GUIDE.read_text()
    block = re.findall(r"^```yaml\n(.*?)^```", guide, re.MULTILINE | re.DOTALL)[0]
    (shown,) = objects_in(block)
    document = tmp_path / "openapi.json"
    document.write_bytes(real_bytes("petstore3"))
    flags = {"name": "petstore", "service": "petstore:8080", "server": "petstore"}
    run_import(settings(str(document), include=["tag=pet"], **flags))

    written = capsys.readouterr()
    first, _ = objects_in(written.out)
    assert all(entry in first["spec"]["tools"] for entry in shown["spec"]["tools"])
    assert first | {"spec": {**first["spec"], "tools": shown["spec"]["tools"]}} == shown
    assert written.err in guide
    head = written.out.partition("---\n")[0]
    address = "http://127.0.0.1:9000/api/v3/openapi.json"
    assert head.replace("source: openapi.json", f"source: {address}") in guide


def test_a_diff_of_the_same_document_shows_no_change(tmp_path: Path, capsys: Output) -> None:
    file = str(tmp_path / "tools.yaml")
    run_import(settings(source(tmp_path, real("petstore3")), output=file))
    before = Path(file).read_text()

    assert run_import(settings(source(tmp_path, real("petstore3")), diff=file))
    assert run_import(settings(source(tmp_path, real("petstore3") | {"x-new": 1}), diff=file))
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.endswith(f"{file}: nothing would change\n")
    assert Path(file).read_text() == before


def test_a_diff_shows_the_changes_and_writes_nothing(tmp_path: Path, capsys: Output) -> None:
    file = tmp_path / "tools.yaml"
    run_import(settings(source(tmp_path, openapi(get())), output=str(file)))
    before = file.read_text()

    after = openapi({"/things": {"get": {"operationId": "list", "summary": "List things"}}})
    assert not run_import(settings(source(tmp_path, after), diff=str(file)))
    shown = capsys.readouterr()
    assert shown.out.startswith(f"--- {file}\n+++ {file} (imported again)\n")
    assert "+    title: List things\n" in shown.out
    assert shown.err.endswith("changed: list\n")
    assert file.read_text() == before


def test_the_error_about_an_unreadable_diff_file_names_it(tmp_path: Path) -> None:
    given = settings(source(tmp_path, openapi(get())), diff=str(tmp_path / "none.yaml"))

    with pytest.raises(OperatorError, match=r"none\.yaml:1: cannot be read"):
        run_import(given)


def test_strict_makes_skipped_operations_an_error_and_writes_nothing(
    tmp_path: Path, capsys: Output
) -> None:
    document = source(tmp_path, openapi({"/x": {"get": {}, "trace": {}}}))

    with pytest.raises(OpenApiError, match="1 operation skipped, and --strict is set"):
        run_import(settings(document, strict="true"))
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("skipped: TRACE /x: ")
    assert run_import(settings(document))


def test_flags_become_the_options_of_the_import() -> None:
    given = settings(
        "api.json",
        service="shop/orders:8080",
        scheme="https",
        base_path="/v2",
        label=["team=a,env=dev", "x/y=z"],
        include=["tag=a b", "path=/x/**"],
        exclude=["method=GET,operation=get*"],
        all=True,
    ).options

    assert given.backend == Backend("orders", "shop", 8080, "https", "/v2")
    assert given.labels == {"team": "a", "env": "dev", "x/y": "z"}
    assert given.include == (Criterion("tag", "a b"), Criterion("path", "/x/**"))
    assert given.exclude == (Criterion("method", "GET"), Criterion("operation", "get*"))
    assert given.everything


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("include", ["pets"]),
        ("exclude", ["color=red"]),
        ("include", ["tag="]),
        ("service", "Orders"),
        ("service", "orders:http:80"),
        ("scheme", "ftp"),
        ("base_path", "v2"),
        ("label", ["team"]),
        ("name", "Pet Store"),
        ("server", "a" * 53),
        ("tool_prefix", "pets."),
        ("max_schema_bytes", "10"),
        ("source", ""),
    ],
)
def test_the_error_about_an_invalid_flag_names_it(flag: str, value: Any) -> None:
    with pytest.raises(SettingsError, match=r"SOURCE" if flag == "source" else r"--"):
        settings(
            **{"source_": "x.json", **({"source_": value} if flag == "source" else {flag: value})}
        )


def test_environment_variables_are_not_read_as_import_settings() -> None:
    with pytest.raises(SettingsError, match=r"^SOURCE is missing: specify a file"):
        load(ImportSettings, {}, {"MCP_OPERATOR_SOURCE": "x.json"})


def test_the_report_flag_writes_the_whole_report_to_a_file(tmp_path: Path) -> None:
    parameters = [{"name": f"p{n}", "in": "query", "schema": {"type": "text?"}} for n in range(5)]
    document = source(tmp_path, openapi(get(*parameters)))
    report = tmp_path / "report.txt"

    run_import(settings(document, report=str(report), output=str(tmp_path / "shop.yaml")))
    lines = report.read_text(encoding="utf-8").splitlines()
    assert [line.rpartition("/parameters/")[2] for line in lines[:5]] == [
        f"{n}/schema)" for n in range(5)
    ]
    assert lines[5:] == ["1 operation: 1 tool in 1 object, 0 skipped"]


def test_notes_of_the_reader_are_part_of_the_report(tmp_path: Path, capsys: Output) -> None:
    file, report = tmp_path / "api.yaml", tmp_path / "report.txt"
    file.write_text(f"openapi: 3.1.0\ninfo: {{}}\ninfo: {{}}\npaths: {json.dumps(get())}\n")

    run_import(settings(str(file), report=str(report)))
    told = capsys.readouterr().err
    assert told == report.read_text(encoding="utf-8")
    assert told.startswith(
        "note: the key 'info' appears twice, and the import uses the last value (api.yaml:3)"
    )


def tagged(*tags: str) -> Any:
    """Return a document with too many tools for one object, so that each tag gets its own."""
    operations = [tag for tag in tags for _ in range(129 // len(tags) + 1)]
    return openapi({f"/{n}": {"get": {"tags": [tag]}} for n, tag in enumerate(operations)})


def test_a_folder_gets_a_file_for_each_object(tmp_path: Path, capsys: Output) -> None:
    folder = tmp_path / "tools"
    folder.mkdir()
    (folder / "kustomization.yaml").write_text("kind: Kustomization\n")
    given: dict[str, Any] = {"all": "true", "server": "shop", "name": "shop"}
    document = source(tmp_path, tagged("a", "b"))

    assert run_import(settings(document, output=str(folder), **given))
    names = [
        "kustomization.yaml",
        "mcpserver-shop.yaml",
        "mcptool-shop-a.yaml",
        "mcptool-shop-b.yaml",
    ]
    assert sorted(file.name for file in folder.iterdir()) == names
    texts = [(folder / name).read_text() for name in names[1:]]
    assert all("# sha256: " in text and len(objects_in(text)) == 1 for text in texts)
    assert validate([folder / name for name in names[1:]]).problems == ()
    assert capsys.readouterr().out == ""

    assert run_import(settings(document, diff=str(folder), **given))
    assert capsys.readouterr().err.endswith(f"{folder}: nothing would change\n")


def test_a_diff_of_a_folder_compares_each_file_and_reports_extra_files(
    tmp_path: Path, capsys: Output
) -> None:
    folder = tmp_path / "tools"
    folder.mkdir()
    given: dict[str, Any] = {"all": "true", "name": "shop"}
    run_import(settings(source(tmp_path, tagged("a", "b")), output=str(folder), **given))
    capsys.readouterr()
    later = source(tmp_path, tagged("b", "c"))

    assert not run_import(settings(later, diff=str(folder), **given))
    out = capsys.readouterr().out
    for name in ("a", "b", "c"):
        assert f"+++ {folder}/mcptool-shop-{name}.yaml (imported again)" in out
    assert not (folder / "mcptool-shop-c.yaml").exists()

    assert run_import(settings(later, output=str(folder), **given))
    left = folder / "mcptool-shop-a.yaml"
    assert capsys.readouterr().err.endswith(
        f"note: {left} is left from an earlier import: remove it\n"
    )
    assert left.exists()


def test_other_files_and_folders_beside_the_imported_ones_do_not_matter(
    tmp_path: Path, capsys: Output
) -> None:
    folder = tmp_path / "tools"
    (folder / "folder.yaml").mkdir(parents=True)
    (folder / "utf16.yaml").write_text("a: 1", encoding="utf-16")
    document = source(tmp_path, real("alertmanager"))

    assert run_import(settings(document, output=str(folder)))
    assert "remove it" not in capsys.readouterr().err
    assert run_import(settings(document, diff=str(folder)))
