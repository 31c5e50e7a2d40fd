"""Runs the commands of the quickstart, with this checkout instead of a release.

It does not run the commands that create and delete the cluster, nor the assistant. `-rP` prints
each command with its output, and the total duration.
"""

from __future__ import annotations

import re
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import walkthrough
from walkthrough import Command, Save, Walk, steps

from e2e.harness.installs import installed
from e2e.harness.kubectl import Kubectl
from e2e.harness.shop import ROOT
from support.network import free_port

PAGE = ROOT / "docs" / "quickstart.md"

EXAMPLE = '"https://github.com/mcp-operator/mcp-operator//examples/library?ref=v0.1.0"'
EXAMPLE_IMAGE = "docker.io/library/python:3.13-alpine"

INSTALLATION = "helm install mcp-operator oci://"

ELSEWHERE = ("kind ", "claude ")
"""The start of commands that are not run."""


def pasted(image: str, folder: Path, port: int) -> Iterator[Save | Command]:
    """Yield the steps of the page after the installation.

    Args:
        image: Replaces the example's image, which may not be on the nodes; it also has Python.
        folder: The folder for a copy of the example with this image.
        port: Replaces the local port 8080, which may be in use.
    """
    library = shutil.copytree(ROOT / "examples" / "library", folder / "example")
    deployment = library / "deployment.yaml"
    text = deployment.read_text(encoding="utf-8")
    assert EXAMPLE_IMAGE in text
    deployment.write_text(text.replace(EXAMPLE_IMAGE, image), encoding="utf-8")
    for step in steps(PAGE.read_text(encoding="utf-8")):
        if isinstance(step, Save):
            yield step
        elif not step.text.startswith((INSTALLATION, *ELSEWHERE)):
            text = step.text.replace(EXAMPLE, str(library)).replace("8080:8080", f"{port}:8080")
            shown = re.sub(r"\d+s$", "...", step.shown, flags=re.MULTILINE)  # an object's age
            yield Command(text.replace("127.0.0.1:8080", f"127.0.0.1:{port}"), shown)


def test_the_commands_of_the_quickstart_have_the_shown_results(
    kubectl: Kubectl, image: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    monkeypatch.setenv("KUBECONFIG", str(kubectl.kubeconfig))
    monkeypatch.setattr(walkthrough, "ELSEWHERE", {})
    monkeypatch.setattr(walkthrough, "STAYING", {"kubectl port-forward": port})
    page = PAGE.read_text(encoding="utf-8")
    assert f"$ {INSTALLATION}" in page
    assert EXAMPLE in page
    began = time.monotonic()
    try:
        with installed("helm", kubectl, image), Walk(tmp_path) as walk:
            for step in pasted(image, tmp_path, port):
                walk.do(step)
            sys.stdout.write(f"\nFrom nothing to the end: {time.monotonic() - began:.0f} s\n")
    finally:
        kubectl("delete", "namespace", "library", "--ignore-not-found", "--wait=false")
