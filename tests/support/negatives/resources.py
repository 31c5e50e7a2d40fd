"""Invalid MCPResources."""

from __future__ import annotations

from support.manifests import SERVICE, content, operation, resource
from support.negatives.case import Negative

RESOURCES = [
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
        "content without a source",
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
        "a ConfigMap key that is a path",
        resource(
            contentFrom={"uri": "docs://guide", "configMapKeyRef": {"name": "a", "key": "a/b"}}
        ),
        "spec.contentFrom.configMapKeyRef.key",
        "use letters, digits, '-', '_' and '.'",
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
        "set exactly one of service and external",
    ),
    Negative(
        "an operation with a Service and an external host",
        operation(external={"url": "https://api.example.com"}),
        "spec.operations[0].service",
        "set exactly one of service and external",
    ),
    Negative(
        "a cookie parameter with a style for paths",
        operation(parameters=[{"name": "id", "in": "cookie", "style": "matrix"}]),
        "spec.operations[0].parameters[0].style",
        "in: cookie takes the styles form and json",
    ),
    Negative(
        "a path parameter whose mapped name is not in the path",
        operation(
            service={**SERVICE, "path": "/{id}"},
            parameters=[{"name": "id", "in": "path", "as": "other"}],
        ),
        "spec.operations[0].parameters",
        "needs its {name} in service.path",
    ),
    Negative(
        "an operation whose name has a space",
        operation(name="a b"),
        "spec.operations[0].name",
        "use 1 to 128 letters",
    ),
    Negative(
        "an operation with a method that writes",
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
        "a path parameter that is not in the path",
        operation(parameters=[{"name": "id", "in": "path"}]),
        "spec.operations[0].parameters",
        "needs its {name} in service.path",
    ),
    Negative(
        "a form parameter",
        operation(parameters=[{"name": "id", "in": "form"}]),
        "spec.operations[0].parameters[0].in",
        'supported values: "path", "query", "header", "cookie", "body"',
    ),
    Negative(
        "a body parameter with a style for paths",
        operation(parameters=[{"name": "id", "in": "body", "style": "label"}]),
        "spec.operations[0].parameters[0].style",
        "in: query and in: body take the styles form",
    ),
    Negative(
        "JSON parameters that are exploded",
        operation(parameters=[{"name": "id", "in": "query", "style": "json", "explode": True}]),
        "spec.operations[0].parameters[0].explode",
        "style: json writes the whole value as one text",
    ),
    Negative(
        "a deep parameter that is not exploded",
        operation(
            parameters=[{"name": "id", "in": "query", "style": "deepObject", "explode": False}]
        ),
        "spec.operations[0].parameters[0].explode",
        "always writes one pair for each part",
    ),
    *(
        Negative(
            f"an operation that forwards {header}",
            operation(forwardHeaders=["Accept-Language", header]),
            "spec.operations[0].forwardHeaders",
            "set allowCredentialForwarding: true beside forwardHeaders",
        )
        for header in ("Authorization", "cookie")
    ),
    Negative(
        "an operation that forwards Proxy-Authorization",
        operation(forwardHeaders=["Proxy-Authorization"], allowCredentialForwarding=True),
        "spec.operations[0].forwardHeaders[0]",
        "the connection headers are set by the gateway",
    ),
    Negative(
        "an operation whose body is one parameter and constants",
        operation(body={"from": "id", "constants": {"a": 1}}),
        "spec.operations[0].body",
        "set exactly one of from and constants",
    ),
    Negative(
        "an operation that reads an endless stream",
        operation(stream={}),
        "spec.operations[0].stream",
        "set maxEvents, maxDuration or both",
    ),
    Negative(
        "an operation whose jsonPath has no root",
        operation(jsonPath="items"),
        "spec.operations[0].jsonPath",
        "from the root $",
    ),
    Negative(
        "an operation with a status as text",
        operation(errorStatus="errors"),
        "spec.operations[0].errorStatus",
        "list HTTP statuses or classes",
    ),
    Negative(
        "an operation whose errorWhen is empty",
        operation(errorWhen=""),
        "spec.operations[0].errorWhen",
        "should be at least 1 chars long",
    ),
    Negative(
        "an operation that returns response headers",
        operation(response={"headers": ["ETag"]}),
        "spec.operations[0].response",
        "unknown field",
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
        "a name that is not an object name",
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
        "a misspelled metadata field",
        {**content(), "metadata": {"name": "docs", "label": {"team": "a"}}},
        "metadata.label",
        "unknown field",
    ),
]
