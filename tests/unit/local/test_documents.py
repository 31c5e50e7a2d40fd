from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mcp_operator.local import files
from mcp_operator.local import yaml_values as yaml_module
from mcp_operator.local.documents import Document, Loaded, load
from mcp_operator.local.files import files_of
from mcp_operator.local.yaml_values import yaml_values


def read(tmp_path: Path, text: str, name: str = "file.yaml") -> Loaded:
    file = tmp_path / name
    file.write_text(text)
    return load([file])


def only(loaded: Loaded) -> Document:
    assert loaded.problems == ()
    (document,) = loaded.documents
    return document


def complaint(loaded: Loaded) -> str:
    """Return the only problem, without its folder."""
    assert loaded.documents == ()
    (problem,) = loaded.problems
    return str(problem).rpartition("/")[2]


def test_every_document_of_a_file_is_read_with_its_lines(tmp_path: Path) -> None:
    loaded = read(
        tmp_path,
        "kind: MCPTool\nmetadata:\n  name: a\n---\n# a comment\nkind: MCPPrompt\nspec:\n"
        "  variables:\n    - name: x\n    - name: y\n",
    )

    first, second = loaded.documents
    assert first.obj == {"kind": "MCPTool", "metadata": {"name": "a"}}
    assert (first.line_of(()), first.line_of(("metadata", "name"))) == (1, 3)
    assert second.obj["spec"] == {"variables": [{"name": "x"}, {"name": "y"}]}
    assert second.line_of(("spec", "variables", 1, "name")) == 10


def test_a_missing_field_has_the_line_of_its_parent(tmp_path: Path) -> None:
    document = only(read(tmp_path, "kind: MCPTool\nspec:\n  service:\n    port: 80\n"))

    assert document.line_of(("spec", "service", "name")) == 3
    assert document.line_of(("metadata", "name")) == 1


def test_the_items_of_a_list_are_separate_objects(tmp_path: Path) -> None:
    text = "kind: List\nitems:\n- kind: MCPTool\n  metadata:\n    name: a\n- kind: Service\n"
    first, second = read(tmp_path, text).documents

    assert (first.obj["kind"], second.obj["kind"]) == ("MCPTool", "Service")
    assert (first.line_of(("metadata", "name")), second.line_of(())) == (5, 6)


def test_a_json_file_is_read(tmp_path: Path) -> None:
    assert only(read(tmp_path, '{"kind": "MCPTool"}', "a.json")).obj == {"kind": "MCPTool"}


def test_documents_that_are_not_objects_are_skipped(tmp_path: Path) -> None:
    loaded = read(tmp_path, "replicas: 3\n---\n- a\n- b\n---\n---\njust text\n")
    assert (loaded.documents, loaded.problems) == ((), ())


def value_of(tmp_path: Path, text: str) -> Any:
    return only(read(tmp_path, f"kind: X\nvalue: {text}\n")).obj["value"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2001-01-01", "2001-01-01"),
        ("2001-01-01T00:00:00Z", "2001-01-01T00:00:00Z"),
        ("yes", True),
        ("{80: web, true: x}", {"80": "web", "true": "x"}),
        ("'80'", "80"),
        ("~", None),
        ("1.5", 1.5),
        ("22:22", "22:22"),
        ("-9223372036854775808", -(2**63)),
        ("18446744073709551615", 2.0**64),
        ("{a: &x 1, b: &x 2, c: *x}", {"a": 1, "b": 2, "c": 2}),
    ],
)
def test_values_are_parsed_as_in_kubernetes(tmp_path: Path, text: str, value: Any) -> None:
    assert value_of(tmp_path, text) == value


def test_merge_keys_and_aliases_are_resolved(tmp_path: Path) -> None:
    text = "{a: &a {x: 1, y: 1}, b: &b {<<: *a, y: 2}, c: {<<: *a}, d: *b}"

    assert value_of(tmp_path, text) == {
        "a": {"x": 1, "y": 1},
        "b": {"x": 1, "y": 2},
        "c": {"x": 1, "y": 1},
        "d": {"x": 1, "y": 2},
    }


def test_the_first_of_several_merged_mappings_takes_precedence(tmp_path: Path) -> None:
    text = "{a: &a {x: 1, y: 1}, b: &b {x: 2, z: 2}, c: {<<: [*a, *b], z: 3}, d: {<<: *b, <<: *a}}"

    value = value_of(tmp_path, text)
    assert value["c"] == {"x": 1, "y": 1, "z": 3}
    assert value["d"] == {"x": 2, "y": 1, "z": 2}


def test_documents_do_not_share_values() -> None:
    names = list("abcdefgh") * 500
    found = [value for value, _ in yaml_values("---\n".join(f"{name}: 1\n" for name in names))]
    assert found == [{name: 1} for name in names]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("kind: [\n", "file.yaml:2: is not valid YAML: did not find expected node content"),
        ("a: 1\na: 2\n", "file.yaml:2: the key 'a' appears twice; keep one of them"),
        ("? [a]\n: 1\n", "file.yaml:1: a key must be a string; put it in quotes"),
        ("a: &x [*x]\n", "file.yaml:1: contains itself through an alias; remove the alias"),
        (
            "kind: X\na: !!binary aGk=\n",
            "file.yaml:2: JSON has no type for the tag !!binary; remove it",
        ),
        (
            "a: !secret b\n",
            "file.yaml:1: JSON has no type for the tag !secret; remove it",
        ),
    ],
)
def test_a_syntax_error_is_reported_with_its_line(tmp_path: Path, text: str, expected: str) -> None:
    assert complaint(read(tmp_path, text)) == expected


def test_a_forbidden_character_is_reported_in_one_line(tmp_path: Path) -> None:
    told = complaint(read(tmp_path, "a: \x07\n"))
    assert told.startswith("file.yaml:1: is not valid YAML: unacceptable character")
    assert "\n" not in told


def test_the_expansion_of_aliases_is_limited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(yaml_module, "MAX_ALIASED", 1000)
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 8)}]" for n in range(1, 9)]

    assert "aliases and << add more than 1000 values" in complaint(read(tmp_path, "\n".join(lines)))


def test_a_file_over_the_size_limit_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MAX_FILE_BYTES", 10)
    assert "larger than 10 bytes" in complaint(read(tmp_path, "kind: MCPTool\n"))


def test_a_file_that_is_not_utf_8_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file.yaml").write_bytes(b"\xff\xfe\x00")
    assert complaint(load([tmp_path])) == "file.yaml:1: is not UTF-8 text; save it as UTF-8"


def test_a_path_that_does_not_exist_is_reported(tmp_path: Path) -> None:
    told = complaint(load([tmp_path / "none.yaml"]))
    assert told == "none.yaml:1: cannot be read: No such file or directory"


def test_a_broken_file_does_not_prevent_others_from_being_read(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("kind: [\n")
    (tmp_path / "b.yaml").write_text("kind: MCPTool\n")

    loaded = load([tmp_path])
    assert (len(loaded.documents), len(loaded.problems), loaded.files) == (1, 1, 2)


def test_folders_are_searched_for_yaml_and_json(tmp_path: Path) -> None:
    for name in (
        "b.yaml",
        "a.yml",
        "sub/c.json",
        "sub/notes.txt",
        "sub/kustomization.yaml",
        ".hidden/d.yaml",
        ".e.yaml",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()

    found = [str(file.relative_to(tmp_path)) for file in files_of([tmp_path])]
    assert found == ["a.yml", "b.yaml", "sub/c.json"]


def test_a_given_file_is_read_once_whatever_its_suffix(tmp_path: Path) -> None:
    file = tmp_path / "manifest.txt"
    file.write_text("kind: MCPTool\n")

    loaded = load([file, file])
    assert (len(loaded.documents), loaded.files) == (1, 1)
