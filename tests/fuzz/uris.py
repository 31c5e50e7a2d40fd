"""URI templates and prompts: matching reverses expanding, and values stay in their place."""

from __future__ import annotations

from urllib.parse import quote, unquote

from fuzz.feed import Feed
from mcp_operator.api.uritemplates import TemplateError, UriTemplate, Variables
from mcp_operator.gateway.prompts import PromptArgumentError, render
from mcp_operator.gateway.protocol.origin import hostname_of
from mcp_operator.gateway.upstream.mapping import MappingError, build_request
from support.entries import argument, backend, prompt

TEMPLATES = (
    "orders://{id}",
    "orders://{id}/items/{item}",
    "files:///{+path}",
    "files://disk/{+path}/raw/{name}.txt",
    "a://{x}-{y}.{z}",
    "a://b{?q,tags*}",
    "a://{id}{?q,tags*}",
)
REVIEW = prompt(
    "Review {{code}} for {{who}}.",
    "{{who}}",
    variables=({"name": "code", "required": True}, {"name": "who", "default": "{{code}}"}),
)
TO = backend("/v1/{id}/x", argument("id", "path"))


def check(data: bytes) -> None:
    """Match a URI, and fill in the variables of a prompt."""
    feed = Feed(data)
    template = feed.pick(TEMPLATES) if feed.byte() % 4 else feed.text()
    uri = feed.text() if feed.byte() % 2 else f"{template.partition('{')[0]}{feed.text()}"
    values = (feed.text(), feed.text())
    _check_template(template, uri.encode(errors="replace").decode())  # as in a JSON text
    _check_prompt(*values)
    name = hostname_of(values[0])
    assert not set("/:@?# \r\n") & set(name) or ":" in name
    try:
        target = build_request(TO, {"id": values[0]}).target
    except MappingError:
        return
    assert target.count("/") == 3
    assert unquote(target.split("/")[2]) == values[0]


def _check_template(template: str, uri: str) -> None:
    try:
        compiled = UriTemplate(template)
    except TemplateError:
        return
    values = compiled.match(uri)
    if values is None:
        return
    assert values.keys() <= compiled.names
    for name, value in values.items():
        for one in value if isinstance(value, list) else [value]:
            one.encode()
            if name not in compiled.query_names:
                _check_value(one, several=f"{{+{name}}}" in template)
    assert compiled.match(_expanded(template, values)) == values


def _check_value(value: str, *, several: bool) -> None:
    """Decode a value repeatedly, and check that it does not lead elsewhere."""
    while value != unquote(value):
        value = unquote(value)
    parts = value.split("/")
    assert several or len(parts) == 1
    assert not {"..", "."} & set(parts)
    assert "\\" not in value


def _expanded(template: str, values: Variables) -> str:
    """Expand a template by RFC 6570, as far as templates are supported."""
    path, _, query = template.partition("{?")
    for name, value in values.items():
        if isinstance(value, str):
            path = path.replace(f"{{{name}}}", quote(value, safe=""))
            path = path.replace(f"{{+{name}}}", quote(value, safe="/:@!$&'()*+,;="))
    pairs = [
        f"{name}={quote(one, safe='')}"
        for name in (each.rstrip("*}") for each in query.split(",") if query)
        for one in _listed(values.get(name, []))
    ]
    return path + ("?" + "&".join(pairs) if pairs else "")


def _listed(value: str | list[str]) -> list[str]:
    return value if isinstance(value, list) else [value]


def _check_prompt(code: str, who: str) -> None:
    """A client's value for one variable is never used for another."""
    try:
        messages = render(REVIEW, {"code": code, "who": who})
    except PromptArgumentError:
        return
    texts = [each.content and each.content["text"] for each in messages]
    assert texts == [f"Review {code} for {who}.", who]
