"""Rows 1-5, 10, 13 and 39 of the checklist: metadata, README and notes of the chart."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml

from mcp_operator.api.crd import DEFINITIONS
from mcp_operator.api.validation import problems
from mcp_operator.version import VERSION
from support.helm import CHART, Command, HelmError, Library

ROOT = CHART.parents[1]

README = (CHART / "README.md").read_text(encoding="utf-8")

HUB = "artifacthub.io"


@pytest.fixture(scope="module")
def chart() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    return found


def hub(chart: dict[str, Any], name: str) -> Any:
    """Return the YAML in an annotation for Artifact Hub."""
    return yaml.safe_load(chart["annotations"][f"{HUB}/{name}"])


def test_row_01_the_chart_refuses_kubernetes_versions_that_are_too_old(
    helm3: Command,
) -> None:
    assert helm3.render(kubernetes="1.32.0").documents
    assert helm3.render(kubernetes="1.32.4-gke.1").documents
    with pytest.raises(HelmError, match=re.escape("requires kubeVersion: >=1.32.0-0")):
        helm3.render(kubernetes="1.31.9")


def test_row_02_the_chart_has_version_links_and_keywords(chart: dict[str, Any]) -> None:
    assert chart["version"] == chart["appVersion"] == VERSION
    for link in (chart["home"], *chart["sources"], chart["maintainers"][0]["url"]):
        assert link.startswith("https://github.com/mcp-operator")
    assert {"mcp", "operator"} <= set(chart["keywords"])


def test_row_02_the_icon_is_an_svg_file_of_the_repository(chart: dict[str, Any]) -> None:
    path = chart["icon"].partition("/main/")[2]
    assert ET.parse(ROOT / path).getroot().tag.endswith("svg")  # noqa: S314 - our own file


def test_row_03_the_annotations_for_artifact_hub_are_complete(chart: dict[str, Any]) -> None:
    assert hub(chart, "category") == "ai-machine-learning"
    assert hub(chart, "license") == "Apache-2.0"
    assert hub(chart, "operator") is True
    assert chart["annotations"][f"{HUB}/operator"] == "true"
    assert hub(chart, "operatorCapabilities") == "Seamless Upgrades"
    assert all(set(link) == {"name", "url"} for link in hub(chart, "links"))


def test_row_03_every_kind_has_a_description_and_a_valid_example(chart: dict[str, Any]) -> None:
    kinds = [definition.resource.kind for definition in DEFINITIONS]
    assert [crd["kind"] for crd in hub(chart, "crds")] == kinds
    assert all(crd["description"].endswith(".") for crd in hub(chart, "crds"))
    examples = hub(chart, "crdsExamples")
    assert [example["kind"] for example in examples] == kinds
    assert [one for example in examples for one in problems(example)] == []


def test_row_03_the_annotation_lists_the_installed_image(
    chart: dict[str, Any], helm4: Library
) -> None:
    (image,) = hub(chart, "images")
    assert image["image"] == helm4.render().pod["containers"][0]["image"]
    assert image["platforms"] == ["linux/amd64", "linux/arm64"]


def test_row_04_the_listed_changes_are_in_the_changelog(chart: dict[str, Any]) -> None:
    changelog = " ".join((ROOT / "CHANGELOG.md").read_text(encoding="utf-8").split())
    kinds = {"added", "changed", "deprecated", "removed", "fixed", "security"}
    changes = hub(chart, "changes")
    assert changes
    for change in changes:
        assert change["kind"] in kinds
        assert f"- {change['description']}" in changelog


def test_row_05_releases_are_signed_and_the_readme_shows_how_to_verify_them(
    chart: dict[str, Any],
) -> None:
    security = any(change["kind"] == "security" for change in hub(chart, "changes"))
    assert hub(chart, "containsSecurityUpdates") is security
    assert hub(chart, "prerelease") is ("-" in VERSION)
    release = (ROOT / ".github" / "workflows" / "release.yml").read_text(encoding="utf-8")
    assert 'cosign sign --yes "$REFERENCE"' in release
    assert "cosign verify ghcr.io/mcp-operator/charts/mcp-operator:VERSION" in README
    assert ".github/workflows/release.yml@refs/tags/vVERSION" in README


def test_row_10_the_generated_files_of_the_chart_are_current() -> None:
    result = subprocess.run(
        [sys.executable, "tools/generate.py", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert re.findall(r"(?m)^--- charts/.*", result.stdout) == [], "run: nox -s generate"
    assert result.stderr == ""


def test_row_10_every_command_of_the_readme_sets_values_that_exist(helm4: Library) -> None:
    given = re.findall(r"--set (\S+?)=(\S+)", README)
    assert given
    for key, value in given:
        *parents, last = key.split(".")
        listed = value[1:-1].split(",") if value.startswith("{") else None
        values: Any = {last: listed or yaml.safe_load(value)}
        for parent in reversed(parents):
            values = {parent: values}
        assert helm4.render(values).documents


def test_row_13_the_readme_warns_about_deleting_the_crds() -> None:
    warning = README.partition("> [!CAUTION]")[2].partition("\n## ")[0]
    assert "deletes every MCPServer, MCPTool, MCPPrompt and MCPResource" in warning
    for definition in DEFINITIONS:
        assert f"{definition.resource.plural}.mcp-operator.dev" in warning


def test_row_39_the_notes_describe_the_release_and_the_next_commands(helm4: Library) -> None:
    notes = helm4.notes({}, release="mcp-operator", namespace="mcp-system")
    assert "is installed as mcp-operator in the namespace mcp-system" in notes
    assert "kubectl -n mcp-system rollout status deployment/mcp-operator" in notes
    assert "WARNING" not in notes
    example = notes.partition("<<'YAML'\n")[2].partition("  YAML\n")[0]
    assert problems(yaml.safe_load(example)) == []


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"watchNamespaces": ["team-a"]}, "It works in the namespace team-a only."),
        ({"watchNamespaces": ["a", "b"]}, "It works in the namespaces a, b only."),
        (
            {"watchNamespaceSelector": {"matchLabels": {"mcp": "true"}}},
            "It works in the namespaces with these labels: mcp=true",
        ),
        ({"watchNamespaces": ["team-a"]}, "kubectl -n team-a get mcpservers"),
        ({"crds": {"install": False}}, "--show-only templates/crds.yaml | kubectl apply"),
        ({"crds": {"keep": False}}, "WARNING: crds.keep is false"),
        ({"replicaCount": 0}, "WARNING: replicaCount is 0"),
        (
            {"monitoring": {"serviceMonitor": {"enabled": True}}},
            "WARNING: the ServiceMonitor was left out",
        ),
        (
            {"monitoring": {"gatewayPodMonitor": {"enabled": True}}},
            "WARNING: the PodMonitor was left out",
        ),
    ],
)
def test_row_39_the_notes_depend_on_the_values(
    helm4: Library, values: dict[str, Any], said: str
) -> None:
    assert said in helm4.notes(values)


def test_the_package_contains_only_files_of_the_chart(helm3: Command, tmp_path: Path) -> None:
    helm3.run("package", str(CHART), "--destination", str(tmp_path))
    (archive,) = tmp_path.iterdir()
    listed = subprocess.run(  # noqa: S603 - reads the new archive
        ["tar", "--list", "--file", str(archive)],  # noqa: S607 - from PATH
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    top = {name.split("/")[1] for name in listed}
    known = {"Chart.yaml", "README.md", "values.yaml", "values.schema.json", "files", "templates"}
    assert top - {".helmignore"} == known
