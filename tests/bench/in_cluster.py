"""An operator with in-cluster configuration: it reads the files of a ServiceAccount, as in a pod.

Only the operator's process sees the files, in a mount namespace of its own.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import yaml

from mcp_operator.builders.resources import SERVICEACCOUNTS
from mcp_operator.core.meta import Key
from mcp_operator.runtime.client import Client
from mcp_operator.runtime.configuration import SERVICE_ACCOUNT
from support.operator_account import CLUSTER_ROLE_BINDINGS
from support.operator_process import OperatorProcess

_NAME = "operator"

_SCRIPT = f"""
mount -t tmpfs none /run && mkdir -p {SERVICE_ACCOUNT} && mount --bind "$0" {SERVICE_ACCOUNT} &&
exec "$@"
"""


class Account:
    """A ServiceAccount with all permissions, and its files as in a pod."""

    def __init__(self, client: Client, kubeconfig: Path, namespace: str) -> None:
        self._client = client
        self._namespace = namespace
        self._binding = Key("", f"{namespace}-{os.getpid()}")
        cluster = yaml.safe_load(kubeconfig.read_text())["clusters"][0]["cluster"]
        self._server = urlsplit(cluster["server"])
        self._ca = Path(cluster["certificate-authority"])
        self._directory = Path(tempfile.mkdtemp(prefix="mcp-operator-account-"))

    async def __aenter__(self) -> Self:
        # A separate account, because the default one is created some time after the namespace.
        account = {"metadata": {"name": _NAME, "namespace": self._namespace}}
        await self._client.create(SERVICEACCOUNTS, account)
        subject = {"kind": "ServiceAccount", "name": _NAME, "namespace": self._namespace}
        role = {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": "cluster-admin",
        }
        binding = {
            "metadata": {"name": self._binding.name},
            "roleRef": role,
            "subjects": [subject],
        }
        await self._client.create(CLUSTER_ROLE_BINDINGS, binding)
        path = f"/api/v1/namespaces/{self._namespace}/serviceaccounts/{_NAME}/token"
        answer = await self._client.request("POST", path, body={"spec": {}})
        token = json.loads(answer)["status"]["token"]
        await asyncio.to_thread(self._write, token)
        return self

    async def __aexit__(self, *_: object) -> None:
        shutil.rmtree(self._directory)
        await self._client.delete(CLUSTER_ROLE_BINDINGS, self._binding)

    def operator(self, *flags: str) -> OperatorProcess:
        """Start an operator for the account's namespace; without flags, it uses no lease."""
        root = () if os.geteuid() == 0 else ("--user", "--map-root-user")
        return OperatorProcess(
            None,
            self._namespace,
            *flags,
            within=("unshare", "--mount", *root, "sh", "-c", _SCRIPT, str(self._directory)),
            env={
                "KUBERNETES_SERVICE_HOST": self._server.hostname or "",
                "KUBERNETES_SERVICE_PORT": str(self._server.port),
            },
        )

    def _write(self, token: str) -> None:
        (self._directory / "token").write_text(token)
        (self._directory / "namespace").write_text(self._namespace)
        shutil.copy(self._ca, self._directory / "ca.crt")
