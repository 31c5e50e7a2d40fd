"""What people write at first in requests, schemas and conditions, and what `validate` says."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.newcomers import (
    ENTRY,
    RESOURCE,
    RULES,
    SERVICE,
    TOOL,
    TWO_ARGUMENTS,
    assert_reported,
    schema,
    server,
    tool,
)

MISTAKES: dict[str, tuple[str, str]] = {
    "two entries of one name": (
        tool("  name: a\n  description: A.\n", "", f"  tools: [{ENTRY}, {ENTRY}]\n"),
        'Duplicate value: {"name": "x"}; change one of the two entries, or remove it',
    ),
    "a kind that is a number": (
        tool("MCPTool", "5"),
        "2:kind: must be a string; every object has an apiVersion and a kind",
    ),
    "a port that the Service does not have": (
        f"{TOOL}---\n{SERVICE}",
        "8:spec.service.port: Service default/s has no port 80; use one of: 8080 (web)",
    ),
    "an address in place of a host": (
        tool("service: {name: s, port: 80, path: /x}", "external: {url: 'http://10.0.0.1/x'}"),
        (
            "8:spec.external.url: external.url: this installation does not allow the host "
            "10.0.0.1: use the public name of the host"
        ),
    ),
    "a brace that is left open in a path": (
        tool("path: /x", "path: '/x/{'"),
        "the path /x/{ has a brace outside of a {name}: for a literal brace, write %7B or %7D",
    ),
    "two arguments in a text": (
        tool("GET", "POST", f"  request: {{contentType: text/plain}}\n{TWO_ARGUMENTS}"),
        (
            "9:spec.request.contentType: request.contentType is text/plain, so the body is one "
            "argument, but gets q, r: map the others elsewhere with request.arguments"
        ),
    ),
    "two arguments as one header": (
        tool(
            more="  request: {arguments: [{name: q, in: header, as: X-A},"
            f" {{name: r, in: header, as: X-A}}]}}\n{TWO_ARGUMENTS}"
        ),
        (
            "9:spec.request.arguments: request.arguments sends both 'q' and 'r' as X-A in: header: "
            "give one of them another name with as"
        ),
    ),
    "a mapping of an argument that is not there": (
        tool(more=f"  request: {{arguments: [{{name: s, in: header}}]}}\n{TWO_ARGUMENTS}"),
        (
            "9:spec.request.arguments: request.arguments maps 's', which inputSchema.properties "
            "does not declare: declare it, or correct the name"
        ),
    ),
    "a file name that is the file": (
        tool(
            "GET",
            "POST",
            "  request: {contentType: multipart/form-data, arguments: [{name: q, in: body,"
            f" fileNameFrom: q}}]}}\n{TWO_ARGUMENTS}",
        ),
        (
            "9:spec.request.arguments: request.arguments sets fileNameFrom of 'q' to itself: set "
            "it to the argument that has the file name"
        ),
    ),
    "a multipart body without its boundary": (
        tool("GET", "POST", "  request: {contentType: multipart/mixed}\n"),
        "9:spec.request.contentType: add the boundary that the body uses, as in multipart/mixed;",
    ),
    "a token for a header without its name": (
        tool(more="  request: {credentials: {type: Header, secretRef: {name: k}}}\n"),
        "type: Header requires exactly one of header and name",
    ),
    "a token for a query without its name": (
        tool(more="  request: {credentials: {type: Query, secretRef: {name: k}}}\n"),
        "name is required with types Query and Cookie",
    ),
    "a task that sends on the client's token": (
        tool(
            more="  task: {mode: Always}\n"
            "  request: {forwardHeaders: [Cookie], allowCredentialForwarding: true}\n"
        ),
        (
            "a task continues without its client, and the gateway does not store its credentials: "
            "use request.credentials, or remove task"
        ),
    ),
    "a JMESPath that ends early": (
        tool(more="  response: {jmesPath: 'a ['}\n"),
        (
            "9:spec.response.jmesPath: response.jmesPath: the JMESPath 'a [' is not valid: "
            "Incomplete expression"
        ),
    ),
    "an expression that is left open": (
        schema("{type: object, properties: {q: {type: string, pattern: '('}}}"),
        "#/properties/q/pattern is not a valid regular expression",
    ),
    "a reference to nothing": (
        schema("{type: object, properties: {q: {$ref: '#/$defs/q'}}}"),
        "the $ref #/$defs/q has no target in the schema: add the target to $defs",
    ),
    "a limit as OpenAPI 3.0 has it": (
        schema("{type: object, properties: {q: {minimum: 0, exclusiveMinimum: true}}}"),
        "write the limit here, and remove minimum",
    ),
    "bytes that are not base64": (
        RESOURCE.format("content: {uri: 'docs://a', blob: 'hello!'}"),
        "6:spec.content.blob: must be of type byte: base64; encode the content with base64",
    ),
    "a URI template of another kind": (
        RESOURCE.format(
            "operations: [{uriTemplate: 'docs://{/id}', service: {name: s, port: 80}}]"
        ),
        "has an expression that is not supported: use {name}, one {+name}, and {?a,b*} at the end",
    ),
    "text in the data of a Secret": (
        f"{TOOL}---\napiVersion: v1\nkind: Secret\nmetadata: {{name: k}}\ndata: {{token: a b}}\n",
        "13:data.token: must be base64; for plain text, use stringData of a Secret",
    ),
    "a condition with an unknown name": (
        server(more=RULES.format("user == 'me'")),
        "the condition uses a name other than principal, scopes, claims: 'user'",
    ),
    "a condition that is not a boolean": (
        server(more=RULES.format("principal + 'x'")),
        "9:spec.auth.rules[0].when: the condition does not return a boolean; compare values",
    ),
    "a condition that ends early": (
        server(more=RULES.format("principal ==")),
        (
            "9:spec.auth.rules[0].when: the condition is not CEL: mismatched input '<EOF>' at "
            "character 13"
        ),
    ),
    "a condition with one sign of equality": (
        server(more=RULES.format("principal = 'me'")),
        "at character 11; compare with ==",
    ),
    "a key that YAML reads as a boolean": (
        tool(more="  retries: {attempts: 2, on: ['503']}\n"),
        "YAML reads on, off, yes and no as booleans; put such a key in quotes",
    ),
    "two operations of one URI": (
        RESOURCE.format(
            "operations: [{uri: 'docs://a', service: {name: s, port: 80}},\n"
            "    {uri: 'docs://a', service: {name: t, port: 80}}]"
        ),
        "7:spec.operations[1].uri: operations[1]: another operation has the URI docs://a, too",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_reported_with_its_place_and_the_fix(mistake: str, tmp_path: Path) -> None:
    assert_reported(tmp_path, *MISTAKES[mistake])
