"""Releases on a real API server: installation, upgrade, and what uninstalling keeps."""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import helm_python
import pytest
import yaml

from mcp_operator.api.v1alpha1 import MCPSERVERS
from mcp_operator.builders.resources import DEPLOYMENTS, ROLEBINDINGS, SERVICEACCOUNTS
from mcp_operator.core.meta import Key, Object, Resource
from mcp_operator.runtime.client import Client
from mcp_operator.runtime.errors import ApiError
from support.controlplane import Cluster, ControlPlane
from support.crds import DEFINITIONS, established
from support.helm import CHART, KUBERNETES, Command, HelmError, Library
from support.kubeconfigs import write_account_kubeconfig
from support.manifests import server
from support.waiting import eventually

NAMESPACES = Resource("", "v1", "namespaces", "Namespace", namespaced=False)

NAMES = [f"mcp{kind}.mcp-operator.dev" for kind in ("prompts", "resources", "servers", "tools")]

RELEASE = "mcp-operator"


@pytest.fixture
async def namespace(client: Client, namespace: str) -> str:
    """A namespace that enforces the Pod Security level `restricted`, and warns."""
    labels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
    await client.merge_patch(NAMESPACES, Key("", namespace), {"metadata": {"labels": labels}})
    return namespace


@pytest.fixture
async def no_definitions(control_plane: Cluster, client: Client) -> AsyncIterator[None]:
    """Delete the CRDs before the test and after it."""
    if not isinstance(control_plane, ControlPlane):
        pytest.skip("the test must not delete the CRDs of an existing cluster")
    await delete_definitions(client)
    yield
    await delete_definitions(client)


async def delete_definitions(client: Client) -> None:
    for name in NAMES:
        with contextlib.suppress(ApiError):  # it does not exist
            await client.delete(DEFINITIONS, Key("", name))
        await eventually(partial(exists, client, DEFINITIONS, Key("", name)), expected=False)


async def exists(client: Client, resource: Resource, key: Key) -> bool:
    try:
        await client.get(resource, key)
    except ApiError as error:
        if error.is_not_found:
            return False
        raise
    return True


class Releases:
    """Installs, upgrades and uninstalls releases in one namespace, with Helm 3 or Helm 4.

    Args:
        command: Helm 3; None for the library of Helm 4.
        kubeconfig: The user and the cluster.
        namespace: The releases' namespace.
    """

    def __init__(self, command: Command | None, kubeconfig: Path, namespace: str) -> None:
        self._command = command
        self._flags = ("--kubeconfig", str(kubeconfig), "--namespace", namespace)
        self._config: Callable[[], contextlib.AbstractContextManager[Any]] = lambda: (
            helm_python.Config(kubeconfig_path=kubeconfig, namespace=namespace)
        )

    def install(self, *settings: str, chart: Path = CHART) -> str:
        return self._act("install", settings, chart)

    def upgrade(self, *settings: str, chart: Path = CHART) -> str:
        return self._act("upgrade", settings, chart)

    def uninstall(self) -> None:
        if self._command:
            self._command.run("uninstall", RELEASE, *self._flags)
            return
        with self._config() as config:
            config.uninstall(RELEASE)

    def _act(self, verb: str, settings: tuple[str, ...], chart: Path) -> str:
        """Run a command and return its warnings, which only Helm 3 reports."""
        if self._command:
            given = [part for setting in settings for part in ("--set", setting)]
            return self._command.warnings(verb, RELEASE, str(chart), *given, *self._flags)
        values: Object = {}
        for setting in settings:
            values |= helm_python.parse_set_string(setting)
        with helm_python.Chart.load(chart) as loaded, self._config() as config:
            getattr(config, verb)(loaded, RELEASE, values)
        return ""


@pytest.fixture
def admin(control_plane: Cluster, tmp_path: Path) -> Path:
    """A kubeconfig that only its owner can read, because Helm warns about any other."""
    path = tmp_path / "admin"
    path.touch(mode=0o600)
    path.write_bytes(control_plane.kubeconfig.read_bytes())
    return path


@pytest.fixture(params=["Helm 3", "Helm 4"])
def releases(request: pytest.FixtureRequest, admin: Path, namespace: str) -> Iterator[Releases]:
    command = request.getfixturevalue("helm3") if request.param == "Helm 3" else None
    found = Releases(command, admin, namespace)
    yield found
    with contextlib.suppress(HelmError, helm_python.HelmError):  # the test has uninstalled it
        found.uninstall()


def newer(tmp_path: Path) -> Path:
    """Create a later version of the chart, with a changed CRD."""
    chart = tmp_path / "mcp-operator"
    shutil.copytree(CHART, chart)
    definition = chart / "files" / "crds" / "mcptools.yaml"
    text = definition.read_text(encoding="utf-8")
    definition.write_text(
        re.sub(r"(openAPIV3Schema:\n +description:) .*", r"\1 Changed.", text), encoding="utf-8"
    )
    return chart


@pytest.mark.usefixtures("no_definitions")
async def test_row_40_uninstalling_keeps_the_crds_and_their_objects(
    client: Client, releases: Releases, helm4: Library, namespace: str, tmp_path: Path
) -> None:
    assert releases.install() == ""
    for name in NAMES:
        await established(client, name)
    precious = server("precious")
    precious["metadata"]["namespace"] = namespace
    await client.create(MCPSERVERS, precious)

    assert releases.upgrade("replicaCount=3", chart=newer(tmp_path)) == ""
    deployment = await client.get(DEPLOYMENTS, Key(namespace, RELEASE))
    assert deployment["spec"]["replicas"] == 3
    definition = await client.get(DEFINITIONS, Key("", "mcptools.mcp-operator.dev"))
    schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    assert schema["description"] == "Changed."

    releases.uninstall()
    for obj in helm4.render(namespace=namespace).objects:
        resource, key = locate(obj)
        kept = obj["kind"] == "CustomResourceDefinition"
        assert await exists(client, resource, key) is kept, key
    assert await exists(client, MCPSERVERS, Key(namespace, "precious"))

    assert releases.install() == ""  # the new release adopts the CRDs
    releases.uninstall()


def locate(obj: Object) -> tuple[Resource, Key]:
    group, _, version = obj["apiVersion"].rpartition("/")
    kind, metadata = obj["kind"], obj["metadata"]
    plural = kind.lower().removesuffix("y") + ("ies" if kind.endswith("y") else "s")
    inside = "namespace" in metadata
    resource = Resource(group, version, plural, kind, namespaced=inside)
    return resource, Key(metadata.get("namespace", ""), metadata["name"])


@pytest.fixture
async def team(
    control_plane: Cluster, client: Client, crds_installed: None, namespace: str, tmp_path: Path
) -> Path:
    """The kubeconfig of a user who has only the built-in role admin in the namespace."""
    path = tmp_path / "kubeconfig"
    await become_admin_of(client, namespace)
    await write_account_kubeconfig(path, client, control_plane.kubeconfig, namespace, "team")
    return path


async def test_row_27_an_admin_of_a_namespace_can_install_once_the_roles_are_created(
    client: Client, helm3: Command, namespace: str, team: Path
) -> None:
    own = f"watchNamespaces={{{namespace}}}"
    releases = Releases(helm3, team, namespace)
    with pytest.raises(HelmError, match="attempting to grant RBAC permissions not currently held"):
        releases.install(own, "crds.install=false")
    releases.uninstall()

    flags = ("--namespace", namespace, "--set", own, "--kube-version", KUBERNETES)
    shown = ("--show-only", "templates/rbac.yaml")
    for obj in yaml.safe_load_all(helm3.run("template", RELEASE, str(CHART), *flags, *shown)):
        await client.apply(locate(obj)[0], obj)
    assert releases.install(own, "crds.install=false", "rbac.create=false") == ""
    assert await exists(client, DEPLOYMENTS, Key(namespace, RELEASE))


async def become_admin_of(client: Client, namespace: str) -> None:
    """Create the account `team` with the built-in role admin in the namespace."""
    metadata = {"name": "team", "namespace": namespace}
    await client.create(SERVICEACCOUNTS, {"metadata": metadata})
    await client.create(
        ROLEBINDINGS,
        {
            "metadata": metadata,
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": "admin",
            },
            "subjects": [{"kind": "ServiceAccount", **metadata}],
        },
    )
