"""The environments of the sessions in `noxfile.py`, each from a hash-pinned lock."""  # noqa: INP001 - a module of noxfile.py, not of a package

from __future__ import annotations

import filecmp
import hashlib
import os
import shutil
import sys
from pathlib import Path

import nox

ROOT = Path(__file__).resolve().parents[1]
LOCKS = ROOT / "requirements"
CLIENTS = ("client-fastmcp", "client-langchain", "client-openai", "client-pydantic")
"""Groups of one MCP client each, in the order in which they are listed."""

STANDALONE = ("bootstrap", "build", *CLIENTS, "docs", "lint", "mcp1", "scan", "workflows")
"""Groups whose environments do not include the package and its dependencies."""

GROUPS = (*STANDALONE, "chart", "dev", "fuzz", "test", "types")
"""Dependency groups with their own lock; `runtime` locks the package's own dependencies."""

EXAMPLES = {"example-direct": ROOT / "examples" / "direct" / "requirements.txt"}
"""Groups for the images of examples, each with the path of its lock."""

CONTRACT = ROOT / "tests" / "contract"


def environment(session: nox.Session, group: str, *, name: str = "") -> Path:
    """Return the `bin` folder of a virtual environment with exactly the packages of a group's lock.

    Sessions share the environment. It is recreated only when the lock changes.
    """
    folder = ROOT / ".nox" / (name or group)
    lock = LOCKS / f"{group}.txt"
    stamp = folder / "lock.sha256"
    digest = hashlib.sha256(lock.read_bytes() + sys.version.encode()).hexdigest()
    bin_ = folder / "bin"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == digest:
        return bin_
    session.log(f"making {folder.relative_to(ROOT)} from {lock.relative_to(ROOT)}")
    session.run(sys.executable, "-m", "venv", "--clear", folder, silent=True)
    # A lock is complete. If pip resolved dependencies, it could try releases newer than the lock.
    pip_install(session, bin_, "--require-hashes", "--no-deps", "-r", lock)
    if group not in (*STANDALONE, "runtime"):
        pip_install(session, bin_, "--no-deps", "--no-build-isolation", "--editable", ROOT)
    stamp.write_text(digest, encoding="utf-8")
    return bin_


def pip_install(session: nox.Session, bin_: Path, *arguments: str | Path) -> None:
    """Install with pip, which respects the user's index, mirror and proxy settings."""
    options = ("--quiet", "--disable-pip-version-check")
    session.run(bin_ / "python", "-m", "pip", "install", *options, *arguments)


def compile_arguments(name: str) -> list[str]:
    """Return the arguments for `uv` to compile one lock."""
    sources = [] if name in (*STANDALONE, *EXAMPLES) else ["pyproject.toml", "--extra=otel"]
    group = [] if name == "runtime" else ["--group", name]
    return [
        *("pip", "compile", "--quiet", "--universal", "--python-version=3.11"),
        *("--generate-hashes", "--no-emit-index-url", "--custom-compile-command=nox -s locks"),
        *sources,
        *group,
    ]


def official_clients(session: nox.Session) -> dict[str, str]:
    """Create the environments of clients that need their own; return their paths as variables."""
    found = {"MCP_OPERATOR_MCP1_PYTHON": str(environment(session, "mcp1") / "python")}
    npm = shutil.which("npm")
    if npm is None:
        session.warn("no npm command on PATH: tests with the TypeScript client and suite will skip")
        return found
    return found | {
        "MCP_OPERATOR_TS_CLIENT": str(node_packages(session, npm, CONTRACT / "typescript")),
        "MCP_OPERATOR_TS1_CLIENT": str(node_packages(session, npm, CONTRACT / "typescript1")),
        "MCP_OPERATOR_CONFORMANCE": str(node_packages(session, npm, CONTRACT / "conformance")),
        "MCP_OPERATOR_CONNECT": str(node_packages(session, npm, CONTRACT / "connect")),
        "MCP_OPERATOR_IDENTITY": str(node_packages(session, npm, ROOT / "examples" / "login")),
        "MCP_OPERATOR_PRISM": str(node_packages(session, npm, CONTRACT / "prism")),
    }


def oldest_helm(session: nox.Session) -> dict[str, str]:
    """Install the oldest Helm with which the chart is tested, unless the user specifies one."""
    npm = shutil.which("npm")
    if "MCP_OPERATOR_HELM3" in os.environ:
        return {}
    if npm is None or sys.platform != "linux":
        session.warn("Helm 3 comes by npm and for Linux: without both set MCP_OPERATOR_HELM3")
        return {}
    commands = node_packages(session, npm, ROOT / "tests" / "chart" / "helm3") / "node_modules"
    return {"MCP_OPERATOR_HELM3": str(commands / ".bin" / "helm")}


def diagrams(session: nox.Session) -> list[str | Path]:
    """Install the script that draws diagrams; return the option with its path."""
    npm = shutil.which("npm")
    if npm is None:
        session.warn("no npm command on PATH: browsers will fetch Mermaid from a CDN")
        return []
    modules = node_packages(session, npm, ROOT / "tools" / "diagrams") / "node_modules"
    return ["--mermaid", modules / "@mermaid-js" / "tiny" / "dist" / "mermaid.tiny.js"]


def node_packages(session: nox.Session, npm: str, folder: Path) -> Path:
    """Copy a Node package of the tests to `.nox`, and install exactly its lock there."""
    copy = ROOT / ".nox" / folder.name
    shutil.copytree(folder, copy, dirs_exist_ok=True)
    lock, installed = copy / "package-lock.json", copy / "node_modules" / "installed-lock.json"
    if not installed.exists() or not filecmp.cmp(lock, installed, shallow=False):
        with session.chdir(copy):
            session.run(npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund")
        shutil.copy(lock, installed)
    return copy
