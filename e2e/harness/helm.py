"""Helm: the command if it is installed, otherwise Helm's own library in a Python package."""

from __future__ import annotations

import importlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from e2e.harness.kubectl import HANG_SECONDS, CommandError, Kubectl, Object


class Helm:
    """One release in the namespace of its `kubectl`."""

    def __init__(self, kubectl: Kubectl, release: str) -> None:
        self._kubectl, self._release = kubectl, release
        self._installed = False

    def deploy(self, chart: Path, values: Object, *, take_ownership: bool = False) -> None:
        """Install the release, or upgrade it if this object installed it; wait until it is ready.

        Args:
            chart: The chart.
            values: Its values.
            take_ownership: Whether to adopt existing objects.
        """
        if shutil.which("helm"):
            limit = f"--timeout={HANG_SECONDS:.0f}s"
            options = ["--install", "--create-namespace", "--wait", limit]
            options += self._taking_ownership() if take_ownership else []
            self._helm("upgrade", str(chart), *options, "--values=-", stdin=json.dumps(values))
        else:
            wait = {"wait": "watcher", "timeout": int(HANG_SECONDS)}
            config = self._library()
            if take_ownership:
                self._adopt(chart, values)
            if self._installed:
                config.upgrade(str(chart), self._release, values, **wait)
            else:
                config.install(str(chart), self._release, values, create_namespace=True, **wait)
        self._installed = True

    def forget(self) -> None:
        """Make Helm forget its release and keep the objects, as in docs/how-to/upgrade.md."""
        self._kubectl("delete", "secret", "-l", f"owner=helm,name={self._release}")
        self._installed = False

    def _adopt(self, chart: Path, values: Object) -> None:
        """Do the same as `--take-ownership --force-conflicts`, which the library does not have."""
        with importlib.import_module("helm_python").Chart.load(str(chart)) as loaded:
            files = loaded.render(values, name=self._release, namespace=self._kubectl.namespace)
        texts = [text for path, text in files.items() if not path.endswith(".txt")]
        objects = [obj for text in texts for obj in yaml.safe_load_all(text) if obj]
        release = {"name": self._release, "namespace": self._kubectl.namespace}
        for obj in objects:
            annotations = obj["metadata"].setdefault("annotations", {})
            annotations |= {f"meta.helm.sh/release-{key}": one for key, one in release.items()}
        manager = f"--field-manager={Path(sys.executable).name}"  # the library's field manager
        self._kubectl.apply(objects, manager)

    def uninstall(self) -> None:
        """Remove the release, if there is one, and wait until its objects are gone."""
        if not self._installed:
            return
        if shutil.which("helm"):
            self._helm("uninstall", "--wait", f"--timeout={HANG_SECONDS:.0f}s")
        else:
            self._library().uninstall(self._release, wait="watcher", timeout=int(HANG_SECONDS))
        self._installed = False

    def _taking_ownership(self) -> list[str]:
        """Return the options. Helm 4 applies server-side, and Helm 3 has no conflicts."""
        version = subprocess.run(
            ["helm", "version", "--short"],  # noqa: S607 - from PATH, as users run it
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        return ["--take-ownership", *(["--force-conflicts"] if version.startswith("v4.") else [])]

    def _helm(self, verb: str, *arguments: str, stdin: str = "") -> None:
        scope = ("--kubeconfig", str(self._kubectl.kubeconfig), "-n", self._kubectl.namespace)
        command = ["helm", verb, self._release, *arguments, *scope]
        done = subprocess.run(  # noqa: S603
            command, input=stdin, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise CommandError(f"{' '.join(command)}: {done.stderr}")

    def _library(self) -> Any:
        helm = importlib.import_module("helm_python")  # installed only if there is no command
        return helm.Config(
            kubeconfig_path=self._kubectl.kubeconfig, namespace=self._kubectl.namespace
        )
