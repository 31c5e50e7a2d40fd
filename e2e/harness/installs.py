"""The three ways to install the operator, each as users do it."""

from __future__ import annotations

import json
import os
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from e2e.harness.helm import Helm
from e2e.harness.kubectl import Kubectl, Object
from e2e.harness.shop import PUBLISHED, ROOT
from e2e.harness.waiting import eventually
from mcp_operator.version import VERSION

NAMESPACE: Final = "mcp-system"
OPERATOR: Final = "deployment/mcp-operator"
OPERATOR_PODS: Final = "--selector=app.kubernetes.io/name=mcp-operator"
CHART: Final = ROOT / "charts" / "mcp-operator"
INSTALL_YAML: Final = ROOT / "dist" / "install.yaml"
KIND_OVERLAY: Final = ROOT / "manifests" / "overlays" / "kind"
GROUP: Final = "mcp-operator.dev"

CLUSTER_KINDS: Final = (
    "clusterroles,clusterrolebindings,namespaces,priorityclasses,customresourcedefinitions"
)
"""Cluster-scoped kinds of which objects can remain after a removal."""


class Install(ABC):
    """One way to install and remove the operator."""

    keeps_crds = False
    """Whether the CRDs, and with them all custom resources, remain after the removal."""

    def __init__(self, kubectl: Kubectl, image: str) -> None:
        """Set up.

        Args:
            kubectl: The cluster.
            image: The image of operator and gateways, which is on the nodes.
        """
        self.kubectl = kubectl
        self.system = kubectl.within(NAMESPACE)
        self.image = image

    @abstractmethod
    def install(self) -> None:
        """Install the operator."""

    @abstractmethod
    def uninstall(self) -> None:
        """Remove what `install` created."""

    def wait_ready(self) -> None:
        """Wait until every replica of the operator is ready."""
        self.system.rollout(OPERATOR)

    def wait_leading(self) -> None:
        """Wait until one of the ready replicas is the leader."""
        self.wait_ready()

        def leads() -> bool:
            pods = {pod["metadata"]["name"] for pod in self.system.find("pods", OPERATOR_PODS)}
            holder = self.system.get("lease", "mcp-operator")["spec"].get("holderIdentity", "")
            return holder.rpartition("_")[0] in pods

        eventually(leads, "a replica of the operator to lead")

    def remove_operator(self) -> None:
        """Delete the operator's Deployment, when moving from or to an installation with Helm."""
        self.system("delete", "deployment", "mcp-operator")

    def leftovers(self) -> list[str]:
        """Return the operator's own objects that still exist, except those that are kept."""
        return [name for name in self._present() if not (self.keeps_crds and GROUP in name)]

    def purge(self) -> None:
        """Remove everything, including kept objects and those of an aborted run."""
        if present := self._present():
            self.kubectl("delete", "--ignore-not-found", *present)
        eventually(lambda: not self._present(), "the cluster to be empty")

    def _present(self) -> list[str]:
        """Return the operator's cluster-scoped objects, as KIND/NAME."""
        return [
            f"{obj['kind']}/{obj['metadata']['name']}"
            for obj in self.kubectl.find(CLUSTER_KINDS)
            if "mcp-operator" in obj["metadata"]["name"] or obj["metadata"]["name"] == NAMESPACE
        ]


class KubectlInstall(Install):
    """`kubectl apply -f install.yaml`, with the file of a release."""

    def install(self) -> None:
        """Apply the file, with the image under test instead of the published one."""
        text = INSTALL_YAML.read_text(encoding="utf-8")
        published = f"{PUBLISHED}:{VERSION}"
        assert published in text, f"{INSTALL_YAML} does not name {published}"
        self._text = text.replace(published, self.image)
        self.kubectl.apply(self._text)

    def uninstall(self) -> None:
        """Delete everything that is in the file."""
        self.kubectl("delete", "--ignore-not-found", "-f-", stdin=self._text)


class KustomizeInstall(Install):
    """`kubectl apply -k` on a user's overlay over an overlay of this repository."""

    def install(self, *options: str) -> None:
        """Apply the overlay, optionally with more options."""
        with self._overlay() as folder:
            self.kubectl("apply", "--server-side", *options, "-k", folder)

    def uninstall(self) -> None:
        """Delete everything that is in the overlay."""
        with self._overlay() as folder:
            self.kubectl("delete", "--ignore-not-found", "-k", folder)

    @contextmanager
    def _overlay(self) -> Iterator[str]:
        with tempfile.TemporaryDirectory() as folder:
            real = Path(folder).resolve()
            name, _, tag = self.image.rpartition(":")
            kustomization = {
                "resources": [os.path.relpath(KIND_OVERLAY, real)],
                "images": [{"name": "mcp-operator", "newName": name, "newTag": tag}],
            }
            (real / "kustomization.yaml").write_text(json.dumps(kustomization))
            yield str(real)


class HelmInstall(Install):
    """`helm install` of the chart."""

    keeps_crds = True

    def __init__(self, kubectl: Kubectl, image: str) -> None:
        """Set up a release."""
        super().__init__(kubectl, image)
        self.helm = Helm(self.system, "mcp-operator")

    @property
    def values(self) -> Object:
        """The image, in the form of the chart's values."""
        name, _, tag = self.image.rpartition(":")
        registry, _, repository = name.partition("/")
        return {"image": {"registry": registry, "repository": repository, "tag": tag}}

    def install(self) -> None:
        """Install the chart."""
        self.helm.deploy(CHART, self.values)

    def take_over(self) -> None:
        """Install the chart over the objects of another way to install."""
        self.helm.deploy(CHART, self.values, take_ownership=True)

    def uninstall(self) -> None:
        """Remove the release and the namespace, which Helm does not delete."""
        self.helm.uninstall()
        self.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found")


WAYS: Final[dict[str, type[Install]]] = {
    "kubectl": KubectlInstall,
    "kustomize": KustomizeInstall,
    "helm": HelmInstall,
}


@contextmanager
def installed(way: str, kubectl: Kubectl, image: str) -> Iterator[Install]:
    """Install in one way, wait until the operator is ready, and remove everything afterwards."""
    install = WAYS[way](kubectl, image)
    install.purge()
    install.install()
    try:
        install.wait_ready()
        yield install
    finally:
        install.uninstall()
        install.purge()
