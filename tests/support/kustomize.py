"""Builds kustomizations with an available Kustomize.

The first of: the command in MCP_OPERATOR_KUSTOMIZE, ``kustomize`` or ``kubectl`` on PATH, and a
Kustomize that Go builds into the cache.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import yaml

from mcp_operator.core.meta import Object
from support.provision import UnavailableError, cache_folder

MANIFESTS = Path(__file__).parents[2] / "manifests"

_MODULE = "sigs.k8s.io/kustomize/kustomize/v5@v5.8.1"


def build(folder: Path) -> list[Object]:
    """Return the objects of a kustomization.

    Raises:
        UnavailableError: there is no kustomize.
        ValueError: the kustomization cannot be built.
    """
    return [obj for obj in yaml.safe_load_all(render(folder)) if obj]


def build_with(
    resources: Sequence[Path], components: Sequence[Path] = (), *, namespace: str = ""
) -> list[Object]:
    """Return the objects of a kustomization that a user could have written.

    Args:
        resources: folders with kustomizations.
        components: folders with components.
        namespace: the namespace of every object; by default, their own.
    """
    with tempfile.TemporaryDirectory(prefix="mcp-operator-") as name:
        folder = Path(name).resolve()
        content = {
            "resources": [os.path.relpath(path, folder) for path in resources],
            "components": [os.path.relpath(path, folder) for path in components],
            "namespace": namespace,
        }
        text = yaml.safe_dump({field: value for field, value in content.items() if value})
        (folder / "kustomization.yaml").write_text(text, encoding="utf-8")
        return build(folder)


def render(folder: Path) -> str:
    """Return a kustomization's objects as YAML, as `build` does."""
    result = subprocess.run(  # noqa: S603 - the user's own kustomize
        [*_command(), str(folder)], capture_output=True, text=True, check=False
    )
    if result.returncode:
        raise ValueError(f"{folder} cannot be built: {result.stderr.strip()}")
    return result.stdout


def _command() -> list[str]:
    named = os.environ.get("MCP_OPERATOR_KUSTOMIZE")
    command = named or shutil.which("kustomize") or shutil.which("kubectl") or str(_installed())
    return [command, "kustomize" if Path(command).name.startswith("kubectl") else "build"]


def _installed() -> Path:
    """Return the Kustomize in the cache, which Go builds if it does not exist."""
    folder = cache_folder() / f"kustomize-{_MODULE.rpartition('@')[2]}"
    binary = folder / "kustomize"
    if binary.is_file():
        return binary
    go = shutil.which("go")
    if go is None:
        raise UnavailableError(
            "there is no kustomize: install kubectl or kustomize, name either in "
            "MCP_OPERATOR_KUSTOMIZE, or install Go"
        )
    environment = os.environ | {"GOBIN": str(folder), "GOFLAGS": ""}
    result = subprocess.run(  # noqa: S603 - Go and constant arguments
        [go, "install", _MODULE], env=environment, capture_output=True, text=True, check=False
    )
    if result.returncode:
        raise UnavailableError(f"{_MODULE} cannot be installed: {result.stderr.strip()[-300:]}")
    return binary
