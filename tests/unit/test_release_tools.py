"""The parts of a release that scripts create: its notes, and schemas of the custom resources."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import jsonschema_rs
import pytest
import yaml

ROOT = Path(__file__).parents[2]

CHANGELOG = """\
# Changelog

## [Unreleased]

## [0.2.0] - 2027-01-04

### Added

- Something.

## [0.1.0] - 2026-12-01

First.

[0.1.0]: https://example.com/0.1.0
"""


def tool(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


release_notes = tool("release_notes")
json_schemas = tool("json_schemas")


def samples() -> list[dict[str, Any]]:
    files = sorted((ROOT / "manifests" / "samples").glob("*.yaml"))
    objects = [one for file in files for one in yaml.safe_load_all(file.read_text("utf-8"))]
    return [one for one in objects if one["apiVersion"].startswith("mcp-operator.dev/")]


def problems(obj: dict[str, Any]) -> list[str]:
    name = f"{obj['kind']}_{obj['apiVersion'].rpartition('/')[2]}.json".lower()
    validator = jsonschema_rs.validator_for(json_schemas.schemas()[name])
    return [error.message for error in validator.iter_errors(obj)]


def test_the_notes_of_a_release_are_its_section_of_the_changelog() -> None:
    assert release_notes.notes("v0.2.0", "0.2.0", CHANGELOG) == "### Added\n\n- Something.\n"
    assert release_notes.notes("v0.1.0", "0.1.0", CHANGELOG) == "First.\n"


@pytest.mark.parametrize(
    ("tag", "version", "sentence"),
    [
        ("0.2.0", "0.2.0", "names no version"),
        ("v0.2", "0.2.0", "names no version"),
        ("v0.2.0;id", "0.2.0", "names no version"),
        ("v0.2.0", "0.3.0", "pyproject.toml has version 0.3.0"),
        ("v0.3.0", "0.3.0", "no heading"),
    ],
)
def test_a_tag_that_does_not_match_the_version_is_rejected(
    tag: str, version: str, sentence: str
) -> None:
    with pytest.raises(release_notes.ReleaseError, match=sentence):
        release_notes.notes(tag, version, CHANGELOG)


def test_a_version_without_a_section_in_the_changelog_is_rejected() -> None:
    with pytest.raises(release_notes.ReleaseError, match="does not describe"):
        release_notes.notes("v0.4.0", "0.4.0", "## [0.4.0] - 2027-02-01\n\n## [0.1.0]\n\nFirst.\n")


def test_the_samples_match_the_published_schemas() -> None:
    assert {one["kind"] for one in samples()} == {
        "MCPServer",
        "MCPTool",
        "MCPPrompt",
        "MCPResource",
    }
    assert [problem for one in samples() for problem in problems(one)] == []


def test_a_misspelled_field_does_not_match_the_published_schemas() -> None:
    [server, *_] = [one for one in samples() if one["kind"] == "MCPServer"]
    server["spec"]["toolSelektor"] = {}
    assert any("toolSelektor" in problem for problem in problems(server))


def test_the_published_schemas_are_those_of_the_crds_without_kubernetes_extensions() -> None:
    schemas = json_schemas.schemas()
    assert len(schemas) == len(list((ROOT / "crds").glob("mcp*.yaml")))
    assert "x-kubernetes" not in json.dumps(schemas)


def test_an_integer_or_string_becomes_a_list_of_types() -> None:
    schema = json_schemas.plain(
        {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]}
    )
    assert schema == {"type": ["integer", "string"]}


def test_the_schemas_are_written_one_file_per_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["json_schemas.py", str(tmp_path / "out")])
    assert json_schemas.main() == 0
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == [
        "mcpprompt_v1alpha1.json",
        "mcpresource_v1alpha1.json",
        "mcpserver_v1alpha1.json",
        "mcptool_v1alpha1.json",
    ]


def test_the_release_notes_script_says_why_there_are_no_notes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["release_notes.py", "v99.0.0"])
    assert release_notes.main() == 1
    assert "pyproject.toml has version" in capsys.readouterr().err
