"""Kubeconfigs, read by the library that is used for nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from mcp_operator.core.errors import SettingsError
from mcp_operator.core.meta import Object
from mcp_operator.core.metrics import RuntimeMetrics
from mcp_operator.runtime.client import Client


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Path:
    path = tmp_path / "config"
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "one",
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
        "users": [{"name": "u", "user": {"token": "secret"}}],
        "contexts": [{"name": "one", "context": {"cluster": "c", "user": "u"}}],
    }
    path.write_text(yaml.safe_dump(content))
    return path


def set_user(kubeconfig: Path, user: Object) -> None:
    content = yaml.safe_load(kubeconfig.read_text())
    content["users"][0]["user"] = user
    kubeconfig.write_text(yaml.safe_dump(content))


async def connect(metrics: RuntimeMetrics, kubeconfig: Path, context: str = "") -> Client:
    return await Client.connect(
        kubeconfig=kubeconfig,
        context=context,
        field_manager="tests",
        user_agent="tests/1",
        metrics=metrics,
    )


async def test_a_kubeconfig_tells_server_and_token(
    metrics: RuntimeMetrics, kubeconfig: Path
) -> None:
    client = await connect(metrics, kubeconfig)
    access = client._transport._access
    await client.close()
    assert (access.server, access.authorization) == ("http://127.0.0.1:1", "Bearer secret")


async def test_a_plugin_is_run_for_the_token_and_again_when_it_is_refused(
    metrics: RuntimeMetrics, kubeconfig: Path, tmp_path: Path
) -> None:
    calls = tmp_path / "calls"
    credential = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": {"token": "from-plugin"},
    }
    plugin = {
        "apiVersion": credential["apiVersion"],
        "command": "sh",
        "args": ["-c", f"echo called >> {calls}; echo '{json.dumps(credential)}'"],
    }
    set_user(kubeconfig, {"exec": plugin})
    client = await connect(metrics, kubeconfig)
    access = client._transport._access
    await client._transport._refresh(access)
    await client.close()
    assert access.authorization == "Bearer from-plugin"
    assert calls.read_text().count("called") == 2


async def test_a_kubeconfig_that_cannot_be_used_is_named(
    metrics: RuntimeMetrics, kubeconfig: Path, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match="absent cannot be used"):
        await connect(metrics, tmp_path / "absent")
    with pytest.raises(SettingsError, match="Expected object with name two"):
        await connect(metrics, kubeconfig, "two")
