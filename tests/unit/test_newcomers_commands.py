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
    "api.yaml": "openapi: 3.1.0\npaths: {/x: {get: {tags: [pets]}}}\n",
    "page.html": "<!DOCTYPE html>\n<title>Swagger UI</title>\n",
    "comma.json": '{"openapi": "3.1.0",\n "paths": {,}}\n',
    "tab.yaml": "openapi: 3.1.0\npaths:\n\t/x: {}\n",
    "nothing.yaml": "# to be written\n",
    "two-documents.yaml": "openapi: 3.1.0\n---\nopenapi: 3.1.0\n",
    "async.yaml": "asyncapi: 3.0.0\n",
    "old.json": '{"swaggerVersion": "1.2", "apis": []}',
    "hooks.yaml": "openapi: 3.1.0\nwebhooks: {x: {post: {}}}\n",
    "summary.yaml": "openapi: 3.1.0\npaths: {/x: {summary: Nothing.}}\n",
    "circle.yaml": "openapi: 3.1.0\npaths: {/x: {put: {requestBody: {$ref: '#/b'}}}}\n"
    "b: {$ref: '#/b'}\n",
    "missing.yaml": "openapi: 3.1.0\npaths: {/x: {get: {}, put: {parameters: [{$ref: '#/p'}]}}}\n",
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
    "a folder as a document": ("import openapi empty", "empty cannot be read: Is a directory"),
    "a document at an address that is not HTTP": (
        "import openapi ftp://example.com/api.yaml",
        "ftp://example.com/api.yaml cannot be read: use a file, or a URL with https or http",
    ),
    "a URL without a host": ("import openapi https://", "https:// is not a valid URL"),
    "the page that shows a document": (
        "import openapi page.html",
        "page.html is HTML or XML: use the URL of the JSON or YAML document",
    ),
    "a comma too many": (
        "import openapi comma.json",
        "comma.json:2: is not valid JSON: Expecting property name enclosed in double quotes",
    ),
    "a tab in a document": (
        "import openapi tab.yaml",
        "tab.yaml:3: is not valid YAML: found character that cannot start any token; indent YAML",
    ),
    "a document without text": ("import openapi nothing.yaml", "nothing.yaml is empty"),
    "two documents in a file": (
        "import openapi two-documents.yaml",
        "two-documents.yaml has 2 YAML documents: keep one",
    ),
    "a document of something else": (
        "import openapi async.yaml",
        "async.yaml: the document has no field openapi or swagger; use a document of OpenAPI 3.x",
    ),
    "a document of an early Swagger": (
        "import openapi old.json",
        "old.json: the document has the version '1.2'; use a document of OpenAPI 3.x or Swagger",
    ),
    "a document with webhooks only": (
        "import openapi hooks.yaml",
        "hooks.yaml: the document has no paths, so there are no operations to import",
    ),
    "paths without operations": (
        "import openapi summary.yaml",
        "the paths of the document have no operations",
    ),
    "a reference that refers to itself": (
        "import openapi circle.yaml",
        "no operation can be imported: PUT /x: refers to '#/b', which refers to itself",
    ),
    "a tag that no operation has": (
        "import openapi api.yaml --include tag=dogs",
        "no operation matches --include and --exclude; the tags are pets (1)",
    ),
    "a pattern without its kind": (
        "import openapi api.yaml --include pets",
        "--include: 'pets' is not KIND=PATTERN with the kind tag, path, operation or method",
    ),
    "a Service and a URL": (
        "import openapi api.yaml --service pets --external https://api.example.com",
        "specify either --service or --external, not both",
    ),
    "a port that no Service can have": (
        "import openapi api.yaml --service pets:99999",
        "--service: 'pets:99999' is not [NAMESPACE/]SERVICE[:PORT], such as orders:8080",
    ),
    "a port that no URL can have": (
        "import openapi api.yaml --external https://api.example.com:0/v1",
        "--external: 'https://api.example.com:0/v1' is not a URL, such as https://api.example.com",
    ),
    "a folder that is not there": (
        "import openapi api.yaml --output nowhere/tools.yaml",
        "nowhere/tools.yaml cannot be written: No such file or directory",
    ),
    "an earlier import that is not there": (
        "import openapi api.yaml --diff nowhere.yaml",
        "nowhere.yaml:1: cannot be read: No such file or directory",
    ),
    "an operation that --strict does not skip": (
        "import openapi missing.yaml --strict",
        "1 operation skipped, and --strict is set, so no YAML is written",
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
