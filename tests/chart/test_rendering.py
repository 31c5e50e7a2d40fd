"""Row 40 of the checklist: the rendered objects, checked by Helm, Kubernetes and a scanner."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from mcp_operator.core.meta import Object
from support.helm import CHART, Command, Helm, Library, Rendered, helm4
from support.podsecurity import violations

FOLDER = Path(__file__).parent

SNAPSHOT = FOLDER / "default.yaml"

VARIANTS: dict[str, Object] = {"default": {}} | {
    path.stem.removesuffix("-values"): yaml.safe_load(path.read_text(encoding="utf-8"))
    for path in sorted((CHART / "ci").glob("*-values.yaml"))
}

RELEASES = ("1.32", "1.33", "1.34", "1.35", "1.36", "1.37")

ROWS = 40

variant = pytest.mark.parametrize("values", VARIANTS.values(), ids=list(VARIANTS))


def test_every_row_of_the_checklist_has_a_test_with_its_number() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in FOLDER.glob("test_*.py"))
    found = set(re.findall(r"(?m)^def test_row_(\d\d)_", text))
    assert found == {f"{row:02}" for row in range(1, ROWS + 1)}


def without_definitions(rendered: Rendered) -> str:
    """Return the text without the CRDs, which are a copy of `crds/`."""
    documents = [one for one in rendered.documents if not one[0].endswith("/crds.yaml")]
    return Rendered(tuple(documents)).text


def test_row_40_the_default_rendering_equals_the_snapshot(
    helm4: Library, request: pytest.FixtureRequest
) -> None:
    text = without_definitions(helm4.render())
    if request.config.getoption("--update-snapshot", default=False):
        SNAPSHOT.write_text(text, encoding="utf-8")
    assert SNAPSHOT.read_text(encoding="utf-8") == text, (
        "if the change is intended, run: pytest tests/chart --update-snapshot, and review the diff"
    )


@variant
def test_row_40_helm_3_and_helm_4_render_the_same_bytes(helm3: Command, values: Object) -> None:
    assert helm3.render(values) == helm4().render(values)
    for release in ("r" * 53, "1st.release"):
        assert helm3.render(values, release=release) == helm4().render(values, release=release)


@variant
def test_row_40_helm_lint_reports_no_problems(either: Helm, values: Object) -> None:
    assert either.lint(values) == ""


@variant
def test_row_40_every_pod_meets_the_restricted_pod_security_standard(
    helm4: Library, values: Object
) -> None:
    harmless = {
        *("affinity", "imagePullSecrets", "initContainers", "nodeSelector"),
        *("priorityClassName", "tolerations"),
    }
    pod = helm4.render(values).pod
    every = [*pod["containers"], *pod.get("initContainers", ())]
    known = {key: value for key, value in pod.items() if key not in harmless}
    assert violations({**known, "containers": every}) == []


@variant
def test_row_40_no_empty_field_is_rendered(helm4: Library, values: Object) -> None:
    for obj in helm4.render(values).objects:
        if not obj["kind"].endswith("Role"):  # the core API group has no name
            assert [path for path in empty(obj) if path not in INTENDED] == [], obj["kind"]


INTENDED = {
    ".spec.ingress.0.from.0.podSelector",  # every pod of the namespace
    ".spec.egress.1.to.0.namespaceSelector",  # every namespace
    ".spec.ingress.1.from.0.podSelector",
}
"""Fields whose empty selector intentionally selects everything."""


def empty(node: object, path: str = "") -> list[str]:
    """Return the paths of empty fields, except in the schemas of CRDs."""
    if node in (None, {}, [], ""):
        return [] if path.startswith(".spec.versions") else [path]
    if isinstance(node, dict):
        return [one for key, child in node.items() for one in empty(child, f"{path}.{key}")]
    if isinstance(node, list):
        return [one for key, child in enumerate(node) for one in empty(child, f"{path}.{key}")]
    return []


@pytest.fixture
def scanners() -> Path:
    """The folder with the commands of the scanners, which have an environment of their own."""
    folder = os.environ.get("MCP_OPERATOR_SCAN")
    if folder is None:
        pytest.skip("MCP_OPERATOR_SCAN names no folder with checkov; run: nox -s chart")
    return Path(folder)


@pytest.fixture
def folder(helm4: Library, tmp_path: Path) -> Path:
    """A folder with a file for each variant, with the objects of kinds that Kubernetes defines."""
    for name, values in VARIANTS.items():
        known = [
            obj
            for obj in helm4.render(values).objects
            if not obj["apiVersion"].startswith("monitoring.coreos.com/")
        ]
        path = tmp_path / f"{name}.yaml"
        path.write_text(yaml.safe_dump_all(known), encoding="utf-8")
    return tmp_path


def run(command: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - a scanner and our own files
        [command, *arguments], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("release", RELEASES)
def test_row_40_every_object_is_valid_in_every_supported_kubernetes_release(
    scanners: Path, folder: Path, release: str
) -> None:
    files = [str(path) for path in sorted(folder.iterdir())]
    result = run(scanners / "kubernetes-validate", "--strict", "-k", release, *files)
    lines = (result.stdout + result.stderr).splitlines()
    assert [line for line in lines if not line.startswith("INFO")] == []
    assert len(lines) > len(files)
    assert result.returncode == 0


def test_row_40_checkov_reports_no_problems(scanners: Path, folder: Path) -> None:
    for name in ("extras", "single"):  # intentional: foreign containers, no policy
        (folder / f"{name}.yaml").unlink()
    result = run(
        scanners / "checkov",
        *("--skip-download", "--directory", str(folder), "--framework", "kubernetes"),
        *("--output", "json", "--quiet", "--compact"),
    )
    report = json.loads(result.stdout)
    assert [
        f"{one['file_path']}: {one['check_id']} {one['check_name']}: {one['resource']}"
        for one in report["results"]["failed_checks"]
    ] == []
    assert report["summary"]["parsing_errors"] == 0
    assert report["summary"]["passed"] > 0


def test_row_40_every_skipped_check_has_a_reason(helm4: Library) -> None:
    annotations = helm4.render().one("Deployment")["metadata"]["annotations"]
    skips = [value for key, value in annotations.items() if key.startswith("checkov.io/skip")]
    assert skips
    for skip in skips:
        check, _, reason = skip.partition("=")
        assert re.fullmatch(r"CKV2?_K8S_\d+", check)
        assert len(reason.split()) >= 4
