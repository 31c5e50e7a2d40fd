"""The errors of commands that cannot use a cluster or a server."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path

import pytest

from mcp_operator import cli

KUBECONFIG = """\
apiVersion: v1
kind: Config
clusters: [{name: local, cluster: {server: "%s"}}]
contexts: [{name: local, context: {cluster: local, user: me}}]
users: [{name: me, user: {token: abc}}]
current-context: local
"""

UNREACHABLE = "127.0.0.1:1"

NOT_RUNNING = "Check that the cluster runs; choose another one with --kubeconfig or --context"

NOT_INSTALLED = "the cluster has no MCPServers: mcp-operator is not installed in it"

MISTAKES = {
    "a cluster that does not run": ("catalog shop --kubeconfig=stopped", NOT_RUNNING),
    "top with a cluster that does not run": ("top --once --kubeconfig=stopped", NOT_RUNNING),
    "support-bundle with a cluster that does not run": (
        "support-bundle x --kubeconfig=stopped",
        NOT_RUNNING,
    ),
    "a cluster without the operator": ("catalog shop --kubeconfig=empty", NOT_INSTALLED),
    "top with a cluster without the operator": ("top --once --kubeconfig=empty", NOT_INSTALLED),
    "a context that is not in the kubeconfig": (
        "catalog shop --kubeconfig=stopped --context=staging",
        "or context; `kubectl config get-contexts` lists the contexts",
    ),
    "a server that does not run": (
        f"inspect list http://{UNREACHABLE}/mcp",
        "check the URL, and that the server or `kubectl port-forward` runs",
    ),
    "a server without HTTPS": (
        "inspect list https://HOST/mcp",
        "it does not serve HTTPS: begin the URL with http://",
    ),
}


@pytest.fixture
def host() -> Iterator[str]:
    """Run an HTTP server that has neither Kubernetes nor MCP, and yield its host and port."""
    server = HTTPServer(("127.0.0.1", 0), SimpleHTTPRequestHandler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_command_that_cannot_use_a_server_says_why_and_what_to_do(
    mistake: str,
    host: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "stopped").write_text(KUBECONFIG % f"https://{UNREACHABLE}", encoding="utf-8")
    (tmp_path / "empty").write_text(KUBECONFIG % f"http://{host}", encoding="utf-8")
    typed, said = MISTAKES[mistake]
    assert cli.main(typed.replace("HOST", host).split()) != 0
    shown = capsys.readouterr().err
    assert said in shown
    assert "Traceback" not in shown
    assert not (tmp_path / "x").exists()
