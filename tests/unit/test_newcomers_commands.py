"""Common mistakes of new users on the command line, and the errors that they get."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcp_operator import cli

SERVER = """\
apiVersion: mcp-operator.dev/v1alpha1
kind: MCPServer
metadata: {name: shop}
spec: {toolSelector: {}}
"""

TOOL = """\
apiVersion: mcp-operator.dev/v1alpha1
kind: MCPTool
metadata: {name: orders}
spec: {name: orders, description: A., service: {name: orders, port: 80, path: /x}}
"""

FILES = {
    "one.yaml": SERVER,
    "two.yaml": f"{SERVER}---\n{SERVER.replace('shop', 'store')}",
    "tool.yaml": TOOL,
    "chart.yaml": SERVER.replace("shop", "{{ .Release.Name }}"),
    "typo.yaml": SERVER.replace("toolSelector", "toolSelektor"),
}

MISTAKES = {
    "a missing file": ("serve nowhere.yaml", "nowhere.yaml:1: cannot be read: No such"),
    "an empty folder": (
        "serve empty",
        "no object of mcp-operator.dev in empty: looked for MCPPrompt, MCPResource, MCPServer",
    ),
    "nothing to serve": ("serve", "PATH (or MCP_OPERATOR_PATHS) is missing: specify at least one"),
    "tools without a server": (
        "serve tool.yaml",
        "no MCPServer in the files: add one whose toolSelector matches the labels",
    ),
    "two servers": (
        "serve two.yaml",
        "choose one with --server; the files contain default/shop, default/store",
    ),
    "no time between two figures": (
        "top --interval=0",
        "--interval: '0' is not a number of seconds, more than 0 and at most 3600",
    ),
    "the kind in the name of a server": (
        "catalog mcps/shop",
        "SERVER: 'mcps/shop' is not the name of an MCPServer, such as shop",
    ),
    "a URL without its scheme": (
        "inspect list 127.0.0.1:8080/mcp",
        "URL: '127.0.0.1:8080/mcp' is not a URL, such as http://127.0.0.1:8080/mcp",
    ),
    "a server of another name": (
        "serve one.yaml --server=store",
        "no MCPServer store in the files; they contain default/shop",
    ),
    "a field with a typo": (
        "serve typo.yaml",
        "typo.yaml:4:spec.toolSelektor: unknown field; did you mean toolSelector?",
    ),
    "a chart that is not rendered": ("serve chart.yaml", "render it first: helm template"),
    "a port by name": (
        "serve one.yaml --port=http",
        "--port: 'http' is not a port number from 0 to 65535",
    ),
    "a Service without an address": (
        "serve one.yaml --service=orders",
        "--service: 'orders' is not [NAMESPACE/]SERVICE[:PORT]=HOST:PORT, such as orders=127.",
    ),
    "a URL as the address of a Service": (
        "serve one.yaml --service=orders=http://127.0.0.1:9000",
        "is not [NAMESPACE/]SERVICE[:PORT]=HOST:PORT, such as orders=127.0.0.1:9000",
    ),
    "a URL as a host outside of the cluster": (
        "serve one.yaml --external-host=https://api.example.com",
        "is not a list of host names, such as api.example.com or *.example.com",
    ),
    "an unknown log level": (
        "serve one.yaml --log-level=verbose",
        "--log-level: 'verbose' is not one of debug, info, warning, error",
    ),
    "a missing certificate": (
        "serve one.yaml --tls-directory=nowhere",
        "cannot use tls.crt and tls.key in nowhere: No such file or directory",
    ),
    "an invalid address": (
        "serve one.yaml --host=0.0.0.0.0",
        "choose another address with --host, or another port with --port or --management-port",
    ),
    "a missing document": (
        "import openapi nowhere.json",
        "nowhere.json cannot be read: No such file or directory",
    ),
    "no kubeconfig for the operator": (
        "operator --kubeconfig=nowhere",
        "there is no kubeconfig nowhere: specify one with --kubeconfig or in KUBECONFIG",
    ),
    "no kubeconfig for a command": (
        "catalog shop --kubeconfig=nowhere",
        "there is no kubeconfig nowhere: specify one with --kubeconfig or in KUBECONFIG",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_reported_with_its_place_and_the_fix(
    mistake: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    typed, said = MISTAKES[mistake]
    assert cli.main(typed.split()) != 0
    shown = capsys.readouterr().err
    assert said in shown
    assert "Traceback" not in shown
