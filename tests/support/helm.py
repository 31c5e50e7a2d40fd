"""Renders the chart with Helm 3 and Helm 4, as far as they are available.

Helm 3 is a command. Helm 4 is a command, or otherwise its library in a Python package.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import helm_python
import yaml

from mcp_operator.core.meta import Object

CHART: Final = Path(__file__).parents[2] / "charts" / "mcp-operator"

KUBERNETES: Final = "1.32.0"
"""The oldest Kubernetes version that the chart supports; templates are rendered for it."""

MONITORING: Final = tuple(
    f"monitoring.coreos.com/v1/{kind}"
    for kind in ("PodMonitor", "PrometheusRule", "ServiceMonitor")
)
"""The API versions of a cluster with the Prometheus operator."""


class HelmError(Exception):
    """Helm failed; the text is its error message."""


class MissingHelmError(Exception):
    """This Helm is not available; the text says how to get it."""


@dataclass(frozen=True)
class Rendered:
    """The objects that an installation would send to the API server.

    Attributes:
        documents: The path of the template and the text of each object, in a fixed order.
    """

    documents: tuple[tuple[str, str], ...]

    @functools.cached_property
    def objects(self) -> list[Object]:
        """The parsed objects."""
        return [_read(text) for _, text in self.documents]

    @property
    def text(self) -> str:
        """All objects as one YAML file."""
        return "".join(f"---\n# Source: {path}\n{text}\n" for path, text in self.documents)

    def of(self, kind: str) -> list[Object]:
        """Return the objects of a kind."""
        return [obj for obj in self.objects if obj["kind"] == kind]

    def one(self, kind: str, name: str = "") -> Object:
        """Return the only object of a kind, or the one with a name."""
        (found,) = (obj for obj in self.of(kind) if name in ("", obj["metadata"]["name"]))
        return found

    @property
    def pod(self) -> Object:
        """The spec of the operator's pods."""
        spec: Object = self.one("Deployment")["spec"]["template"]["spec"]
        return spec

    @property
    def settings(self) -> dict[str, str]:
        """The environment variables of the operator's container."""
        found: dict[str, str] = self.one("ConfigMap", self.one("Deployment")["metadata"]["name"])[
            "data"
        ]
        return found


class Helm(Protocol):
    """One generation of Helm."""

    def render(
        self,
        values: Object | None = None,
        *,
        release: str = "mcp-operator",
        namespace: str = "mcp-system",
        chart: Path = CHART,
    ) -> Rendered:
        """Render the chart.

        Raises:
            HelmError: Helm or the chart refuses the values.
        """
        ...

    def lint(self, values: Object) -> str:
        """Return the problems that `helm lint --strict` reports; empty if none."""
        ...


class Command:
    """Helm's own command.

    Args:
        path: The executable.
    """

    def __init__(self, path: str) -> None:
        self._path = path

    def run(self, *arguments: str) -> str:
        """Return the output of the command.

        Raises:
            HelmError: It failed.
        """
        return self._result(*arguments).stdout

    def warnings(self, *arguments: str) -> str:
        """Return the standard error of the command, such as warnings of the API server.

        Raises:
            HelmError: It failed.
        """
        return self._result(*arguments).stderr

    def _result(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        result = subprocess.run(  # noqa: S603 - Helm and our own chart
            [self._path, *arguments], capture_output=True, text=True, check=False
        )
        if result.returncode:
            raise HelmError(result.stderr + result.stdout)
        return result

    def render(
        self,
        values: Object | None = None,
        *,
        release: str = "mcp-operator",
        namespace: str = "mcp-system",
        chart: Path = CHART,
        kubernetes: str = KUBERNETES,
        apis: Sequence[str] = (),
    ) -> Rendered:
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            yaml.safe_dump(values or {}, file)
            file.flush()
            output = self.run(
                *("template", release, str(chart), "--namespace", namespace, "--values", file.name),
                *("--kube-version", kubernetes),
                *(argument for api in apis for argument in ("--api-versions", api)),
            )
        return _rendered(_by_source(output))

    def lint(self, values: Object) -> str:
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            yaml.safe_dump(values, file)
            file.flush()
            try:
                output = self.run("lint", "--strict", str(CHART), "--values", file.name)
            except HelmError as error:
                return str(error)
        return "\n".join(re.findall(r"(?m)^\[.*", output))


class Library:
    """The library of Helm 4 in a Python package."""

    def render(
        self,
        values: Object | None = None,
        *,
        release: str = "mcp-operator",
        namespace: str = "mcp-system",
        chart: Path = CHART,
    ) -> Rendered:
        files = self._files(values or {}, release, namespace, chart)
        return _rendered(
            [(path, text) for path, text in files.items() if not path.endswith(".txt")]
        )

    def notes(
        self, values: Object, *, release: str = "mcp-operator", namespace: str = "mcp-system"
    ) -> str:
        """Return the notes that Helm prints after an installation."""
        return self._files(values, release, namespace, CHART)["mcp-operator/templates/NOTES.txt"]

    def lint(self, values: Object) -> str:
        report: dict[str, Any] = helm_python.lint(CHART, values, strict=True)
        return "\n".join(str(message) for message in report["messages"])

    @staticmethod
    def _files(values: Object, release: str, namespace: str, chart: Path) -> dict[str, str]:
        try:
            with helm_python.Chart.load(chart) as loaded:
                return loaded.render(values, name=release, namespace=namespace)
        except helm_python.HelmError as error:
            raise HelmError(str(error)) from error


def helm3() -> Command:
    """Return the command that MCP_OPERATOR_HELM3 names, or a Helm 3 on PATH.

    Raises:
        MissingHelmError: There is none.
    """
    found = os.environ.get("MCP_OPERATOR_HELM3") or _on_path("v3.")
    if found is None:
        raise MissingHelmError("there is no Helm 3: run nox -s chart, or set MCP_OPERATOR_HELM3")
    return Command(found)


def helm4() -> Helm:
    """Return the command that MCP_OPERATOR_HELM4 names, or a Helm 4 on PATH, or the library."""
    found = os.environ.get("MCP_OPERATOR_HELM4") or _on_path("v4.")
    return Command(found) if found else Library()


def _on_path(version: str) -> str | None:
    found = shutil.which("helm")
    is_it = found and Command(found).run("version", "--short").startswith(version)
    return found if is_it else None


def _by_source(output: str) -> list[tuple[str, str]]:
    """Split the output of `helm template` into the texts of its templates."""
    parts = re.split(r"(?m)^---\n# Source: (\S+)\n", output)
    return list(zip(parts[1::2], parts[2::2], strict=True))


@functools.cache
def _read(text: str) -> Object:
    """Parse an object, cached: most objects repeat in many renderings, and CRDs are long."""
    found: Object = yaml.safe_load(text)
    return found


def _rendered(texts: Sequence[tuple[str, str]]) -> Rendered:
    documents = [
        (path, document.strip())
        for path, text in texts
        for document in re.split(r"(?m)^---$", text)
        if re.search(r"(?m)^[^#\s]", document)
    ]
    return Rendered(tuple(sorted(documents)))
