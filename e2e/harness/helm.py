"""Helm: the command where there is one, else Helm's own library in a Python package."""

from __future__ import annotations

import importlib
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

from e2e.harness.kubectl import HANG_SECONDS, CommandError, Kubectl, Object


class Helm:
    """One release in the namespace of its `kubectl`."""

    def __init__(self, kubectl: Kubectl, release: str) -> None:
        self._kubectl, self._release = kubectl, release
        self._installed = False

    def deploy(self, chart: Path, values: Object) -> None:
        """Install the release, or upgrade it where this made it, and wait until it is ready."""
        if shutil.which("helm"):
            limit = f"--timeout={HANG_SECONDS:.0f}s"
            options = ("--install", "--create-namespace", "--wait", limit)
            self._helm("upgrade", str(chart), *options, "--values=-", stdin=json.dumps(values))
        else:
            wait = {"wait": "watcher", "timeout": int(HANG_SECONDS)}
            config = self._library()
            if self._installed:
                config.upgrade(str(chart), self._release, values, **wait)
            else:
                config.install(str(chart), self._release, values, create_namespace=True, **wait)
        self._installed = True

    def uninstall(self) -> None:
        """Remove the release, if there is one, and wait until its objects are gone."""
        if not self._installed:
            return
        if shutil.which("helm"):
            self._helm("uninstall", "--wait", f"--timeout={HANG_SECONDS:.0f}s")
        else:
            self._library().uninstall(self._release, wait="watcher", timeout=int(HANG_SECONDS))
        self._installed = False

    def _helm(self, verb: str, *arguments: str, stdin: str = "") -> None:
        scope = ("--kubeconfig", str(self._kubectl.kubeconfig), "-n", self._kubectl.namespace)
        command = ["helm", verb, self._release, *arguments, *scope]
        done = subprocess.run(  # noqa: S603
            command, input=stdin, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise CommandError(f"{' '.join(command)}: {done.stderr}")

    def _library(self) -> Any:
        helm = importlib.import_module("helm_python")  # only where there is no command
        return helm.Config(
            kubeconfig_path=self._kubectl.kubeconfig, namespace=self._kubectl.namespace
        )
