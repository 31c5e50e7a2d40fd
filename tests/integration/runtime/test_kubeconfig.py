"""How kubeconfigs are loaded.

These are not unit tests, because kubernetes_asyncio blocks while it reads files.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mcp_operator.core.errors import SettingsError
from mcp_operator.core.metrics import RuntimeMetrics
from mcp_operator.runtime.client import Client
from mcp_operator.runtime.configuration import BEARER, load_kubeconfig
from support.certificates import Authority

KUBECONFIG = """
clusters: [{name: a, cluster: {server: "https://10.0.0.1:6443", %s}}]
users: [{name: a, user: {%s}}]
contexts: [{name: a, context: {cluster: a, user: a}}]
current-context: a
"""


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)


def kubeconfig(directory: Path, *, cluster: str = "", user: str = "token: secret") -> Path:
    path = directory / "kubeconfig"
    path.write_text(KUBECONFIG % (cluster, user))
    return path


async def test_the_proxy_is_read_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", "proxy:3128")
    assert (await load_kubeconfig(kubeconfig(tmp_path), "")).proxy == "http://proxy:3128"
    monkeypatch.setenv("no_proxy", "10.0.0.1")
    assert (await load_kubeconfig(kubeconfig(tmp_path), "")).proxy is None


async def test_the_proxy_of_a_kubeconfig_overrides_that_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", "http://proxy:3128")
    path = kubeconfig(tmp_path, cluster='proxy-url: "http://own:1"')
    assert (await load_kubeconfig(path, "")).proxy == "http://own:1"


async def test_a_proxy_that_does_not_speak_http_is_refused(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path, cluster='proxy-url: "socks5://own:1"')
    with pytest.raises(SettingsError, match="scheme socks5 is not supported: use an HTTP proxy"):
        await load_kubeconfig(path, "")


async def test_the_tls_settings_and_the_token_of_a_kubeconfig_are_used(tmp_path: Path) -> None:
    ca = Authority(tmp_path, "ca").certificate
    cluster = f'tls-server-name: api.test, certificate-authority: "{ca}"'
    configuration = await load_kubeconfig(kubeconfig(tmp_path, cluster=cluster), "a")
    assert configuration.tls_server_name == "api.test"
    assert configuration.ssl_ca_cert == str(ca)
    assert configuration.verify_ssl
    assert configuration.api_key[BEARER] == "Bearer secret"


@pytest.mark.parametrize(
    "text",
    ["", "clusters: 5", "{", "[]", "5", "current-context: none", "users: [1]\ncontexts: [a]"],
)
async def test_an_invalid_kubeconfig_is_an_error_that_names_it(tmp_path: Path, text: str) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(text)
    with pytest.raises(SettingsError, match=r"cannot use the kubeconfig .*: .*another file"):
        await load_kubeconfig(path, "")


async def test_a_context_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="Specify another file or context"):
        await load_kubeconfig(kubeconfig(tmp_path), "other")


async def test_an_exec_plugin_runs_for_the_token_and_again_when_the_token_is_refreshed(
    metrics: RuntimeMetrics, tmp_path: Path
) -> None:
    calls = tmp_path / "calls"
    version = "client.authentication.k8s.io/v1"
    status = {"token": "from-plugin"}
    credential = {"apiVersion": version, "kind": "ExecCredential", "status": status}
    script = f"echo called >> {calls}; echo '{json.dumps(credential)}'"
    plugin = {"apiVersion": version, "command": "sh", "args": ["-c", script]}
    path = kubeconfig(tmp_path, user=f"exec: {json.dumps(plugin)}")
    client = await Client.connect(
        kubeconfig=path, field_manager="tests", user_agent="tests/1", metrics=metrics
    )
    used = client._transport._configuration
    await client._transport._refresh(used)
    await client.close()
    assert used.api_key[BEARER] == "Bearer from-plugin"
    assert calls.read_text().count("called") == 2
