"""What the pages say about the command line, folders and other pages is true."""

from __future__ import annotations

import re
import shlex
from datetime import UTC, datetime
from itertools import takewhile
from pathlib import Path

import chart_values
import pytest
import walkthrough
import yaml

from mcp_operator.api.conditions import merge
from mcp_operator.api.crd import crds
from mcp_operator.api.v1alpha1 import MCPTool
from mcp_operator.builders.compile_tool import compile_tool
from mcp_operator.builders.references import Facts
from mcp_operator.cli import build_parser
from mcp_operator.controllers.catalog_object_status import SelectingServer, object_conditions
from mcp_operator.core.meta import Key
from mcp_operator.local.validation import validate
from support.promql import documented

ROOT = Path(__file__).parents[2]

DOCS = ROOT / "docs"

PAGES = (ROOT / "README.md", *sorted(DOCS.rglob("*.md")))

METRICS = (DOCS / "reference" / "metrics.md").read_text(encoding="utf-8")

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

ADRS = sorted((DOCS / "adr").glob("0*.md"))

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def commands(page: Path) -> list[list[str]]:
    """Return the words after `mcp-operator`, or `kubectl mcp`, of each shown command."""
    steps = walkthrough.steps(re.sub(r"^ +(?=[`$])", "", text_of(page), flags=re.MULTILINE))
    shown = [step.text for step in steps if isinstance(step, walkthrough.Command)]
    inline = re.findall(r"`((?:mcp-operator|kubectl mcp) [^`]+)`", text_of(page))
    found = []
    for text in (*shown, *inline):
        words = shlex.split(text.replace("\\\n", " "), comments=True)
        for at, word in enumerate(words):
            if word.endswith("mcp-operator") and "=" not in word and at + 1 < len(words):
                found.append(words[at + 1 :])
                break
            if words[at : at + 2] == ["kubectl", "mcp"]:
                found.append(words[at + 2 :])
                break
    alone = [list(takewhile(lambda word: word not in ("|", ">", "&&"), words)) for words in found]
    return [words for words in alone if words[0] in COMMANDS and len(words) > 1]


COMMANDS = ("serve", "validate", "import", "catalog", "support-bundle", "inspect", "top")
"""What people call; `mcp-operator` is also the name of objects."""


@every_page
def test_the_options_of_shown_commands_exist(
    page: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in commands(page):
        try:
            build_parser().parse_args(words)
        except SystemExit:
            pytest.fail(f"mcp-operator {shlex.join(words)}\n{capsys.readouterr().err}")


def test_shown_commands_are_found_in_the_pages() -> None:
    shown = [words for page in PAGES for words in commands(page)]
    assert {words[0] for words in shown} >= {"serve", "validate", "import", "catalog"}
    assert len(shown) >= 25


@pytest.mark.parametrize("record", ADRS, ids=lambda path: path.stem)
def test_a_decision_record_has_its_sections_and_is_listed(record: Path) -> None:
    text = text_of(record)
    assert text.startswith(f"# {record.name[:4]}: ")
    assert re.search(r"^- Status: \w+\n- Date: \d{4}-\d\d-\d\d", text, re.MULTILINE)
    parts = re.findall(r"^## (\w+)$", text, re.MULTILINE)
    assert parts == ["Context", "Decision", "Alternatives", "Consequences"]
    assert f"]({record.name})" in text_of(DOCS / "adr" / "README.md")


def test_the_comparison_is_dated_and_names_sources_and_strengths_of_each_project() -> None:
    page = text_of(DOCS / "comparison.md")
    assert re.search(r"written in \w+ \d{4}", page)
    sections = re.split(r"^## ", page, flags=re.MULTILINE)[1:]
    projects = [one for one in sections if "is the better choice*" in one]
    assert len(projects) >= 5
    for section in projects:
        name = section.partition("\n")[0]
        assert "](https://" in section, name
        assert f"*{name.removeprefix('The ')} is the better choice*" in section, name


def metric(name: str) -> str:
    """Return the metric that a series belongs to."""
    return re.sub(r"_(bucket|count|sum)$", "", name)


@pytest.mark.parametrize("query", documented().values(), ids=documented())
def test_the_metrics_and_labels_in_queries_exist(query: str) -> None:
    rows = re.findall(r"^\| `(\w+)` \| \w+ \| ([^|]*) \|", METRICS, re.MULTILINE)
    labels = {name: set(re.findall(r"`(\w+)`", listed)) for name, listed in rows}
    names = re.findall(r"\b((?:mcp|workqueue|rest_client)_\w+)", query)
    assert names
    assert {metric(name) for name in names} <= set(labels)
    for name, chosen in re.findall(r"\b(mcp_\w+)\{([^}]*)\}", query):
        given = set(re.findall(r"(\w+)(?:=|!)", chosen))
        assert given <= labels[metric(name)] | OF_PROMETHEUS


OF_PROMETHEUS = {"namespace", "pod", "job"}
"""Labels that the monitors add to every series."""


def test_the_overlay_in_the_tutorial_matches_the_example() -> None:
    page = text_of(DOCS / "tutorials" / "catalog-in-git.md")
    [shown] = re.findall(r"^```yaml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    example = ROOT / "examples" / "catalog" / "overlays" / "production" / "kustomization.yaml"
    assert yaml.safe_load(shown) == yaml.safe_load(text_of(example))


def test_the_shown_columns_of_servers_match_the_printer_columns() -> None:
    [servers] = [crd for crd in crds() if crd["spec"]["names"]["kind"] == "MCPServer"]
    columns = servers["spec"]["versions"][0]["additionalPrinterColumns"]
    printed = ["NAME", *(one["name"].upper() for one in columns if not one.get("priority"))]
    shown = [
        line.split()
        for page in PAGES
        for line in text_of(page).splitlines()
        if line.startswith("NAME ")
    ]
    assert len(shown) >= 2
    assert shown == [printed] * len(shown)


def test_the_values_in_shown_commands_exist_in_the_chart() -> None:
    tree = chart_values.read(text_of(ROOT / "charts" / "mcp-operator" / "values.yaml"))
    known = {value.key for value in tree} | {leaf.key for value in tree for leaf in value.leaves()}
    shown = {
        key
        for page in (*PAGES, ROOT / "charts" / "mcp-operator" / "README.md")
        for key in re.findall(r"--set(?:-string)? ([\w.]+)=", text_of(page))
    }
    assert len(shown) >= 6
    assert shown <= known


def test_the_install_command_of_the_quickstart_is_in_the_install_guide() -> None:
    [shown] = re.findall(
        r"^\$ (helm install (?:.*\\\n)*.*)$", text_of(DOCS / "quickstart.md"), re.MULTILINE
    )
    assert shown in text_of(DOCS / "how-to" / "install.md")


def test_the_conditions_of_the_concept_are_those_of_a_wrong_port_in_the_quickstart() -> None:
    [page] = re.findall(
        r"^```yaml\n(.*?)^```", text_of(DOCS / "quickstart.md"), re.MULTILINE | re.DOTALL
    )
    manifests = (ROOT / "examples" / "library").glob("*.yaml")
    objects = [each for path in manifests for each in yaml.safe_load_all(text_of(path))]
    [service] = [each for each in objects if each["kind"] == "Service"]
    [tool] = [each for each in yaml.safe_load_all(page) if each["kind"] == "MCPTool"]
    tool["metadata"]["namespace"] = "library"
    tool["spec"]["service"]["port"] = 81
    key = Key("library", "library")
    compiled = compile_tool(MCPTool.model_validate(tool), Facts(services={key: service}))
    server = SelectingServer(key, conflicts=(), programmed=True)
    printed = [
        f"{one['type']}={one['status']} {one['reason']}: {one['message']}\n"
        for one in merge((), object_conditions(compiled, [server]), generation=1, now=EPOCH)
    ]
    [shown] = re.findall(
        r"^```text\n(.*?)^```",
        text_of(DOCS / "concepts" / "conditions.md"),
        re.MULTILINE | re.DOTALL,
    )
    assert shown == "".join(printed)


def test_the_mistake_in_the_tutorial_is_reported_as_it_shows(tmp_path: Path) -> None:
    tools = text_of(ROOT / "examples" / "catalog" / "base" / "tools.yaml")
    wrong = tools.replace("id:\n", "book:\n").replace("[id, ", "[book, ")
    assert wrong != tools
    (tmp_path / "tools.yaml").write_text(wrong, encoding="utf-8")
    [problem] = validate([tmp_path / "tools.yaml"]).problems
    page = text_of(DOCS / "tutorials" / "catalog-in-git.md")
    [shown] = re.findall(r"^built\.yaml:\d+:(.*)$", page, re.MULTILINE)
    assert shown == f"{problem.field}: {problem.message}"
