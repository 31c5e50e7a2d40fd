"""kubectl as users run it, with the output as Python values."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

Object = dict[str, Any]

HANG_SECONDS: Final = 600.0
"""Seconds after which a wait counts as hung.

No test depends on this time. It is much longer than a slow machine takes to start a pod, and only
ends a test that would otherwise never end.
"""


class CommandError(Exception):
    """A command failed; the text contains the command and its output."""


@dataclass(frozen=True)
class Kubectl:
    """Runs kubectl against one cluster, and in one namespace if it is set.

    Attributes:
        kubeconfig: The cluster.
        namespace: The namespace of namespaced objects; empty if the arguments set it.
    """

    kubeconfig: Path
    namespace: str = ""

    def within(self, namespace: str) -> Kubectl:
        """Return a copy for another namespace."""
        return Kubectl(self.kubeconfig, namespace)

    def command(self, *arguments: str) -> list[str]:
        """Return the whole command line."""
        scope = ["--namespace", self.namespace] if self.namespace else []
        return ["kubectl", "--kubeconfig", str(self.kubeconfig), *scope, *arguments]

    def __call__(self, *arguments: str, stdin: str = "") -> str:
        """Run a command, wait until it ends, and return its output.

        Raises:
            CommandError: It failed or hung.
        """
        try:
            done = subprocess.run(  # noqa: S603 - arguments of these tests
                self.command(*arguments),
                input=stdin,
                capture_output=True,
                text=True,
                timeout=HANG_SECONDS + 10,  # kubectl's own timeout ends first, with a reason
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise CommandError(f"kubectl {' '.join(arguments)}: hangs") from error
        if done.returncode:
            raise CommandError(f"kubectl {' '.join(arguments)}: {done.stderr or done.stdout}")
        return done.stdout

    def get(self, kind: str, name: str) -> Object:
        """Return one object."""
        found: Object = json.loads(self("get", kind, name, "--output=json"))
        return found

    def find(self, kinds: str, *arguments: str) -> list[Object]:
        """Return the objects of some kinds; pass `--selector` and similar options as arguments."""
        found: list[Object] = json.loads(self("get", kinds, "--output=json", *arguments))["items"]
        return found

    def apply(self, manifest: str | Object | list[Object], *options: str) -> None:
        """Apply YAML text or objects, server-side."""
        text = manifest if isinstance(manifest, str) else json.dumps(_listed(manifest))
        force = ("--server-side", "--force-conflicts")
        self("apply", *force, *options, "--filename=-", stdin=text)

    def patch(self, kind: str, name: str, patch: Object) -> None:
        """Merge a patch into an object."""
        self("patch", kind, name, "--type=merge", f"--patch={json.dumps(patch)}")

    def wait(self, target: str, condition: str) -> None:
        """Wait until KIND/NAME has a condition, in the form of kubectl's `--for`."""
        self("wait", target, f"--for={condition}", f"--timeout={HANG_SECONDS:.0f}s")

    def rollout(self, target: str) -> None:
        """Wait until a Deployment has rolled out."""
        self("rollout", "status", target, f"--timeout={HANG_SECONDS:.0f}s")

    @contextmanager
    def forwarded(self, target: str, port: int) -> Iterator[int]:
        """Forward a free local port to a port of a pod or Service; yield its number."""
        command = self.command("port-forward", target, f":{port}", "--address=127.0.0.1")
        with subprocess.Popen(  # noqa: S603
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=os.environ
        ) as process:
            try:
                line = process.stdout.readline() if process.stdout else ""
                if "Forwarding from" not in line:
                    raise CommandError(f"kubectl port-forward {target}: {line}")
                yield int(line.split("127.0.0.1:")[1].split(" ")[0])
            finally:
                process.terminate()


def _listed(manifest: Object | list[Object]) -> Object:
    items = manifest if isinstance(manifest, list) else [manifest]
    return {"apiVersion": "v1", "kind": "List", "items": items}
