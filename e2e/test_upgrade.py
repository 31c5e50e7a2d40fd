"""Tests an upgrade of the chart, and moves between ways to install, while servers are in use."""

from __future__ import annotations

import shutil
from pathlib import Path

import yaml

from e2e.harness.installs import CHART, HelmInstall, KubectlInstall, KustomizeInstall
from e2e.harness.kubectl import Kubectl, Object
from e2e.harness.shop import GATEWAY_PODS, Shop, shop
from e2e.harness.traffic import MIN_CALLS, RATE, SECONDS, assert_nothing_failed

CHILDREN = "deployments,services,serviceaccounts,roles,rolebindings,configmaps"


def test_an_upgrade_and_a_rollback_do_not_disrupt_servers(
    kubectl: Kubectl, image: str, tmp_path: Path
) -> None:
    install = HelmInstall(kubectl, image)
    install.purge()
    older = previous_chart(tmp_path)
    install.helm.deploy(older, install.values | {"config": {"logLevel": "debug"}})
    try:
        with shop(kubectl, image) as opened:
            before = children(opened)
            with opened.load("search-products", RATE, MIN_CALLS, SECONDS) as summary:
                for chart in (CHART, older):
                    install.helm.deploy(chart, install.values)
                    install.wait_ready()
                    assert children(opened) == before
            assert_nothing_failed(summary)
    finally:
        install.uninstall()
        install.purge()


def test_each_installation_method_takes_over_from_another_without_disruption(
    kubectl: Kubectl, image: str
) -> None:
    """The commands are those of docs/how-to/upgrade.md, in its section about ways to install."""
    chart = HelmInstall(kubectl, image)
    kustomize, manifest = KustomizeInstall(kubectl, image), KubectlInstall(kubectl, image)
    chart.purge()
    chart.install()
    try:
        with shop(kubectl, image) as opened:
            before = children(opened)
            with opened.load("search-products", RATE, MIN_CALLS, SECONDS) as summary:
                chart.remove_operator()
                kustomize.install("--force-conflicts")
                chart.helm.forget()
                kustomize.wait_leading()
                manifest.install()
                manifest.wait_leading()
                manifest.remove_operator()
                chart.take_over()
                chart.wait_leading()
            assert_nothing_failed(summary)
            assert children(opened) == before
    finally:
        chart.uninstall()
        chart.purge()


def previous_chart(folder: Path) -> Path:
    """Return the chart with an older version number, because no older release differs in more."""
    copy = folder / CHART.name
    shutil.copytree(CHART, copy)
    about = yaml.safe_load((copy / "Chart.yaml").read_text())
    (copy / "Chart.yaml").write_text(yaml.safe_dump(about | {"version": "0.0.9"}))
    return copy


def children(opened: Shop) -> dict[str, Object]:
    """Return what identifies each child of the server, and each run of its pods."""
    ours = "--selector=app.kubernetes.io/managed-by=mcp-operator"
    found = opened.kubectl.find(CHILDREN, ours) + opened.kubectl.find("pods", GATEWAY_PODS)
    return {
        obj["metadata"]["uid"]: {
            "kind": obj["kind"],
            "generation": obj["metadata"].get("generation"),
            "data": obj.get("data"),
            "rules": obj.get("rules"),
            "started": [
                container["state"]
                for container in obj.get("status", {}).get("containerStatuses", ())
            ],
        }
        for obj in found
    }
