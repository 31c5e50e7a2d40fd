"""Common mistakes of new users, and what `validate` reports about them."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcp_operator.local.manifests import NothingFoundError
from mcp_operator.local.validation import validate
from support.newcomers import PROMPT, SERVER, TOOL, assert_reported, schema, server, tool

RESOURCE = """\
apiVersion: mcp-operator.dev/v1alpha1
kind: MCPResource
metadata: {name: r}
spec:
  name: r
  operations: [{URI, service: {name: s, port: 80, path: PATH}}]
"""


MISTAKES: dict[str, tuple[str, str]] = {
    "a type that JSON Schema does not have": (
        schema("{type: object, properties: {q: {type: strin}}}"),
        (
            "9:spec.inputSchema.properties.q.type: inputSchema: the schema does not compile: "
            '#/properties/q/type: "strin" is not a type'
        ),
    ),
    "properties without an object": (
        schema("{q: {type: string}}"),
        '9:spec.inputSchema: inputSchema: the root must have type: "object"',
    ),
    "required as a boolean": (
        schema("{type: object, properties: {q: {type: string, required: true}}}"),
        "list the names of required properties in the schema of the object that has them",
    ),
    "a schema as a string": (
        schema('\'{"type": "object"}\''),
        '9:spec.inputSchema: must be of type object: "string"',
    ),
    "a duration without a unit": (
        tool(more="  timeout: 30\n"),
        '9:spec.timeout: must be of type string: "integer"; add a unit: 30s',
    ),
    "a duration without a unit, in quotes": (
        tool(more='  timeout: "30"\n'),
        "9:spec.timeout: write a duration longer than zero, such as 30s",
    ),
    "labels outside of matchLabels": (
        server("{matchLabels: {team: shop}}", "{team: shop}"),
        (
            "5:spec.toolSelector.team: unknown field; write labels under matchLabels: "
            "toolSelector: {matchLabels: {team: …}}"
        ),
    ),
    "Helm's braces": (
        tool("name: s,", "name: {{ .Values.service }},"),
        "render it first: helm template",
    ),
    "Helm's braces, in quotes": (
        tool("name: s,", 'name: "{{ .Values.service }}",'),
        "render it first: helm template",
    ),
    "the API group of the ancestor": (
        tool("mcp-operator.dev/v1alpha1", "kubemcp.io/v1alpha1"),
        (
            "1:apiVersion: must be mcp-operator.dev/v1alpha1; the fields are the same, so "
            "change only apiVersion"
        ),
    ),
    "another version": (
        tool("v1alpha1", "v1"),
        "1:apiVersion: must be mcp-operator.dev/v1alpha1",
    ),
    "a kind in the wrong case": (
        tool("MCPTool", "McpTool"),
        "2:kind: mcp-operator.dev has no kind 'McpTool'; use one of: MCPPrompt",
    ),
    "a field with a typo": (
        tool("description:", "descripton:"),
        "6:spec.descripton: unknown field; did you mean description?",
    ),
    "a method in lower case": (tool("GET", "get"), '"PATCH"; write GET'),
    "a path without a slash": (
        tool("/x", "x"),
        "8:spec.service.path: write an absolute path such as /orders/{id}",
    ),
    "a path with a query": (
        tool("path: /x", "path: '/x?y=1'"),
        "put constant query parameters in the field query",
    ),
    "a Service as a string": (
        tool("{name: s, port: 80, path: /x}", "s"),
        '8:spec.service: must be of type object: "string"; write its name and port',
    ),
    "a URL as a Service": (
        tool("name: s,", "name: 'http://s',"),
        "8:spec.service.name: use lower-case letters, digits and '-'",
    ),
    "a tab": (
        tool("  name: a\n", "\tname: a\n"),
        "indent YAML with spaces, not with tabs",
    ),
    "no name": (tool("name: a, labels", "labels"), "3:metadata.name: Required value: give the"),
    "a name in capitals": (
        tool("{name: a, ", "{name: MyTool, "),
        "3:metadata.name: must consist of lower case",
    ),
    "a tool's name with a space": (
        tool("  name: a\n", "  name: my tool\n"),
        "5:spec.name: use 1 to 128 letters, digits, '_', '-' and '.'; put a name for people into",
    ),
    "a path placeholder without an argument": (
        tool("/x}", "'/x/{id}'}", "  inputSchema: {type: object, properties: {q: {}}}\n"),
        "8:spec.service.path: ",
    ),
    "a number in quotes": (
        server("spec:\n", 'spec:\n  replicas: "2"\n'),
        '5:spec.replicas: must be of type integer: "string"; remove the quotes',
    ),
    "yes for true": (
        tool(more="  enabled: 'yes'\n"),
        '9:spec.enabled: must be of type boolean: "string"; write true or false, without quotes',
    ),
    "a negative number of replicas": (
        server("spec:\n", "spec:\n  replicas: -1\n"),
        "5:spec.replicas: should be greater than or equal to 0",
    ),
    "a URL as a host": (
        server("spec:\n", "spec:\n  ingress: {host: 'https://mcp.example.com'}\n"),
        "5:spec.ingress.host: write a lower-case host name, such as mcp.example.com",
    ),
    "JWT without its settings": (
        server("spec:\n", "spec:\n  auth: {type: JWT}\n"),
        "5:spec.auth.jwt: jwt is required with type: JWT, and not allowed with other types",
    ),
    "replicas beside an autoscaler": (
        server("spec:\n", "spec:\n  replicas: 2\n  autoscaling: {maxReplicas: 3}\n"),
        "5:spec.replicas: autoscaling decides on the number of pods; remove replicas, or",
    ),
    "a token in the tool": (
        tool(more="  request: {credentials: {type: Bearer, token: abc}}\n"),
        (
            "9:spec.request.credentials.token: unknown field; put the value in a Secret, and "
            "name the Secret in secretRef"
        ),
    ),
    "headers as a map": (
        tool(more="  request: {headers: {X-Key: abc}}\n"),
        (
            '9:spec.request.headers: must be of type array: "object"; write a list of names and '
            "values: [{name: X-Key, value: …}]"
        ),
    ),
    "variables of the environment as a map": (
        server("spec:\n", "spec:\n  env: {A: b}\n"),
        "write a list of names and values: [{name: A, value: …}]",
    ),
    "a number as a value of the environment": (
        server("spec:\n", "spec:\n  env: [{name: A, value: 1}]\n"),
        '5:spec.env[0].value: must be of type string: "integer"; put the value in quotes',
    ),
    "an unknown unit of memory": (
        server("spec:\n", "spec:\n  resources: {limits: {memory: 1GB}}\n"),
        "write a quantity such as 500m, 512Mi or 1Gi",
    ),
    "a label that is a number": (
        tool("team: shop", "team: 1"),
        "3:metadata.labels.team: must be of type string: put the value in quotes",
    ),
    "an undeclared variable of a prompt": (
        PROMPT,
        "6:spec.template: the text uses {{who}}: declare it in variables, or remove it",
    ),
    "no spec": (TOOL.partition("spec:")[0], "1:spec: Required value"),
    "unclosed braces": ("{", "is not valid YAML: "),
    "a path beside the Service": (
        tool(more="  path: /x\n"),
        "9:spec.path: unknown field; did you mean spec.service.path?",
    ),
    "credentials beside the request": (
        tool(more="  credentials: {type: Bearer, secretRef: {name: k}}\n"),
        "9:spec.credentials: unknown field; did you mean spec.request.credentials?",
    ),
    "credentials of the Service": (
        tool("port: 80,", "port: 80, credentials: {type: Bearer},"),
        "8:spec.service.credentials: unknown field; did you mean spec.request.credentials?",
    ),
    "authentication in the form of another operator": (
        tool(more="  authentication: {type: Bearer}\n"),
        "9:spec.authentication: unknown field; did you mean spec.request.credentials?",
    ),
    "a URL in place of a Service": (
        tool(more="  url: http://s\n"),
        "9:spec.url: unknown field; did you mean spec.service?",
    ),
    "parameters in the form of OpenAPI": (
        tool(more="  parameters: []\n"),
        "9:spec.parameters: unknown field; did you mean spec.inputSchema?",
    ),
    "arguments of a prompt in the form of MCP": (
        f"{PROMPT}  arguments: []\n",
        "7:spec.arguments: unknown field; did you mean spec.variables?",
    ),
    "tools listed in a server": (
        server("spec:\n", "spec:\n  tools: [a]\n"),
        "5:spec.tools: unknown field; did you mean spec.toolSelector?",
    ),
    "JWT beside the authentication": (
        server("spec:\n", "spec:\n  jwt: {}\n"),
        "5:spec.jwt: unknown field; did you mean spec.auth.jwt?",
    ),
    "a URL as a Redis": (
        server("spec:\n", "spec:\n  redis: {url: 'redis://r'}\n"),
        "5:spec.redis.url: unknown field; the fields here are address, db, ",
    ),
    "a selector in the syntax of kubectl": (
        server("{matchLabels: {team: shop}}", "team=shop"),
        "write labels under matchLabels: toolSelector: {matchLabels: {NAME: VALUE}}",
    ),
    "labels as a list": (
        server("{matchLabels: {team: shop}}", "{matchLabels: [team]}"),
        'matchLabels: must be of type object: "array"; write matchLabels: {NAME: VALUE}',
    ),
    "a host as an Ingress": (
        server("spec:\n", "spec:\n  ingress: mcp.example.com\n"),
        '5:spec.ingress: must be of type object: "string"; write an object, such as ingress: {host',
    ),
    "the name of a Secret as a reference": (
        tool(more="  request: {credentials: {type: Bearer, secretRef: api}}\n"),
        'must be of type object: "string"; write an object, such as secretRef: {name: …}',
    ),
    "a port by a name in capitals": (
        tool("port: 80", "port: HTTP"),
        "write the number of a port of the Service, or its name in lower case, such as http",
    ),
    "no port": (
        tool("port: 80, ", ""),
        "8:spec.service.port: Required value; write the number of a port of the Service, or its",
    ),
    "a port name where only a number is allowed": (
        server("spec:\n", "spec:\n  port: http\n"),
        '5:spec.port: must be of type integer: "string"; write a number, such as 8080',
    ),
    "a duration in words": (
        tool(more="  timeout: 30 seconds\n"),
        "9:spec.timeout: write a duration longer than zero, such as 30s, 1m30s or 250ms",
    ),
    "a JSON path without its root": (
        tool(more="  response: {jsonPath: data.x}\n"),
        "9:spec.response.jsonPath: write a JSON path from the root $, such as $.items[*].name",
    ),
    "a duplicate key": (
        f"{TOOL}  method: POST\n",
        "9: the key 'method' appears twice; keep one of them",
    ),
    "a schema that is fetched": (
        schema("{type: object, properties: {q: {$ref: 'https://x/y.json'}}}"),
        "refers to another document, which is never fetched: copy the target to $defs",
    ),
    "a variable of a URI that the request does not have": (
        RESOURCE.replace("PATH", "/orders").replace("URI", "uriTemplate: 'shop://orders/{id}'"),
        "6:spec.operations[0].uriTemplate: operations[0]: uriTemplate: the URI shop://orders/{id}",
    ),
    "a URI without the variable of the request": (
        RESOURCE.replace("PATH", "'/orders/{id}'").replace("URI", "uri: 'shop://orders'"),
        "6:spec.operations[0].uri: operations[0]: uri: the URI shop://orders does not name the",
    ),
    "a variable in a URI that is no template": (
        RESOURCE.replace("PATH", "'/orders/{id}'").replace("URI", "uri: 'shop://orders/{id}'"),
        "6:spec.operations[0].uri: uri has no variables; use uriTemplate for a URI with {name}",
    ),
    "a URI without a scheme": (
        RESOURCE.replace("PATH", "/orders").replace("URI", "uri: orders"),
        "6:spec.operations[0].uri: write an absolute URI with its scheme and no spaces, such as",
    ),
    "a priority as a number": (
        RESOURCE.replace("PATH", "/orders").replace("URI", "uri: 'shop://orders'")
        + "  annotations: {priority: 0.8}\n",
        '7:spec.annotations.priority: must be of type string: "number"; put the value in quotes',
    ),
    "two tools with the same name": (
        "---\n".join([TOOL, tool("metadata: {name: a,", "metadata: {name: b,"), SERVER]),
        "14:spec.name: tool 'a' is already served by MCPTool default/a",
    ),
    "one object twice": (f"{TOOL}---\n{TOOL}", "MCPTool default/a is also declared in "),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_reported_with_its_place_and_the_fix(mistake: str, tmp_path: Path) -> None:
    assert_reported(tmp_path, *MISTAKES[mistake])


@pytest.mark.parametrize(
    "text", [TOOL, server(), tool("port: 80", "port: http"), f"{TOOL}---\n{SERVER}"]
)
def test_a_correct_file_has_no_problems(text: str, tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(text, encoding="utf-8")
    assert validate([file]).problems == ()


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "a: b\n"])
def test_the_error_about_a_file_without_objects_lists_the_kinds(text: str, tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(NothingFoundError, match="looked for MCPPrompt, MCPResource, MCPServer"):
        validate([file])


def test_a_note_is_printed_for_labels_that_no_server_selects(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(f"{TOOL}---\n{server('team: shop}}', 'team: other}}')}", encoding="utf-8")
    assert "compare its labels with the servers' selectors" in validate([file]).summary
