"""Objects that the API server must refuse, each with what its sentence must say.

The unit tests put them to `api.validation`, the integration tests to a real API server: both must
name the field and the fix.
"""

from __future__ import annotations

from dataclasses import dataclass

from mcp_operator.core.meta import Object
from support.manifests import (
    content,
    manifest,
    operation,
    prompt,
    resource,
    server,
    tool,
    tools,
    without,
)


@dataclass(frozen=True)
class Negative:
    """A refused object; `field` and `fragment` are both in what is said of it."""

    sentence: str
    obj: Object
    field: str
    fragment: str

    def __str__(self) -> str:
        return self.sentence.replace(" ", "_")


ENTRY = {"name": "a", "path": "/a"}
SECRET = {"name": "token", "key": "value"}
SERVICE = {"name": "orders", "port": 80}

_SERVERS = [
    Negative(
        "a server without toolSelector",
        manifest("MCPServer", {}),
        "spec.toolSelector",
        "Required value",
    ),
    Negative("a server without spec", manifest("MCPServer", None), "spec", "Required value"),
    Negative(
        "a server whose name leaves no room for its Service",
        server("n" * 53),
        "metadata.name",
        "use at most 52 characters",
    ),
    Negative("a server with a dot in its name", server("a.b"), "metadata.name", "use no dots"),
    Negative(
        "an unknown mode",
        server(mode="Proxy"),
        "spec.mode",
        'supported values: "Auto", "Gateway", "Direct"',
    ),
    Negative(
        "mode Gateway with a command",
        server(mode="Gateway", command=["run"]),
        "spec.mode",
        "remove command and args, or use mode: Direct",
    ),
    Negative(
        "mode Gateway with args",
        server(mode="Gateway", args=["--x"]),
        "spec.mode",
        "remove command and args, or use mode: Direct",
    ),
    Negative("mode Direct without image", server(mode="Direct"), "spec.image", "set image to it"),
    Negative("a command without image", server(command=["run"]), "spec.image", "set image to it"),
    Negative("args without image", server(args=["--x"]), "spec.image", "set image to it"),
    Negative(
        "an image with a space", server(image="my app"), "spec.image", "write an image without"
    ),
    Negative("an empty image", server(image=""), "spec.image", "write an image without"),
    Negative(
        "negative replicas", server(replicas=-1), "spec.replicas", "greater than or equal to 0"
    ),
    Negative(
        "too many replicas", server(replicas=201), "spec.replicas", "less than or equal to 200"
    ),
    Negative(
        "replicas as text", server(replicas="two"), "spec.replicas", "must be of type integer"
    ),
    Negative("port zero", server(port=0), "spec.port", "greater than or equal to 1"),
    Negative("a port too large", server(port=65536), "spec.port", "less than or equal to 65535"),
    Negative(
        "an argument that is a number",
        server(image="a", args=[8080]),
        "spec.args[0]",
        "must be of type string",
    ),
    Negative(
        "an environment variable with two sources",
        server(env=[{"name": "A", "value": "x", "valueFrom": {"secretKeyRef": SECRET}}]),
        "spec.env[0]",
        "set only one of value and valueFrom",
    ),
    Negative(
        "an environment variable from nowhere",
        server(env=[{"name": "A", "valueFrom": {}}]),
        "spec.env[0].valueFrom",
        "set exactly one of secretKeyRef, configMapKeyRef and fieldRef",
    ),
    Negative(
        "an environment variable twice",
        server(env=[{"name": "A"}, {"name": "A"}]),
        "spec.env[1]",
        "Duplicate value",
    ),
    Negative(
        "an environment variable with a space",
        server(env=[{"name": "A B"}]),
        "spec.env[0].name",
        "not beginning with a digit",
    ),
    Negative(
        "an environment variable whose value is a number",
        server(env=[{"name": "A", "value": 1}]),
        "spec.env[0].value",
        "must be of type string",
    ),
    Negative(
        "an unknown imagePullPolicy",
        server(imagePullPolicy="Sometimes"),
        "spec.imagePullPolicy",
        'supported values: "Always", "IfNotPresent", "Never"',
    ),
    Negative(
        "redis without an address",
        server(redis={}),
        "spec.redis",
        "set exactly one of serviceName and address",
    ),
    Negative(
        "redis with two addresses",
        server(redis={"serviceName": "a", "address": "b"}),
        "spec.redis",
        "set exactly one of serviceName and address",
    ),
    Negative(
        "a Redis Service with a capital letter",
        server(redis={"serviceName": "Redis"}),
        "spec.redis.serviceName",
        "use lower-case letters",
    ),
    Negative(
        "an Ingress certificate without host",
        server(ingress={"tlsSecretName": "cert"}),
        "spec.ingress.tlsSecretName",
        "tlsSecretName needs host",
    ),
    Negative(
        "an Ingress host with a scheme",
        server(ingress={"host": "https://x"}),
        "spec.ingress.host",
        "write a lower-case host name",
    ),
    Negative(
        "a relative pathPrefix",
        server(ingress={"pathPrefix": "mcp"}),
        "spec.ingress.pathPrefix",
        "write an absolute path",
    ),
    Negative(
        "an unknown pathType",
        server(ingress={"pathType": "Regex"}),
        "spec.ingress.pathType",
        'supported values: "Prefix", "Exact", "ImplementationSpecific"',
    ),
    Negative(
        "an Ingress annotation that is no text",
        server(ingress={"annotations": {"a": True}}),
        "spec.ingress.annotations",
        "must be of type string",
    ),
    Negative(
        "a selector that is In nothing",
        server(toolSelector={"matchExpressions": [{"key": "a", "operator": "In"}]}),
        "spec.toolSelector.matchExpressions[0].values",
        "In and NotIn need values",
    ),
    Negative(
        "a selector that Exists with values",
        server(
            promptSelector={
                "matchExpressions": [{"key": "a", "operator": "Exists", "values": ["x"]}]
            }
        ),
        "spec.promptSelector.matchExpressions[0].values",
        "Exists and DoesNotExist take none",
    ),
    Negative(
        "a selector with an unknown operator",
        server(resourceSelector={"matchExpressions": [{"key": "a", "operator": "Gt"}]}),
        "spec.resourceSelector.matchExpressions[0].operator",
        'supported values: "In", "NotIn", "Exists", "DoesNotExist"',
    ),
    Negative(
        "a selector without a key",
        server(toolSelector={"matchExpressions": [{"operator": "Exists"}]}),
        "spec.toolSelector.matchExpressions[0].key",
        "Required value",
    ),
    Negative(
        "a selector with a key that no label can have",
        server(toolSelector={"matchLabels": {"a b": "x"}}),
        "spec.toolSelector.matchLabels",
        "every key must be a label key",
    ),
    Negative(
        "a selector with a value that no label can have",
        server(toolSelector={"matchLabels": {"a": "x y"}}),
        "spec.toolSelector.matchLabels",
        "a label value has at most 63",
    ),
    Negative(
        "an unknown onConflict",
        server(naming={"onConflict": "NewestWins"}),
        "spec.naming.onConflict",
        'supported values: "OldestWins", "RejectAll"',
    ),
    Negative(
        "a requestTimeout of zero",
        server(config={"requestTimeout": "0s"}),
        "spec.config.requestTimeout",
        "write a duration longer than zero",
    ),
    Negative(
        "a requestTimeout without unit",
        server(config={"requestTimeout": "30"}),
        "spec.config.requestTimeout",
        "write a duration longer than zero",
    ),
    Negative(
        "a drainTimeout that is a number",
        server(config={"drainTimeout": 30}),
        "spec.config.drainTimeout",
        "must be of type string",
    ),
    Negative(
        "no concurrent requests",
        server(config={"maxConcurrentRequests": 0}),
        "spec.config.maxConcurrentRequests",
        "greater than or equal to 1",
    ),
    Negative(
        "too many concurrent requests",
        server(config={"maxConcurrentRequests": 10001}),
        "spec.config.maxConcurrentRequests",
        "less than or equal to 10000",
    ),
    Negative(
        "requests of no bytes",
        server(config={"maxRequestBytes": 1}),
        "spec.config.maxRequestBytes",
        "greater than or equal to 1024",
    ),
    Negative(
        "responses of too many bytes",
        server(config={"maxResponseBytes": 1 << 31}),
        "spec.config.maxResponseBytes",
        "less than or equal to 1073741824",
    ),
    Negative(
        "a page of nothing",
        server(config={"pageSize": 0}),
        "spec.config.pageSize",
        "greater than or equal to 1",
    ),
    Negative(
        "an unknown logLevel",
        server(config={"logLevel": "trace"}),
        "spec.config.logLevel",
        'supported values: "debug", "info", "warning", "error"',
    ),
    Negative(
        "instructions of great length",
        server(config={"instructions": "x" * 8001}),
        "spec.config.instructions",
        "Too long: may not be more than 8000",
    ),
    Negative(
        "an unknown Service type",
        server(service={"type": "ExternalName"}),
        "spec.service.type",
        'supported values: "ClusterIP", "NodePort", "LoadBalancer"',
    ),
    Negative(
        "a quantity that is none",
        server(resources={"limits": {"cpu": "much"}}),
        "spec.resources.limits.cpu",
        "should match",
    ),
    Negative(
        "a misspelt field",
        server(replica=2),
        "spec.replica",
        "unknown field",
    ),
    Negative(
        "a misspelt field far below",
        server(config={"requestTimeOut": "1s"}),
        "spec.config.requestTimeOut",
        "unknown field",
    ),
]

_TOOLS = [
    Negative("a tool without name or tools", without(tool(), "name"), "spec.name", "set name to"),
    Negative(
        "a tool without service", without(tool(), "service"), "spec.service", "set service, or"
    ),
    Negative(
        "tools of which one has no service",
        without(tools({**ENTRY, "service": SERVICE}, {"name": "b", "path": "/b"}), "service"),
        "spec.service",
        "a service on every entry",
    ),
    Negative(
        "an entry without path or service",
        tools({"name": "a"}),
        "spec.tools[0].path",
        "set path, the endpoint on the common service",
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
        "inputSchema beside tools",
        tools(ENTRY, inputSchema={"type": "object"}),
        "spec.tools",
        "with tools, move them into its entries",
    ),
    Negative(
        "annotations beside tools",
        tools(ENTRY, annotations={"readOnlyHint": True}),
        "spec.tools",
        "with tools, move them into its entries",
    ),
    Negative(
        "argument mappings beside tools",
        tools(ENTRY, request={"arguments": [{"name": "q", "in": "query"}]}),
        "spec.tools",
        "with tools, move them into its entries",
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
        "a description of great length",
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
        "a Service given by URL",
        tool(service={"name": "http://orders", "port": 80}),
        "spec.service.name",
        "use lower-case letters",
    ),
    Negative(
        "a Service port by name",
        tool(service={"name": "orders", "port": "http"}),
        "spec.service.port",
        "must be of type integer",
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
        "a path that climbs",
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
        tool(method="HEAD"),
        "spec.method",
        'supported values: "GET", "POST", "PUT", "DELETE", "PATCH"',
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
        "an argument without a place",
        tool(request={"arguments": [{"name": "q"}]}),
        "spec.request.arguments[0].in",
        "Required value",
    ),
    Negative(
        "an argument in an unknown place",
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
        "a body on GET",
        tool(method="GET", request={"arguments": [{"name": "q", "in": "body"}]}),
        "spec.request",
        "GET and DELETE have no body",
    ),
    Negative(
        "a body on the GET of an entry",
        tools(
            {**ENTRY, "method": "DELETE", "request": {"arguments": [{"name": "q", "in": "body"}]}}
        ),
        "spec.tools",
        "GET and DELETE have no body",
    ),
    Negative(
        "a body on an entry that inherits GET",
        tools({**ENTRY, "request": {"arguments": [{"name": "q", "in": "body"}]}}, method="GET"),
        "spec.tools",
        "GET and DELETE have no body",
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
        "a header from two places",
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
        "a body that is no media type",
        tool(request={"contentType": "json"}),
        "spec.request.contentType",
        "write a media type",
    ),
    Negative(
        "credentials without a Secret",
        tool(request={"credentials": {"type": "Bearer"}}),
        "spec.request.credentials.secretRef",
        "Required value",
    ),
    Negative(
        "credentials of type Header without header",
        tool(request={"credentials": {"type": "Header", "secretRef": {"name": "s"}}}),
        "spec.request.credentials.header",
        "header names the header of type: Header",
    ),
    Negative(
        "Bearer credentials with a header",
        tool(
            request={"credentials": {"type": "Bearer", "header": "X", "secretRef": {"name": "s"}}}
        ),
        "spec.request.credentials.header",
        "header names the header of type: Header",
    ),
    Negative(
        "Basic credentials with key",
        tool(request={"credentials": {"type": "Basic", "secretRef": {"name": "s", "key": "k"}}}),
        "spec.request.credentials.secretRef",
        "Basic reads usernameKey and passwordKey",
    ),
    Negative(
        "a jsonPath with a wildcard",
        tool(response={"jsonPath": "$.items[*]"}),
        "spec.response.jsonPath",
        "write a path of names and indexes from the root $",
    ),
    Negative(
        "an unknown status class",
        tool(response={"errorStatus": "4xx;5xx"}),
        "spec.response.errorStatus",
        "list HTTP statuses or classes with commas",
    ),
    Negative(
        "answers of no bytes",
        tool(response={"maxBytes": 0}),
        "spec.response.maxBytes",
        "greater than or equal to 1",
    ),
    Negative(
        "a timeout in words",
        tool(timeout="soon"),
        "spec.timeout",
        "write a duration longer than zero",
    ),
]

_PROMPTS = [
    Negative(
        "a prompt without text",
        without(prompt(), "template"),
        "spec.template",
        "set exactly one of template and messages",
    ),
    Negative(
        "a prompt with template and messages",
        prompt(messages=[{"text": "x"}], template="y"),
        "spec.template",
        "set exactly one of template and messages",
    ),
    Negative(
        "an empty template", prompt(template=""), "spec.template", "should be at least 1 chars long"
    ),
    Negative(
        "a template of great length",
        prompt(template="x" * 10001),
        "spec.template",
        "Too long: may not be more than 10000",
    ),
    Negative(
        "a message without text",
        prompt(messages=[{"role": "user"}]),
        "spec.messages[0]",
        "set exactly one of text and resourceURI",
    ),
    Negative(
        "a message with text and resource",
        prompt(messages=[{"text": "x", "resourceURI": "docs://guide"}]),
        "spec.messages[0]",
        "set exactly one of text and resourceURI",
    ),
    Negative(
        "a message of the system",
        prompt(messages=[{"role": "system", "text": "x"}]),
        "spec.messages[0].role",
        'supported values: "user", "assistant"',
    ),
    Negative(
        "more than 32 messages",
        prompt(messages=[{"text": "x"}] * 33),
        "spec.messages",
        "must have at most 32 items",
    ),
    Negative(
        "a variable with a hyphen",
        prompt(variables=[{"name": "a-b"}]),
        "spec.variables[0].name",
        "use letters, digits and '_'",
    ),
    Negative(
        "a variable twice",
        prompt(variables=[{"name": "a"}, {"name": "a"}]),
        "spec.variables[1]",
        "Duplicate value",
    ),
    Negative(
        "a default outside enum",
        prompt(variables=[{"name": "a", "default": "z", "enum": ["x", "y"]}]),
        "spec.variables[0].default",
        "default must be one of enum",
    ),
    Negative(
        "an enum with a value twice",
        prompt(variables=[{"name": "a", "enum": ["x", "x"]}]),
        "spec.variables[0].enum[1]",
        "Duplicate value",
    ),
    Negative(
        "required as text",
        prompt(variables=[{"name": "a", "required": "yes"}]),
        "spec.variables[0].required",
        "must be of type boolean",
    ),
]

_RESOURCES = [
    Negative(
        "a resource without content",
        resource(),
        "spec",
        "set exactly one of content, contentFrom and operations",
    ),
    Negative(
        "a resource with content and operations",
        resource(
            content={"uri": "a:b", "text": "x"}, operations=[{"uri": "a:b", "service": SERVICE}]
        ),
        "spec",
        "set exactly one of content, contentFrom and operations",
    ),
    Negative(
        "content with text and blob",
        content(blob="aGk="),
        "spec.content",
        "set exactly one of text and blob",
    ),
    Negative(
        "content with neither text nor blob",
        resource(content={"uri": "docs://guide"}),
        "spec.content",
        "set exactly one of text and blob",
    ),
    Negative(
        "a blob that is not base64",
        resource(content={"uri": "docs://guide", "blob": "@@"}),
        "spec.content.blob",
        "must be of type byte",
    ),
    Negative(
        "content without uri",
        resource(content={"text": "x"}),
        "spec.content.uri",
        "Required value",
    ),
    Negative(
        "a uri without scheme", content(uri="guide"), "spec.content.uri", "write an absolute URI"
    ),
    Negative(
        "a uri with a space",
        content(uri="docs://a guide"),
        "spec.content.uri",
        "write an absolute URI",
    ),
    Negative(
        "a mimeType without slash",
        content(mimeType="markdown"),
        "spec.content.mimeType",
        "write a media type",
    ),
    Negative(
        "content from nowhere",
        resource(contentFrom={"uri": "docs://guide"}),
        "spec.contentFrom",
        "set exactly one of configMapKeyRef and secretKeyRef",
    ),
    Negative(
        "a ConfigMap without key",
        resource(contentFrom={"uri": "docs://guide", "configMapKeyRef": {"name": "a"}}),
        "spec.contentFrom.configMapKeyRef.key",
        "Required value",
    ),
    Negative(
        "no operations",
        resource(operations=[]),
        "spec.operations",
        "should have at least 1 items",
    ),
    Negative(
        "an operation without service",
        resource(operations=[{"uri": "docs://guide"}]),
        "spec.operations[0].service",
        "Required value",
    ),
    Negative(
        "an operation that writes",
        operation(method="POST"),
        "spec.operations[0].method",
        'supported values: "GET"',
    ),
    Negative(
        "an operation with uri and uriTemplate",
        operation(uriTemplate="docs://{a}"),
        "spec.operations[0].uriTemplate",
        "set only one of uri and uriTemplate",
    ),
    Negative(
        "an operation without any uri",
        resource(operations=[{"service": SERVICE}]),
        "spec.operations[0].uri",
        "set uri, uriTemplate or ingressPath",
    ),
    Negative(
        "a uri with variables",
        operation(uri="docs://{section}"),
        "spec.operations[0].uri",
        "use uriTemplate for a URI with {name}",
    ),
    Negative(
        "a path parameter that the path lacks",
        operation(parameters=[{"name": "id", "in": "path"}]),
        "spec.operations[0].parameters",
        "needs its {name} in service.path",
    ),
    Negative(
        "a parameter in the body",
        operation(parameters=[{"name": "id", "in": "body"}]),
        "spec.operations[0].parameters[0].in",
        'supported values: "path", "query", "header"',
    ),
    Negative(
        "a parameter whose default is outside enum",
        operation(parameters=[{"name": "v", "in": "query", "default": "3", "enum": ["1", "2"]}]),
        "spec.operations[0].parameters[0].default",
        "default must be one of enum",
    ),
    Negative(
        "a priority above one",
        {
            **content(),
            "spec": {**content()["spec"], "annotations": {"priority": "1.5"}},
        },
        "spec.annotations.priority",
        "write a number from 0 to 1 as text",
    ),
    Negative(
        "an unknown audience",
        {
            **content(),
            "spec": {**content()["spec"], "annotations": {"audience": ["admin"]}},
        },
        "spec.annotations.audience[0]",
        'supported values: "user", "assistant"',
    ),
    Negative(
        "a name that is no object name",
        {**content(), "metadata": {"name": "My_Docs"}},
        "metadata.name",
        "must consist of lower case alphanumeric characters",
    ),
    Negative(
        "a label value with a space",
        {**content(), "metadata": {"name": "docs", "labels": {"team": "a b"}}},
        "metadata.labels",
        "a valid label must be an empty string or consist of alphanumeric",
    ),
    Negative(
        "a misspelt metadata field",
        {**content(), "metadata": {"name": "docs", "label": {"team": "a"}}},
        "metadata.label",
        "unknown field",
    ),
]

NEGATIVES = (*_SERVERS, *_TOOLS, *_PROMPTS, *_RESOURCES)
