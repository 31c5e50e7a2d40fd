"""The three ways to install the operator, each as its users go it."""

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
"""Cluster-scoped kinds of which a way to install may leave something behind."""


class Install(ABC):
    """One way to install and to remove the operator."""

    keeps_crds = False
    """Whether the definitions, and with them all that users declared, survive the removal."""

    def __init__(self, kubectl: Kubectl, image: str) -> None:
        """Prepare.

        Args:
            kubectl: The cluster.
            image: The image of operator and gateways, which the nodes have.
        """
        self.kubectl = kubectl
        self.system = kubectl.within(NAMESPACE)
        self.image = image

    @abstractmethod
    def install(self) -> None:
        """Install the operator."""

    @abstractmethod
    def uninstall(self) -> None:
        """Remove what `install` made."""

    def wait_ready(self) -> None:
        """Wait until every replica of the operator is ready."""
        self.system.rollout(OPERATOR)

    def wait_leading(self) -> None:
        """Wait until one of these replicas leads."""
        self.wait_ready()

        def leads() -> bool:
            pods = {pod["metadata"]["name"] for pod in self.system.find("pods", OPERATOR_PODS)}
            holder = self.system.get("lease", "mcp-operator")["spec"].get("holderIdentity", "")
            return holder.rpartition("_")[0] in pods

        eventually(leads, "a replica of the operator to lead")

    def remove_operator(self) -> None:
        """Delete the operator's Deployment, before Helm follows another way, or one follows it."""
        self.system("delete", "deployment", "mcp-operator")

    def leftovers(self) -> list[str]:
        """Return what there still is of the operator's own but for what policy keeps."""
        return [name for name in self._present() if not (self.keeps_crds and GROUP in name)]

    def purge(self) -> None:
        """Remove everything, what policy kept and what an aborted run left too."""
        if present := self._present():
            self.kubectl("delete", "--ignore-not-found", *present)
        eventually(lambda: not self._present(), "the cluster to be empty")

    def _present(self) -> list[str]:
        """Return the operator's own objects that have no namespace, as KIND/NAME."""
        return [
            f"{obj['kind']}/{obj['metadata']['name']}"
            for obj in self.kubectl.find(CLUSTER_KINDS)
            if "mcp-operator" in obj["metadata"]["name"] or obj["metadata"]["name"] == NAMESPACE
        ]


class KubectlInstall(Install):
    """`kubectl apply -f install.yaml`, the file of a release."""

    def install(self) -> None:
        """Apply the file, with the image at hand instead of the published one."""
        text = INSTALL_YAML.read_text(encoding="utf-8")
        published = f"{PUBLISHED}:{VERSION}"
        assert published in text, f"{INSTALL_YAML} does not name {published}"
        self._text = text.replace(published, self.image)
        self.kubectl.apply(self._text)

    def uninstall(self) -> None:
        """Delete everything that is in the file."""
        self.kubectl("delete", "--ignore-not-found", "-f-", stdin=self._text)


class KustomizeInstall(Install):
    """`kubectl apply -k` on an overlay of one's own over ours."""

    def install(self, *options: str) -> None:
        """Apply the overlay, perhaps with an option more."""
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
        """Prepare a release."""
        super().__init__(kubectl, image)
        self.helm = Helm(self.system, "mcp-operator")

    @property
    def values(self) -> Object:
        """The image, as the chart wants it."""
        name, _, tag = self.image.rpartition(":")
        registry, _, repository = name.partition("/")
        return {"image": {"registry": registry, "repository": repository, "tag": tag}}

    def install(self) -> None:
        """Install the chart."""
        self.helm.deploy(CHART, self.values)

    def take_over(self) -> None:
        """Install the chart over what another way has installed."""
        self.helm.deploy(CHART, self.values, take_ownership=True)

    def uninstall(self) -> None:
        """Remove the release; Helm leaves the namespace, which it did not make as its own."""
        self.helm.uninstall()
        self.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found")


WAYS: Final[dict[str, type[Install]]] = {
    "kubectl": KubectlInstall,
    "kustomize": KustomizeInstall,
    "helm": HelmInstall,
}


@contextmanager
def installed(way: str, kubectl: Kubectl, image: str) -> Iterator[Install]:
    """Install in one way, wait until the operator is ready, and leave an empty cluster behind."""
    install = WAYS[way](kubectl, image)
    install.purge()
    install.install()
    try:
        install.wait_ready()
        yield install
    finally:
        install.uninstall()
        install.purge()
