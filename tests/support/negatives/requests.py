"""MCPTools with invalid requests: arguments, constants and bodies."""

from __future__ import annotations

from mcp_operator.core.meta import Object
from support.manifests import tool, tools
from support.negatives.case import Negative

FIRST = "spec.request.arguments[0]"
QUERY = "spec.request.query[0]"
SECRET: Object = {"name": "token", "key": "value"}


def argument(location: str, **fields: object) -> Object:
    return tool(request={"arguments": [{"name": "q", "in": location, **fields}]})


def styled(location: str, style: str, fragment: str, **fields: object) -> Negative:
    also = "".join(f" and {name}" for name in fields)
    return Negative(
        f"style {style} in {location}{also}",
        argument(location, style=style, **fields),
        f"{FIRST}.{'explode' if fields else 'style'}",
        fragment,
    )


_QUERY_STYLES = "in: query and in: body take the styles form"

REQUESTS = [
    *(
        styled("path", style, "in: path takes the styles simple, label, matrix and json")
        for style in ("form", "spaceDelimited", "pipeDelimited", "deepObject")
    ),
    *(styled("query", style, _QUERY_STYLES) for style in ("simple", "label", "matrix")),
    *(styled("body", style, _QUERY_STYLES) for style in ("simple", "label", "matrix")),
    *(
        styled("header", style, "in: header takes the styles simple and json")
        for style in ("label", "matrix", "form", "spaceDelimited", "pipeDelimited", "deepObject")
    ),
    *(
        styled("cookie", style, "in: cookie takes the styles form and json")
        for style in ("simple", "label", "matrix", "spaceDelimited", "pipeDelimited", "deepObject")
    ),
    *(
        styled(location, "json", "style: json writes the whole value as one text", explode=True)
        for location in ("path", "query", "header", "cookie", "body")
    ),
    *(
        styled(location, "deepObject", "always writes one pair for each part", explode=False)
        for location in ("query", "body")
    ),
    Negative(
        "an unknown style",
        argument("query", style="comma"),
        f"{FIRST}.style",
        'supported values: "simple", "label", "matrix", "form"',
    ),
    Negative(
        "explode as text",
        argument("query", explode="yes"),
        f"{FIRST}.explode",
        "must be of type boolean",
    ),
    *(
        Negative(
            f"allowReserved in a {location}",
            argument(location, allowReserved=True),
            f"{FIRST}.allowReserved",
            "allowReserved is for in: path, in: query and the fields of a form",
        )
        for location in ("header", "cookie")
    ),
    *(
        Negative(
            f"{field} in {location}",
            argument(location, **{field: value}),
            f"{FIRST}.{field}",
            f"{field} is for a part of a multipart body",
        )
        for field, value in (("contentType", "image/png"), ("fileName", "a.png"))
        for location in ("path", "query", "header", "cookie")
    ),
    *(
        Negative(
            f"fileNameFrom in {location}",
            argument(location, fileNameFrom="name"),
            f"{FIRST}.fileNameFrom",
            "fileNameFrom is for a part of a multipart body",
        )
        for location in ("path", "query", "header", "cookie")
    ),
    Negative(
        "an empty fileNameFrom",
        argument("body", fileNameFrom=""),
        f"{FIRST}.fileNameFrom",
        "should be at least 1 chars long",
    ),
    Negative(
        "a fileNameFrom without an end",
        argument("body", fileNameFrom="a" * 129),
        f"{FIRST}.fileNameFrom",
        "may not be more than 128",
    ),
    *(
        Negative(
            f"forwarding {header}",
            tool(request={"forwardHeaders": ["X-Tenant", header]}),
            "spec.request.forwardHeaders",
            "set allowCredentialForwarding: true beside forwardHeaders",
        )
        for header in ("Authorization", "authorization", "Cookie", "COOKIE", "Cookie2")
    ),
    Negative(
        "forwarding Authorization without allowCredentialForwarding",
        tool(request={"forwardHeaders": ["Authorization"], "allowCredentialForwarding": False}),
        "spec.request.forwardHeaders",
        "set allowCredentialForwarding: true beside forwardHeaders",
    ),
    Negative(
        "forwarding Authorization in one of several tools",
        tools({"name": "a", "path": "/a", "request": {"forwardHeaders": ["Authorization"]}}),
        "spec.tools[0].request.forwardHeaders",
        "set allowCredentialForwarding: true beside forwardHeaders",
    ),
    Negative(
        "forwarding Proxy-Authorization",
        tool(
            request={"forwardHeaders": ["Proxy-Authorization"], "allowCredentialForwarding": True}
        ),
        "spec.request.forwardHeaders[0]",
        "the connection headers are set by the gateway",
    ),
    *(
        Negative(
            f"a body of {kind} without boundary",
            tool(request={"contentType": kind}),
            "spec.request.contentType",
            "add the boundary that the body uses",
        )
        for kind in ("multipart/mixed", "Multipart/Related; type=text/xml", "multipart/form-datas")
    ),
    Negative(
        "a body with an invalid media type",
        tool(request={"contentType": "json"}),
        "spec.request.contentType",
        "write a media type",
    ),
    Negative(
        "allowCredentialForwarding as text",
        tool(request={"allowCredentialForwarding": "yes"}),
        "spec.request.allowCredentialForwarding",
        "must be of type boolean",
    ),
    Negative(
        "a part that is not a media type",
        argument("body", contentType="png"),
        f"{FIRST}.contentType",
        "write a media type",
    ),
    *(
        Negative(
            f"a file name with {what}",
            argument("body", fileName=name),
            f"{FIRST}.fileName",
            "write a file name without slashes, quotes and control characters",
        )
        for what, name in (
            ("a slash", "../a"),
            ("a backslash", "a\\b"),
            ("a quote", 'a"; b="c'),
            ("a line break", "a\r\nX-Admin: 1"),
        )
    ),
    Negative(
        "a query parameter with two values",
        tool(
            request={"query": [{"name": "k", "value": "a", "valueFrom": {"secretKeyRef": SECRET}}]}
        ),
        QUERY,
        "set exactly one of value and valueFrom",
    ),
    Negative(
        "a query parameter without value",
        tool(request={"query": [{"name": "k"}]}),
        QUERY,
        "set exactly one of value and valueFrom",
    ),
    Negative(
        "a query parameter with two sources",
        tool(
            request={
                "query": [
                    {"name": "k", "valueFrom": {"secretKeyRef": SECRET, "configMapKeyRef": SECRET}}
                ]
            }
        ),
        f"{QUERY}.valueFrom",
        "set exactly one of secretKeyRef and configMapKeyRef",
    ),
    Negative(
        "a query parameter twice",
        tool(request={"query": [{"name": "k", "value": "a"}, {"name": "k", "value": "b"}]}),
        "spec.request.query[1]",
        "Duplicate value",
    ),
    Negative(
        "a query parameter with an equals sign in its name",
        tool(request={"query": [{"name": "k=v", "value": "a"}]}),
        f"{QUERY}.name",
        "use printable ASCII",
    ),
    Negative(
        "a query parameter with a line break",
        tool(request={"query": [{"name": "k", "value": "a\nb"}]}),
        f"{QUERY}.value",
        "write one line, without control characters",
    ),
    Negative(
        "a body with one argument and constants",
        tool(request={"body": {"from": "q", "constants": {"a": 1}}}),
        "spec.request.body",
        "set exactly one of from and constants",
    ),
    Negative(
        "an empty body",
        tool(request={"body": {}}),
        "spec.request.body",
        "set exactly one of from and constants",
    ),
    Negative(
        "constants that are a list",
        tool(request={"body": {"constants": [1]}}),
        "spec.request.body.constants",
        "must be of type object",
    ),
    Negative(
        "a body next to tools",
        tools({"name": "a", "path": "/a"}, request={"body": {"from": "q"}}),
        "spec.tools",
        "with tools, move them into its entries",
    ),
]
