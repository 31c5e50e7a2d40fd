"""The manifests, checked with the schemas of Kubernetes and with checkov."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from support.installations import ELSEWHERE, EVERYTHING, Build
from support.workloads import of_kind

RELEASES = ("1.32", "1.33", "1.34", "1.35", "1.36", "1.37")

EXPLAINED = re.compile(r"\S+ \S+ \S+ \S+")
"""A reason has at least a few words."""


@pytest.fixture
def scanners() -> Path:
    """The folder with the commands of the scanners, which have an environment of their own."""
    folder = os.environ.get("MCP_OPERATOR_SCAN")
    if folder is None:
        pytest.skip("MCP_OPERATOR_SCAN names no folder with checkov; run: nox -s manifests")
    return Path(folder)


@pytest.fixture
def folder(build: Build, tmp_path: Path) -> Path:
    """A folder with a file for each kustomization, with the kinds that Kubernetes defines."""
    for name in EVERYTHING:
        if objects := [obj for obj in build(name) if obj["kind"] not in ELSEWHERE]:
            path = tmp_path / f"{name.replace('/', '-')}.yaml"
            path.write_text(yaml.safe_dump_all(objects), encoding="utf-8")
    return tmp_path


def run(command: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - a scanner and our own files
        [command, *arguments], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("release", RELEASES)
def test_every_object_is_valid_in_every_supported_kubernetes_release(
    scanners: Path, folder: Path, release: str
) -> None:
    files = [str(path) for path in sorted(folder.iterdir())]
    result = run(scanners / "kubernetes-validate", "--strict", "-k", release, *files)
    lines = (result.stdout + result.stderr).splitlines()
    assert [line for line in lines if not line.startswith("INFO")] == []
    assert len(lines) > len(files)
    assert result.returncode == 0


def test_checkov_reports_no_problems(scanners: Path, folder: Path) -> None:
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


def test_every_skipped_check_has_a_reason(build: Build) -> None:
    for name in EVERYTHING:
        for deployment in of_kind(build(name), "Deployment"):
            for key, value in deployment["metadata"].get("annotations", {}).items():
                if key.startswith("checkov.io/skip"):
                    check, _, reason = value.partition("=")
                    assert re.fullmatch(r"CKV2?_K8S_\d+", check)
                    assert EXPLAINED.search(reason)
