"""The smallest valid objects, and ways to write them wrongly, as people do at first."""

from __future__ import annotations

from pathlib import Path

from mcp_operator.local.validation import validate

TOOL = """\
apiVersion: mcp-operator.dev/v1alpha1
kind: MCPTool
metadata: {name: a, labels: {team: shop}}
spec:
  name: a
  description: A.
  method: GET
  service: {name: s, port: 80, path: /x}
"""

SERVER = """\
apiVersion: mcp-operator.dev/v1alpha1
kind: MCPServer
metadata: {name: shop}
spec:
  toolSelector: {matchLabels: {team: shop}}
"""

PROMPT = """\
apiVersion: mcp-operator.dev/v1alpha1
kind: MCPPrompt
metadata: {name: p}
spec:
  name: p
  template: Hi {{who}}
"""


RESOURCE = """\
apiVersion: mcp-operator.dev/v1alpha1
kind: MCPResource
metadata: {{name: r}}
spec:
  name: r
  {}
"""

SERVICE = """\
apiVersion: v1
kind: Service
metadata: {name: s}
spec: {ports: [{port: 8080, name: web}]}
"""

ENTRY = "{name: x, description: X., path: /x}"
TWO_ARGUMENTS = "  inputSchema: {type: object, properties: {q: {}, r: {}}}\n"
RULES = """\
  auth:
    type: APIKey
    apiKey: {{secretRef: {{name: k}}}}
    rules: [{{name: r, tools: ["*"], when: "{}"}}]
"""


def tool(old: str = "", new: str = "", more: str = "") -> str:
    assert old in TOOL
    return (TOOL.replace(old, new) if old else TOOL) + more


def server(old: str = "", new: str = "", more: str = "") -> str:
    assert old in SERVER
    return (SERVER.replace(old, new) if old else SERVER) + more


def schema(text: str) -> str:
    return tool(more=f"  inputSchema: {text}\n")


def assert_reported(folder: Path, text: str, said: str) -> None:
    """Fail unless `validate` reports a problem of a file with this place or text."""
    file = folder / "a.yaml"
    file.write_text(text, encoding="utf-8")
    problems = [str(problem) for problem in validate([file]).problems]
    assert [each for each in problems if f"a.yaml:{said}" in each or said in each], problems
