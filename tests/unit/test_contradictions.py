"""What the texts for users once contradicted: each kind of contradiction would be found again.

Texts are the documentation, the README files, the chart, and the descriptions of the custom
resources.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import chart_values
import pytest

from mcp_operator.api.catalog import ToolEntry
from mcp_operator.api.crd import schemas
from mcp_operator.builders.compile_tool import compile_tool
from support.compiled import facts, tool

ROOT = Path(__file__).parents[2]

CHART = ROOT / "charts" / "mcp-operator"

TEXTS = (
    *sorted((ROOT / "docs").rglob("*.md")),
    ROOT / "README.md",
    ROOT / "SECURITY.md",
    CHART / "README.md",
    CHART / "templates" / "NOTES.txt",
)

SPECS: Mapping[str, Mapping[str, Any]] = {
    kind: schema["properties"]["spec"] for kind, schema in schemas().items()
}

every_text = pytest.mark.parametrize("text", TEXTS, ids=lambda path: path.name)


def fields(schema: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield every field below a schema, with lists as if they were one item."""
    inside = schema.get("items", schema)
    for name, field in inside.get("properties", {}).items():
        yield f"{path}{name}", field
        yield from fields(field, f"{path}{name}.")


ALL = [(kind, path, field) for kind, spec in SPECS.items() for path, field in fields(spec)]
PATHS = {path for _, path, _ in ALL}
TOP = {path for path in PATHS if "." not in path}
OPEN = tuple(
    f"{path}."
    for _, path, field in ALL
    if "x-kubernetes-preserve-unknown-fields" in field or "additionalProperties" in field
)
"""Where users choose the names."""

VALUES = {
    each.key
    for value in chart_values.read((CHART / "values.yaml").read_text("utf-8"))
    for each in (value, *value.leaves())
}
"""Values of the chart, which have dotted names too."""


def named(text: str) -> set[str]:
    """Return the dotted names in code that begin with a field of a spec."""
    found = re.findall(r"`(?:spec\.)?([a-z]\w+(?:\.[a-z]\w*)+)(?::[^`]*)?`", text)
    files = re.compile(r"\w+\.(crt|key|json|py|md|yaml|go|mjs)")
    return {path for path in found if path.partition(".")[0] in TOP and not files.fullmatch(path)}


@every_text
def test_a_field_that_is_named_without_its_spec_exists(text: Path) -> None:
    inner = {path[at + 1 :] for path in PATHS for at in dots(path)} | PATHS
    unknown = named(text.read_text(encoding="utf-8")) - inner - VALUES
    assert {path for path in unknown if not path.startswith(OPEN)} == set()


def dots(path: str) -> list[int]:
    return [at for at, letter in enumerate(path) if letter == "."]


def test_a_wrong_name_of_a_field_would_be_found() -> None:
    assert named("set `request.authentication` to") == {"request.authentication"}
    assert "request.authentication" not in PATHS
    assert "request.credentials" in PATHS


def test_the_description_of_a_port_says_that_it_takes_a_name_where_it_does() -> None:
    ports = [one for one in ALL if one[1].rpartition(".")[2] in ("port", "targetPort")]
    assert ports
    for kind, path, field in ports:
        takes_names = "x-kubernetes-int-or-string" in field
        assert ("name" in field["description"]) == takes_names, f"{kind}.{path}"


@pytest.mark.parametrize("field", ["promptSelector", "resourceSelector"])
def test_a_selector_that_is_left_out_is_described_as_the_one_that_applies(field: str) -> None:
    # that it does is in tests/unit/api/test_models.py
    description = SPECS["MCPServer"]["properties"][field]["description"]
    assert "toolSelector decides when left out" in description


@every_text
def test_no_text_says_that_a_selector_that_is_left_out_selects_nothing(text: Path) -> None:
    said = " ".join(text.read_text(encoding="utf-8").split()).lower()
    assert not re.search(r"without (a|an own) (prompt|resource)?selector[^.]*\bnone\b", said)


def test_arguments_that_are_declared_by_a_path_alone_are_described() -> None:
    compiled = compile_tool(
        tool(service={"name": "orders", "port": 80, "path": "/orders/{id}"}), facts()
    )
    [entry] = [one for one in compiled.entries if isinstance(one, ToolEntry)]
    assert entry.input_schema["properties"] == {"id": {"type": "string"}}
    descriptions = [
        field["description"]
        for _, path, field in ALL
        if path in ("inputSchema", "tools.inputSchema")
    ]
    assert len(descriptions) == 2
    for description in descriptions:
        assert "placeholders of the path" in description
        assert "no arguments when left out" not in description


@every_text
def test_the_definitions_are_deleted_after_their_objects(text: Path) -> None:
    said = text.read_text(encoding="utf-8")
    definitions = re.search(r"^(?:[$>] )?kubectl delete crd ", said, re.MULTILINE)
    if definitions is None:
        return
    objects = re.search(r"kubectl delete (mcps|mcpservers),\S+ --all\b", said)
    assert objects is not None, "shows how to delete the definitions, not their objects"
    assert objects.start() < definitions.start()


SORTED = {
    ".metadata.creationTimestamp": "every object has it",
}
"""What objects may be sorted by: `.lastTimestamp` is empty in the events that operators write."""


@every_text
def test_objects_are_sorted_by_what_they_have(text: Path) -> None:
    paths = re.findall(r"--sort-by[= ]'?\{?([\w.\[\]]+)", text.read_text(encoding="utf-8"))
    assert set(paths) <= set(SORTED)


def test_the_probes_of_the_chart_are_described_once() -> None:
    rows = re.findall(
        r"^\| `(\w+Probe\.\w+)` \| \S+ \| (.+) \|$",
        (CHART / "README.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    assert len(rows) >= 10
    assert [key for key, words in rows if words.count(". ") and "How many" in words] == []


@every_text
def test_the_port_that_is_forwarded_is_that_of_the_service(text: Path) -> None:
    default = SPECS["MCPServer"]["properties"]["service"]["properties"]["port"]["default"]
    forwarded = re.findall(
        r"kubectl port-forward [^\n`]*service/mcp-server-\S+ \d+:(\d+)",
        text.read_text(encoding="utf-8"),
    )
    assert set(forwarded) <= {str(default)}
