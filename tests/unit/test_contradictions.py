"""Kinds of contradictions that texts for users once had, and that these tests detect.

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
from pydantic.alias_generators import to_camel

from mcp_operator.api.base import ApiModel
from mcp_operator.api.catalog import ToolEntry
from mcp_operator.api.crd import schemas
from mcp_operator.api.schema import structural_schema
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
    """Yield every field below a schema, with a list as one item."""
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
    """Return the dotted names in code spans that begin with a field of a spec."""
    found = re.findall(r"`(?:spec\.)?([a-z]\w+(?:\.[a-z]\w*)+)(?::[^`]*)?`", text)
    files = re.compile(r"\w+\.(crt|key|json|py|md|yaml|go|mjs)")
    return {path for path in found if path.partition(".")[0] in TOP and not files.fullmatch(path)}


@every_text
def test_a_field_that_is_named_without_the_prefix_spec_exists(text: Path) -> None:
    inner = {path[at + 1 :] for path in PATHS for at in dots(path)} | PATHS
    unknown = named(text.read_text(encoding="utf-8")) - inner - VALUES
    assert {path for path in unknown if not path.startswith(OPEN)} == set()


def dots(path: str) -> list[int]:
    return [at for at, letter in enumerate(path) if letter == "."]


def test_a_wrong_name_of_a_field_is_detected() -> None:
    assert named("set `request.authentication` to") == {"request.authentication"}
    assert "request.authentication" not in PATHS
    assert "request.credentials" in PATHS


def test_the_description_of_a_port_mentions_a_name_only_if_it_accepts_one() -> None:
    ports = [one for one in ALL if one[1].rpartition(".")[2] in ("port", "targetPort")]
    assert ports
    for kind, path, field in ports:
        takes_names = "x-kubernetes-int-or-string" in field
        assert ("name" in field["description"]) == takes_names, f"{kind}.{path}"


@pytest.mark.parametrize("field", ["promptSelector", "resourceSelector"])
def test_the_description_of_an_optional_selector_names_the_default(field: str) -> None:
    # tests/unit/api/test_models.py tests that it applies
    description = SPECS["MCPServer"]["properties"][field]["description"]
    assert "toolSelector decides when left out" in description


@every_text
def test_no_text_says_that_an_omitted_selector_selects_nothing(text: Path) -> None:
    said = " ".join(text.read_text(encoding="utf-8").split()).lower()
    assert not re.search(r"without (a|an own) (prompt|resource)?selector[^.]*\bnone\b", said)


def test_the_description_mentions_arguments_that_only_a_path_declares() -> None:
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
def test_no_text_says_that_clients_are_never_authenticated(text: Path) -> None:
    said = " ".join(text.read_text(encoding="utf-8").replace("**", "").split())
    for sentence in re.split(r"(?<=[.;]) (?=[A-Z*])", said):
        if re.search(r"clients are not authenticated", sentence, re.IGNORECASE):
            assert "Without `spec.auth`" in sentence


@pytest.mark.parametrize("kind", SPECS)
def test_the_page_of_a_kind_names_fields_of_its_status(kind: str) -> None:
    page = (ROOT / "docs" / "resources" / f"{kind.lower()}.md").read_text(encoding="utf-8")
    status = {path for path, _ in fields(schemas()[kind]["properties"]["status"])}
    named_there = set(re.findall(r"`status\.([\w.]+)`", page))
    assert named_there
    assert named_there <= status


@every_text
def test_the_crds_are_deleted_after_their_objects(text: Path) -> None:
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
def test_commands_sort_objects_by_fields_that_exist(text: Path) -> None:
    paths = re.findall(r"--sort-by[= ]'?\{?([\w.\[\]]+)", text.read_text(encoding="utf-8"))
    assert set(paths) <= set(SORTED)


def test_the_descriptions_of_chart_probes_have_one_meaning_each() -> None:
    rows = re.findall(
        r"^\| `(\w+Probe\.\w+)` \| \S+ \| (.+) \|$",
        (CHART / "README.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    assert len(rows) >= 10
    assert [key for key, words in rows if words.count(". ") and "How many" in words] == []


def below(model: type[ApiModel]) -> Iterator[type[ApiModel]]:
    """Yield every model that is built on another one."""
    for one in model.__subclasses__():
        yield one
        yield from below(one)


MODELS = [one for one in below(ApiModel) if one.__module__.startswith("mcp_operator.api.v1alpha1")]

DEFAULTS = [
    (f"{model.__name__}.{name}", field.get_default(call_default_factory=True), described)
    for model in MODELS
    for texts in [structural_schema(model)["properties"]]
    for name, field in model.model_fields.items()
    for described in [texts[field.alias or name].get("description", "")]
]
"""Each field, what it has when left out, and its description."""

LEFT_OUT = re.compile(r"(?:^|[;.,] |; if )([^\s;,]+) (?:when|if it is) left out\b")
THE_DEFAULT = re.compile(r"(\w+), the default\b")


def test_the_description_names_the_default_of_an_omitted_field() -> None:
    checked = 0
    for name, default, text in DEFAULTS:
        said = [*LEFT_OUT.findall(text), *THE_DEFAULT.findall(text)]
        if isinstance(default, str | bool | int) and said:
            assert [each.lower() for each in said] == [str(default).lower()], name
            checked += 1
    assert checked >= 15


@every_text
def test_the_value_that_a_text_calls_the_default_is_the_default(text: Path) -> None:
    said = text.read_text(encoding="utf-8")
    named = re.findall(r"`(?:[\w.]+\.)?(\w+): (\w+)`, (?:which is )?the default", said)
    named += re.findall(r"`(?:[\w.]+\.)?(\w+)` \((\d+\w*)\)", said)
    for field, value in named:
        known = [
            (default, described)
            for name, default, described in DEFAULTS
            if to_camel(name.partition(".")[2]).lower() == field.lower()
        ]
        assert known, field
        assert any(value == str(default) for default, _ in known) or any(
            f"{value}, the default" in described for _, described in known
        ), (field, value)


def test_the_guide_lists_every_command_that_the_gateway_sends_to_redis() -> None:
    source = "".join(
        path.read_text(encoding="utf-8")
        for path in (ROOT / "operator" / "mcp_operator" / "gateway").rglob("*.py")
    )
    sent = set(re.findall(r"redis\.call\('([A-Z]+)'", source))
    sent |= set(re.findall(r"(?:link|session)\.call\(\"([A-Z]+)\"", source))
    sent |= set(re.findall(r"_call\(link, \"([A-Z]+)\"", source))
    guide = " ".join((ROOT / "docs" / "how-to" / "limit-clients.md").read_text("utf-8").split())
    [said] = re.findall(r"the user needs the keys `~PREFIX\*` and the commands (.*?)\. ", guide)
    listed = set(re.findall(r"`([a-z]+)`", said)) - {"db"}
    assert len(sent) > 20
    # SADD and SREM are arguments of a script, SELECT is sent by the library
    assert listed == {each.lower() for each in sent} | {"sadd", "srem", "select"}


@every_text
def test_the_forwarded_port_is_the_default_of_the_service(text: Path) -> None:
    default = SPECS["MCPServer"]["properties"]["service"]["properties"]["port"]["default"]
    forwarded = re.findall(
        r"kubectl port-forward [^\n`]*service/mcp-server-\S+ \d+:(\d+)",
        text.read_text(encoding="utf-8"),
    )
    assert set(forwarded) <= {str(default)}
