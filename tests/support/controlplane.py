"""A real Kubernetes control plane on loopback: etcd, kube-apiserver, kube-controller-manager.

TLS, RBAC, ServiceAccount admission and Pod Security work as in a cluster. There is no scheduler
and no node; `support.kubelet` runs Pods where tests need them.
"""

import contextlib
import http.client
import os
import shutil
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol, Self

import yaml

from support.certificates import Authority, write_signing_key
from support.network import free_port
from support.processes import ProcessGroup, wait_until_ready
from support.provision import Binaries, Report, UnavailableError, find_binaries
from support.waiting import HANG_SECONDS

_SERVICE_RANGE = "10.96.0.0/16"
"""Cluster IPs; nothing routes them. kubeadm's default is 10.96.0.0/12."""

_API_SERVICE_IP = "10.96.0.1"

_CONTROLLERS = (
    "clusterrole-aggregation-controller",
    "deployment-controller",
    "disruption-controller",
    "garbage-collector-controller",
    "horizontal-pod-autoscaler-controller",
    "namespace-controller",
    "replicaset-controller",
    "resourcequota-controller",
    "root-ca-certificate-publisher-controller",
    "serviceaccount-controller",
    "validatingadmissionpolicy-status-controller",
)
"""The controllers that act on the operator's objects. Without nodes, others only use memory."""

_HASTY = ("--kube-api-qps=1000", "--kube-api-burst=2000")
"""Limits so high that no test has to wait for kube-controller-manager."""

_PATIENT = ("--kube-api-qps=20", "--kube-api-burst=30")
"""The limits that each of its controllers has by default (kubernetes,
pkg/controller/apis/config/v1alpha1/defaults.go)."""

_AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "None", "userGroups": ["system:nodes"]}, {"level": "Metadata"}],
}


class Cluster(Protocol):
    """The interface of a cluster for the tests and the demo.

    Attributes:
        kubeconfig: a kubeconfig of an administrator.
        audit_log: one JSON line per request that the API server answered; None if the tests
            cannot configure it.
        has_controllers: whether kube-controller-manager runs. Without it nothing is garbage
            collected, namespaces stay Terminating, and Deployments create no Pods.
    """

    kubeconfig: Path
    audit_log: Path | None
    has_controllers: bool

    def without_controllers(self) -> AbstractContextManager[None]:
        """Stops kube-controller-manager until the block ends, if the tests started it."""

    def with_patient_controllers(self) -> AbstractContextManager[None]:
        """Runs kube-controller-manager with its default rate limits until the block ends."""

    def stop(self) -> None:
        """Stops what was started."""


def start_cluster(report: Report, *, quick: bool = False) -> Cluster:
    """Returns the cluster of MCP_OPERATOR_TEST_KUBECONFIG, or a new control plane.

    Args:
        report: Takes lines of progress.
        quick: See `find_binaries`.

    Raises:
        UnavailableError: neither is available.
        ProcessError: the new control plane does not start.
    """
    if named := os.environ.get("MCP_OPERATOR_TEST_KUBECONFIG"):
        return ExistingCluster(Path(named))
    return ControlPlane(find_binaries(report, quick=quick)).start()


class ExistingCluster:
    """A cluster that existed before the tests."""

    audit_log: Path | None = None
    has_controllers = True

    def __init__(self, kubeconfig: Path) -> None:
        if not kubeconfig.is_file():
            raise UnavailableError(
                f"MCP_OPERATOR_TEST_KUBECONFIG is {kubeconfig}, which is not a file; "
                "correct it or unset it"
            )
        self.kubeconfig = kubeconfig

    def without_controllers(self) -> AbstractContextManager[None]:
        """Does nothing: the tests cannot stop the controllers."""
        return contextlib.nullcontext()

    def with_patient_controllers(self) -> AbstractContextManager[None]:
        """Does nothing: most clusters have the default limits."""
        return contextlib.nullcontext()

    def stop(self) -> None:
        """Does nothing: the cluster keeps running."""


class ControlPlane:
    """A control plane in a temporary directory; see Cluster."""

    def __init__(self, binaries: Binaries) -> None:
        self._binaries = binaries
        self._directory = Path(tempfile.mkdtemp(prefix="mcp-operator-"))
        self._processes = ProcessGroup(self._directory)
        self.url = f"https://127.0.0.1:{free_port()}"
        self.kubeconfig = self._directory / "kubeconfig"
        self.audit_log: Path | None = self._directory / "audit.log"
        self.has_controllers = binaries.controller_manager is not None

    def start(self) -> Self:
        """Starts the components and waits until they work.

        Raises:
            ProcessError: a component exited or was not ready in time; all are stopped.
        """
        try:
            self._start_etcd()
            self._start_api_server()
            self._start_controller_manager()
        except BaseException:
            self.stop()
            raise
        return self

    def kubeconfig_of(self, user: str) -> Path:
        """Writes the kubeconfig of another administrator, with its own user in the audit log."""
        path = self._directory / f"{user}.kubeconfig"
        self._write_kubeconfig(path, *self._authority.issue(user, organization="system:masters"))
        return path

    def restart_controllers(self) -> None:
        """Lets the garbage collector discover CRDs that were installed since its start.

        Otherwise it discovers new CRDs every 30 s (Sync in garbagecollector.go of Kubernetes), and
        until then does not notice deleted owners of these kinds.
        """
        with self.without_controllers():
            pass

    @contextlib.contextmanager
    def without_controllers(self) -> Iterator[None]:
        """Stops kube-controller-manager until the block ends."""
        self._stop_controller_manager()
        try:
            yield
        finally:
            self._start_controller_manager()

    @contextlib.contextmanager
    def with_patient_controllers(self) -> Iterator[None]:
        """Runs kube-controller-manager with its default limits until the block ends."""
        with self.without_controllers():
            self._start_controller_manager(*_PATIENT)
            try:
                yield
            finally:
                self._stop_controller_manager()

    def kill_api_server(self) -> None:
        """Kills the API server, so that it loses the history of its watches."""
        self._api_server.process.kill()
        self._api_server.process.wait()

    def run_api_server(self) -> None:
        """Starts the API server, again on the same port, and waits until it is ready."""
        # By default it uses a third of its CPU time for garbage collection.
        env = {**os.environ, "GOGC": "400"}
        self._api_server = self._processes.start(
            "kube-apiserver", self._api_server_command, env=env
        )
        wait_until_ready(self._api_server, lambda: self._answers("/readyz"), timeout=HANG_SECONDS)

    def save_data(self) -> Path:
        """Copies the data of etcd; the API server restarts for that."""
        saved = Path(tempfile.mkdtemp(prefix="saved-", dir=self._directory)) / "etcd"
        with self._without_etcd():
            shutil.copytree(self._directory / "etcd", saved)
        return saved

    def restore_data(self, saved: Path) -> None:
        """Restores saved data, and restarts every component, as the procedure requires."""
        with self.without_controllers(), self._without_etcd():
            shutil.rmtree(self._directory / "etcd")
            shutil.copytree(saved, self._directory / "etcd")

    @contextlib.contextmanager
    def _without_etcd(self) -> Iterator[None]:
        self.kill_api_server()
        self._etcd.stop()
        yield
        self._start_etcd()
        self.run_api_server()

    def stop(self) -> None:
        """Stops the components and removes the directory. It can be called twice."""
        self._processes.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def _start_etcd(self) -> None:
        # It listens on Unix sockets in the directory, so that no other process can take a port
        # first. The URLs that it must advertise are never used.
        self._etcd = self._processes.start(
            "etcd",
            [
                *self._binaries.etcd,
                f"--data-dir={self._directory}/etcd",
                f"--listen-client-urls=unix://{self._directory}/etcd.sock",
                "--advertise-client-urls=http://localhost:1",
                f"--listen-peer-urls=unix://{self._directory}/etcd-peer.sock",
                "--initial-advertise-peer-urls=http://localhost:1",
                "--initial-cluster=default=http://localhost:1",
                "--unsafe-no-fsync",
                "--log-level=warn",
            ],
        )

    def _start_api_server(self) -> None:
        directory = self._directory
        self._authority = Authority(directory, "ca")
        certificate, key = self._authority.issue(
            "kube-apiserver",
            hosts=(
                "localhost",
                "kubernetes",
                "kubernetes.default.svc",
                "127.0.0.1",
                _API_SERVICE_IP,
            ),
        )
        self._token_key, token_public_key = write_signing_key(directory, "service-accounts")
        policy = directory / "audit-policy.yaml"
        policy.write_text(yaml.safe_dump(_AUDIT_POLICY), encoding="utf-8")
        self._admin = self._authority.issue("admin", organization="system:masters")
        self._write_kubeconfig(self.kubeconfig, *self._admin)
        self._api_server_command = [
            *self._binaries.api_server,
            f"--etcd-servers=unix://{directory}/etcd.sock",
            "--bind-address=127.0.0.1",
            f"--secure-port={self.url.rpartition(':')[2]}",
            f"--cert-dir={directory}",
            f"--tls-cert-file={certificate}",
            f"--tls-private-key-file={key}",
            f"--client-ca-file={self._authority.certificate}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={token_public_key}",
            f"--service-account-signing-key-file={self._token_key}",
            f"--service-cluster-ip-range={_SERVICE_RANGE}",
            "--authorization-mode=RBAC",
            # OpenShift enables it; without it, the tests would not find a permission needed there.
            "--enable-admission-plugins=OwnerReferencesPermissionEnforcement",
            "--endpoint-reconciler-type=none",
            "--profiling=false",
            f"--audit-policy-file={policy}",
            f"--audit-log-path={self.audit_log}",
        ]
        self.run_api_server()

    def _stop_controller_manager(self) -> None:
        if self.has_controllers:
            self._controllers.stop()

    def _start_controller_manager(self, *limits: str) -> None:
        if self._binaries.controller_manager is None:
            return
        kubeconfig = self._directory / "controller-manager.kubeconfig"
        self._write_kubeconfig(kubeconfig, *self._authority.issue("system:kube-controller-manager"))
        self._controllers = self._processes.start(
            "kube-controller-manager",
            [
                *self._binaries.controller_manager,
                f"--kubeconfig={kubeconfig}",
                f"--controllers={','.join(_CONTROLLERS)}",
                "--use-service-account-credentials",
                f"--service-account-private-key-file={self._token_key}",
                f"--root-ca-file={self._authority.certificate}",
                "--leader-elect=false",
                "--secure-port=0",
                "--profiling=false",
                "--horizontal-pod-autoscaler-sync-period=1s",  # the default is 15 s
                *(limits or _HASTY),
            ],
        )
        account = "/api/v1/namespaces/default/serviceaccounts/default"
        wait_until_ready(self._controllers, lambda: self._answers(account), timeout=HANG_SECONDS)

    def _write_kubeconfig(self, path: Path, certificate: Path, key: Path) -> None:
        authority = str(self._authority.certificate)
        cluster = {"server": self.url, "certificate-authority": authority}
        user = {"client-certificate": str(certificate), "client-key": str(key)}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": "test", "user": user}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
            "current-context": "test",
        }
        path.write_text(yaml.safe_dump(config), encoding="utf-8")

    def _answers(self, path: str) -> bool:
        context = ssl.create_default_context(cafile=str(self._authority.certificate))
        context.load_cert_chain(*self._admin)
        host, _, port = self.url.removeprefix("https://").partition(":")
        connection = http.client.HTTPSConnection(host, int(port), context=context, timeout=30)
        try:
            connection.request("GET", path)
            return connection.getresponse().status == http.HTTPStatus.OK
        except OSError:  # the server does not listen yet
            return False
        finally:
            connection.close()
