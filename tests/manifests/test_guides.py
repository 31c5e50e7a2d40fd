"""The commands and files of the guides to installing, upgrading and uninstalling work."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from mcp_operator.core.meta import Object
from mcp_operator.version import VERSION
from support import kustomize
from support.controlplane import ControlPlane
from support.installations import OPERATORS, Build
from support.provision import UnavailableError, find_binaries
from support.workloads import containers, environment, named, of_kind

ROOT = Path(__file__).parents[2]
HOW_TO = ROOT / "docs" / "how-to"
REPOSITORY = "https://github.com/mcp-operator/mcp-operator"

REMOTE = re.compile(rf"{REPOSITORY}//([\w/-]+)\?ref=v([\w.]+)")
"""The URL of a folder of a release, as Kustomize fetches it."""

RELEASED = re.compile(rf"{REPOSITORY}/releases/download/v([\w.]+)/install\.yaml")


PLURALS = {
    "ClusterRole": "clusterroles",
    "ClusterRoleBinding": "clusterrolebindings",
    "PriorityClass": "priorityclasses",
}


def page(name: str) -> str:
    return (HOW_TO / f"{name}.md").read_text(encoding="utf-8")


def section(name: str, heading: str) -> str:
    """Return the text under a heading of a page."""
    return page(name).split(f"\n## {heading}\n")[1].split("\n## ")[0]


def commands(text: str) -> list[str]:
    """Return the commands of a text, each on one line."""
    shown = re.findall(r"^\$ ((?:.*\\\n)*.*)$", text, re.MULTILINE)
    return [re.sub(r"\\\n\s*", "", command) for command in shown]


def kustomizations() -> list[Object]:
    blocks = re.findall(r"^```yaml\n(.*?)^```", page("install"), re.MULTILINE | re.DOTALL)
    return [yaml.safe_load(block) for block in blocks]


def built(kustomization: Object, folder: Path) -> list[Object]:
    """Build a kustomization of the guide, with this checkout instead of the release."""

    def local(match: re.Match[str]) -> str:
        return os.path.relpath(ROOT / match.group(1), folder.resolve())

    text = REMOTE.sub(local, yaml.safe_dump(kustomization, width=1000))
    (folder / "kustomization.yaml").write_text(text, encoding="utf-8")
    try:
        return kustomize.build(folder)
    except UnavailableError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("name", ["install", "upgrade"])
def test_the_guides_name_this_release(name: str) -> None:
    text = page(name)
    versions = {match[-1] for match in REMOTE.findall(text)} | set(RELEASED.findall(text))
    versions |= set(re.findall(r"--version (\S+)", text))
    assert versions == {VERSION}


def test_the_guide_lists_every_folder_of_manifests() -> None:
    shown = set(re.findall(r"^\| `(manifests/[\w/-]+)`", page("install"), re.MULTILINE))
    folders = [*kustomize.MANIFESTS.glob("overlays/*"), *kustomize.MANIFESTS.glob("components/*")]
    there = {str(folder.relative_to(ROOT)) for folder in folders}
    assert shown == there | {"manifests/base"}


def test_the_production_kustomization_has_three_replicas_and_alerts(tmp_path: Path) -> None:
    objects = built(kustomizations()[0], tmp_path)
    assert named(objects, "Deployment", "mcp-operator")["spec"]["replicas"] == 3
    assert of_kind(objects, "PrometheusRule")


def test_one_image_entry_also_sets_the_gateway_image(tmp_path: Path) -> None:
    kustomization = kustomizations()[1]
    [image] = kustomization["images"]
    expected = f"{image['newName']}@{image['digest']}"
    objects = built(kustomization, tmp_path)
    [(_, container)] = containers(objects)
    assert container["image"] == expected
    assert environment(container)["MCP_OPERATOR_GATEWAY_IMAGE"] == expected
    assert {obj["metadata"].get("namespace", "platform") for obj in objects} == {"platform"}


def test_the_kustomization_for_one_namespace_creates_objects_only_there(tmp_path: Path) -> None:
    objects = built(kustomizations()[2], tmp_path)
    assert {obj["metadata"].get("namespace") for obj in objects} == {"team-a"}


def test_the_gateway_has_the_class_and_the_namespace_of_the_guide(tmp_path: Path) -> None:
    [gateway] = built(kustomizations()[3], tmp_path)
    assert gateway["spec"]["gatewayClassName"] == "envoy"
    assert gateway["metadata"]["namespace"] == "mcp-entrance"


@pytest.mark.parametrize("name", sorted(set(OPERATORS) - {"components/namespaced-rbac"}))
def test_the_uninstall_commands_delete_every_object_but_the_crds(build: Build, name: str) -> None:
    command = commands(section("uninstall", "Remove the operator, keep the servers"))[1]
    _, _, kinds, _, selector = command.split()
    label, _, value = selector.partition("=")

    def is_deleted(obj: Object) -> bool:
        if "mcp-system" in {obj["metadata"].get("namespace"), obj["metadata"]["name"]}:
            return True
        labeled: bool = obj["metadata"]["labels"][label] == value
        return labeled and PLURALS.get(obj["kind"]) in kinds.split(",")

    left = [obj["kind"] for obj in build(name) if not is_deleted(obj)]
    assert left == ["CustomResourceDefinition"] * 4


Run = Callable[[str], str]


@pytest.fixture
def run(build: Build, tmp_path: Path) -> Iterator[Run]:
    """A function that runs a command of a guide, with a new and empty control plane."""
    if shutil.which("kubectl") is None:
        pytest.skip("there is no kubectl")
    try:
        cluster = ControlPlane(find_binaries(print))
    except UnavailableError as error:
        pytest.skip(str(error))
    (tmp_path / "install.yaml").write_text(yaml.safe_dump_all(build("base")), encoding="utf-8")

    def run(command: str) -> str:
        local = RELEASED.sub("install.yaml", command)
        local = REMOTE.sub(lambda match: str(ROOT / match.group(1)), local)
        result = subprocess.run(  # noqa: S602 - a line of our own guide
            local,
            shell=True,
            cwd=tmp_path,
            env=os.environ | {"KUBECONFIG": str(cluster.kubeconfig)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, f"{command}: {result.stderr}"
        return result.stdout

    with cluster:
        yield run


OWN = "kubectl get crd,clusterroles,clusterrolebindings,namespaces -o name"
OBJECTS = "kubectl get mcps,mcpt,mcpp,mcpr -A -o name"


def names(run: Run) -> set[str]:
    return {line for line in run(OWN).split() if "mcp" in line}


def test_installing_upgrading_and_uninstalling_with_the_guides_works(run: Run) -> None:
    assert names(run) == set()
    install = commands(section("install", "With kubectl"))[0]
    run(install)
    installed = names(run)
    assert "namespace/mcp-system" in installed
    run(
        "kubectl wait --for=condition=Established crd --all"
    )  # in a real cluster, the rollout takes longer
    run(commands(section("install", "See it work"))[0])
    objects = run(OBJECTS)
    assert len(objects.split()) > 3

    assert f"`{install}`" in page("upgrade")  # the guide to upgrades shows the same command
    run(install)
    assert names(run) == installed
    assert run(OBJECTS) == objects

    for command in commands(section("uninstall", "Remove the operator, keep the servers"))[:2]:
        run(command)
    crds = {name for name in installed if name.startswith("customresourcedefinition")}
    assert len(crds) == 4
    assert names(run) == crds
    assert run(OBJECTS) == objects

    for command in commands(section("uninstall", "Remove everything")):
        run(command)
    assert names(run) == set()


def test_the_readme_installs_production_and_the_guide_uninstalls_it(run: Run) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Install")[2]
    [with_kustomize] = [command for command in commands(readme) if " -k " in command]
    run(with_kustomize)
    replicas = "kubectl get deployment mcp-operator -n mcp-system -o jsonpath={.spec.replicas}"
    assert run(replicas) == "3"
    assert "priorityclass.scheduling.k8s.io/mcp-operator" in run("kubectl get pc -o name")
    for command in commands(section("uninstall", "Remove the operator, keep the servers"))[:2]:
        run(command)
    assert "mcp-operator" not in run("kubectl get pc -o name")
    assert {name.partition(".")[0] for name in names(run)} == {"customresourcedefinition"}


def test_every_alert_links_to_its_section_in_the_reference(build: Build) -> None:
    rules = named(build("components/prometheus"), "PrometheusRule", "mcp-operator")["spec"]
    links = [
        rule["annotations"]["runbook_url"] for group in rules["groups"] for rule in group["rules"]
    ]
    alerts = [rule["alert"] for group in rules["groups"] for rule in group["rules"]]
    path = "docs/reference/alerts.md"
    assert links == [f"{REPOSITORY}/blob/main/{path}#{alert.lower()}" for alert in alerts]
    text = (ROOT / path).read_text(encoding="utf-8")
    assert re.findall(r"^## (\w+)$", text, re.MULTILINE) == alerts
