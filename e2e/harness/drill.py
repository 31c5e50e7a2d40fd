"""Staged faults: how the metrics, the alerts, the runbook and the logs report them."""

from __future__ import annotations

import os
import re
import subprocess
import time
from pathlib import Path
from typing import Final

from walkthrough import Command, steps

from e2e.harness.installs import OPERATOR_PODS, Install
from e2e.harness.kubectl import HANG_SECONDS, CommandError, Kubectl, Object
from e2e.harness.shop import ROOT, Shop
from e2e.harness.waiting import eventually
from support.scrapes import Point, Scrape, alerts, scraped

RUNBOOKS: Final = ROOT / "docs" / "reference" / "alerts.md"

GATEWAYS: Final = "--selector=app.kubernetes.io/name=mcp-server"


class Drill:
    """Observes an installation and the shop as Prometheus and a person on call do."""

    def __init__(self, operator: Install, samples: Shop, promtool: Path) -> None:
        self.system = operator.system
        self.shop = samples
        self._promtool = promtool

    def scrape(self) -> Scrape:
        """Scrape every operator and gateway."""
        points: dict[str, Point] = {}
        for pod in self.system.find("pods", OPERATOR_PODS):
            name = pod["metadata"]["name"]
            page = _page(self.system, name, 8080)
            points |= scraped(page, time.time(), job="mcp-operator", pod=name)
        for pod in self.shop.kubectl.find("pods", GATEWAYS):
            name = pod["metadata"]["name"]
            page = _page(self.shop.kubectl, name, 8081)
            namespace = self.shop.kubectl.namespace
            points |= scraped(page, time.time(), job="mcp-servers", namespace=namespace, pod=name)
        return points

    def fires(self, *wanted: str, before: Scrape, begun: Scrape | None = None) -> None:
        """Check that alerts fire if the fault persists, and that they did not fire before."""
        during = alerts(self._promtool, before, begun or before, self.scrape())
        assert set(wanted) <= during, f"{wanted} would not fire, but {sorted(during)}"
        assert not set(wanted) & alerts(self._promtool, before, before, before)

    def is_quiet(self) -> bool:
        """Tell whether no alert would fire: pods of an earlier fault may take a while to go."""
        now = self.scrape()
        return not alerts(self._promtool, now, now, now)

    def diagnosed(self, alert: str, shows: str, *words: str, **names: str) -> None:
        """Check both that an alert's runbook leads to: the output of its first command, and a line.

        Args:
            alert: The alert.
            shows: A regular expression that the output must match.
            words: What the line that the runbook names must contain, such as the object.
            names: The values of placeholders in capitals, such as `NAME`.
        """
        self.runbook(alert, shows, **names)
        self.logged(alert, *words)

    def runbook(self, alert: str, shows: str, **names: str) -> None:
        """Run the first command of an alert's runbook until it shows the cause.

        Args:
            alert: The alert.
            shows: A regular expression that the output must match.
            names: The values of placeholders in capitals, such as `NAME`.
        """
        command = first_command(alert)
        for placeholder, name in {"NAMESPACE": self.shop.kubectl.namespace, **names}.items():
            command = re.sub(rf"\b{placeholder}\b", name, command)

        def shown() -> bool:
            done = subprocess.run(  # noqa: S603 - the command of the runbook
                ["bash", "-c", command],  # noqa: S607 - from PATH, as in a person's shell
                env={**os.environ, "KUBECONFIG": str(self.system.kubeconfig)},
                capture_output=True,
                text=True,
                timeout=HANG_SECONDS,
                check=False,
            )
            seen.append(done.stdout + done.stderr)
            return re.search(shows, seen[-1]) is not None

        seen: list[str] = []
        try:
            eventually(shown, f"{command} to show {shows}")
        except AssertionError as error:
            raise AssertionError(f"{error}; it says: {seen[-1]}") from error

    def logged(self, alert: str, *words: str) -> None:
        """Wait until the log has the line that an alert's runbook names, with all the words."""
        author, message = documented_line(alert)
        pods = {
            "operator": (self.system, OPERATOR_PODS),
            "gateways": (self.shop.kubectl, GATEWAYS),
        }
        kubectl, selector = pods[author]

        def found() -> bool:
            lines = kubectl("logs", selector, "--tail=-1", "--prefix").splitlines()
            return any(all(word in line for word in (message, *words)) for line in lines)

        eventually(found, f"the {author} to log {message!r} with {words}")

    def condition(self, kind: str, name: str, type_: str, status: str) -> Object:
        """Wait until an object has a condition with this status, and return the condition."""

        def holds() -> Object | None:
            said = self.shop.kubectl.get(kind, name).get("status", {}).get("conditions", [])
            found = [one for one in said if one["type"] == type_ and one["status"] == status]
            return found[0] if found else None

        return eventually(holds, f"{kind} {name} to say {type_} {status}")


def first_command(alert: str) -> str:
    """Return the first command of an alert's runbook."""
    runbook = steps(_section(alert))
    command = next((each.text for each in runbook if isinstance(each, Command)), None)
    assert command, f"the runbook of {alert} has no command"
    return command


def documented_line(alert: str) -> tuple[str, str]:
    """Return who logs the line that an alert's runbook names, and its message."""
    found = re.search(r"^Log line of the (\w+): `([^`]+)`", _section(alert), re.MULTILINE)
    assert found, f"the runbook of {alert} names no log line"
    return found[1], found[2]


def _section(alert: str) -> str:
    text = RUNBOOKS.read_text(encoding="utf-8")
    return text.partition(f"\n## {alert}\n")[2].partition("\n## ")[0]


def _page(kubectl: Kubectl, pod: str, port: int) -> str | None:
    """Return a pod's metrics through the API server; None if it does not answer."""
    path = f"/api/v1/namespaces/{kubectl.namespace}/pods/{pod}:{port}/proxy/metrics"
    try:
        return kubectl("get", "--raw", path)
    except CommandError:
        return None
