"""Invalid MCPTools."""

from __future__ import annotations

from mcp_operator.core.meta import Object
from support.manifests import SERVICE, tool, tools, without
from support.negatives.case import Negative
from support.negatives.credentials import CREDENTIALS
from support.negatives.endpoints import ENDPOINTS
from support.negatives.requests import REQUESTS
from support.negatives.tasks import TASKS

ENTRY: Object = {"name": "a", "path": "/a"}
SECRET: Object = {"name": "token", "key": "value"}

TOOLS = [
    Negative("a tool without name or tools", without(tool(), "name"), "spec.name", "set name to"),
    Negative(
        "a tool without service", without(tool(), "service"), "spec.service", "set service or"
    ),
    Negative(
        "tools of which one has no service",
        without(tools({**ENTRY, "service": SERVICE}, {"name": "b", "path": "/b"}), "service"),
        "spec.service",
        "you can set one on every entry",
    ),
    Negative(
        "an entry without path or service",
        tools({"name": "a"}),
        "spec.tools[0].path",
        "set path for an endpoint of the common service",
    ),
    Negative("an empty list of tools", tools(), "spec.tools", "should have at least 1 items"),
    Negative(
        "more than 128 tools",
        tools(*({"name": f"t{number}", "path": "/"} for number in range(129))),
        "spec.tools",
        "must have at most 128 items",
    ),
    Negative("one tool name twice", tools(ENTRY, ENTRY), "spec.tools[1]", "Duplicate value"),
    Negative(
        "an entry without name",
        tools({"path": "/a"}),
        "spec.tools[0].name",
        "Required value",
    ),
    Negative(
        "inputSchema next to tools",
        tools(ENTRY, inputSchema={"type": "object"}),
        "spec.tools",
        "with tools, move them into its entries",
    ),
    Negative(
        "annotations next to tools",
        tools(ENTRY, annotations={"readOnlyHint": True}),
        "spec.tools",
        "with tools, move them into its entries",
    ),
    Negative(
        "argument mappings next to tools",
        tools(ENTRY, request={"arguments": [{"name": "q", "in": "query"}]}),
        "spec.tools",
        "with tools, move them into its entries",
    ),
    Negative(
        "retries of a POST",
        tool(retries={}),
        "spec.retries",
        "retries may send a request twice",
    ),
    Negative(
        "retries of a PATCH that says it is not idempotent",
        tool(method="PATCH", retries={}, annotations={"idempotentHint": False}),
        "spec.retries",
        "retries may send a request twice",
    ),
    Negative(
        "retries of an entry that is a POST",
        tools({**ENTRY, "retries": {}}, method="POST"),
        "spec.tools",
        "in an entry of tools, retries may send",
    ),
    Negative(
        "retries of all entries with one POST",
        tools({**ENTRY, "method": "GET"}, {**ENTRY, "name": "b", "method": "POST"}, retries={}),
        "spec.tools",
        "in an entry of tools, retries may send",
    ),
    Negative(
        "more than five retries",
        tool(method="GET", retries={"attempts": 6}),
        "spec.retries.attempts",
        "less than or equal to 5",
    ),
    Negative(
        "zero retries",
        tool(method="GET", retries={"attempts": 0}),
        "spec.retries.attempts",
        "greater than or equal to 1",
    ),
    Negative(
        "retries after a client error",
        tool(method="GET", retries={"retryOn": ["404"]}),
        "spec.retries.retryOn[0]",
        "list connect-failure, reset, 429 or",
    ),
    Negative(
        "retries without conditions",
        tool(method="GET", retries={"retryOn": []}),
        "spec.retries.retryOn",
        "should have at least 1 items",
    ),
    Negative(
        "a backoff without unit",
        tool(method="GET", retries={"backoff": "100"}),
        "spec.retries.backoff",
        "write a duration",
    ),
    Negative("a tool name with a space", tool(name="a b"), "spec.name", "use 1 to 128 letters"),
    Negative("an empty tool name", tool(name=""), "spec.name", "use 1 to 128 letters"),
    Negative(
        "a tool name of 129 characters",
        tool(name="n" * 129),
        "spec.name",
        "Too long: may not be more than 128",
    ),
    Negative(
        "a description that is too long",
        tool(description="x" * 4001),
        "spec.description",
        "Too long: may not be more than 4000",
    ),
    Negative(
        "a Service without port",
        tool(service={"name": "orders"}),
        "spec.service.port",
        "Required value",
    ),
    Negative(
        "a Service with a URL as its name",
        tool(service={"name": "http://orders", "port": 80}),
        "spec.service.name",
        "use lower-case letters",
    ),
    Negative(
        "a Service port by a name that no port has",
        tool(service={"name": "orders", "port": "HTTP"}),
        "spec.service.port",
        "should match",
    ),
    Negative(
        "a namespace with a capital letter",
        tool(service={**SERVICE, "namespace": "Shop"}),
        "spec.service.namespace",
        "use lower-case letters",
    ),
    Negative(
        "a relative path",
        tool(service={**SERVICE, "path": "orders"}),
        "spec.service.path",
        "write an absolute path",
    ),
    Negative(
        "a path with a query",
        tool(service={**SERVICE, "path": "/orders?all=1"}),
        "spec.service.path",
        "without spaces, query or fragment",
    ),
    Negative(
        "a path with ..",
        tool(service={**SERVICE, "path": "/orders/../admin"}),
        "spec.service.path",
        "must not contain the segments . or ..",
    ),
    Negative(
        "an unknown scheme",
        tool(service={**SERVICE, "scheme": "ftp"}),
        "spec.service.scheme",
        'supported values: "http", "https"',
    ),
    Negative(
        "tls without https",
        tool(service={**SERVICE, "tls": {"insecureSkipVerify": True}}),
        "spec.service.tls",
        "tls needs scheme: https",
    ),
    Negative(
        "an authority without key",
        tool(service={**SERVICE, "scheme": "https", "tls": {"caSecretRef": {"name": "ca"}}}),
        "spec.service.tls.caSecretRef.key",
        "Required value",
    ),
    Negative(
        "an unknown method",
        tool(method="TRACE"),
        "spec.method",
        'supported values: "GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE", "PATCH"',
    ),
    Negative(
        "an inputSchema that is text",
        tool(inputSchema="object"),
        "spec.inputSchema",
        "must be of type object",
    ),
    Negative(
        "a tool both read-only and destructive",
        tool(annotations={"readOnlyHint": True, "destructiveHint": True}),
        "spec.annotations.destructiveHint",
        "a read-only tool cannot be destructive",
    ),
    Negative(
        "an argument without a location",
        tool(request={"arguments": [{"name": "q"}]}),
        "spec.request.arguments[0].in",
        "Required value",
    ),
    Negative(
        "an argument in an unknown location",
        tool(request={"arguments": [{"name": "q", "in": "fragment"}]}),
        "spec.request.arguments[0].in",
        'supported values: "path", "query", "header", "cookie", "body"',
    ),
    Negative(
        "an argument mapped twice",
        tool(request={"arguments": [{"name": "q", "in": "query"}, {"name": "q", "in": "header"}]}),
        "spec.request.arguments[1]",
        "Duplicate value",
    ),
    Negative(
        "an argument under a name with a line break",
        tool(request={"arguments": [{"name": "q", "in": "header", "as": "X-A\r\nHost"}]}),
        "spec.request.arguments[0].as",
        "use printable ASCII",
    ),
    Negative(
        "a body on HEAD",
        tool(method="HEAD", request={"arguments": [{"name": "q", "in": "body"}]}),
        "spec.request",
        "HEAD has no body",
    ),
    Negative(
        "constants in the body of HEAD",
        tool(method="HEAD", request={"body": {"constants": {"a": 1}}}),
        "spec.request",
        "HEAD has no body",
    ),
    Negative(
        "a body on the HEAD of an entry",
        tools({**ENTRY, "method": "HEAD", "request": {"arguments": [{"name": "q", "in": "body"}]}}),
        "spec.tools",
        "HEAD has no body",
    ),
    Negative(
        "a body on an entry that inherits HEAD",
        tools({**ENTRY, "request": {"body": {"from": "q"}}}, method="HEAD"),
        "spec.tools",
        "HEAD has no body",
    ),
    Negative(
        "the Host header",
        tool(request={"headers": [{"name": "Host", "value": "evil"}]}),
        "spec.request.headers[0].name",
        "are set by the gateway; name another header",
    ),
    Negative(
        "a connection header in capitals",
        tool(request={"headers": [{"name": "TRANSFER-ENCODING", "value": "chunked"}]}),
        "spec.request.headers[0].name",
        "are set by the gateway; name another header",
    ),
    Negative(
        "a header name with a colon",
        tool(request={"headers": [{"name": "X:", "value": "a"}]}),
        "spec.request.headers[0].name",
        "write the name of an HTTP header",
    ),
    Negative(
        "a Secret with an underscore",
        tool(request={"credentials": {"type": "Bearer", "secretRef": {"name": "my_token"}}}),
        "spec.request.credentials.secretRef.name",
        "use lower-case letters, digits, '-' and '.'",
    ),
    Negative(
        "a header with two values",
        tool(
            request={
                "headers": [{"name": "X", "value": "a", "valueFrom": {"secretKeyRef": SECRET}}]
            }
        ),
        "spec.request.headers[0]",
        "set exactly one of value and valueFrom",
    ),
    Negative(
        "a header without value",
        tool(request={"headers": [{"name": "X"}]}),
        "spec.request.headers[0]",
        "set exactly one of value and valueFrom",
    ),
    Negative(
        "a header with a line break",
        tool(request={"headers": [{"name": "X", "value": "a\r\nB: c"}]}),
        "spec.request.headers[0].value",
        "one line of printable ASCII",
    ),
    Negative(
        "a header with two sources",
        tool(
            request={
                "headers": [
                    {"name": "X", "valueFrom": {"secretKeyRef": SECRET, "configMapKeyRef": SECRET}}
                ]
            }
        ),
        "spec.request.headers[0].valueFrom",
        "set exactly one of secretKeyRef and configMapKeyRef",
    ),
    Negative(
        "forwarding the Host header",
        tool(request={"forwardHeaders": ["host"]}),
        "spec.request.forwardHeaders[0]",
        "are set by the gateway; name another header",
    ),
    Negative(
        "forwarding a header twice",
        tool(request={"forwardHeaders": ["X-A", "X-A"]}),
        "spec.request.forwardHeaders[1]",
        "Duplicate value",
    ),
    Negative(
        "a body that is not a media type",
        tool(request={"contentType": "json"}),
        "spec.request.contentType",
        "write a media type",
    ),
    Negative(
        "an unknown status class",
        tool(response={"errorStatus": "4xx;5xx"}),
        "spec.response.errorStatus",
        "list HTTP statuses or classes, separated by commas",
    ),
    Negative(
        "a response limit of zero bytes",
        tool(response={"maxBytes": 0}),
        "spec.response.maxBytes",
        "greater than or equal to 1",
    ),
    Negative(
        "a timeout as text",
        tool(timeout="soon"),
        "spec.timeout",
        "write a duration longer than zero",
    ),
    *CREDENTIALS,
    *REQUESTS,
    *ENDPOINTS,
    *TASKS,
]
