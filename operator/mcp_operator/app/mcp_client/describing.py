"""Formats what a server offers, as a list or one entry. All functions take JSON from the wire."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from mcp_operator.app.inspection.tables import printable, table
from mcp_operator.app.mcp_client.schema_text import HEADER, fields
from mcp_operator.app.mcp_client.text import lines

Json = Mapping[str, Any]

WIDEST: Final = 72
"""Characters of a description in a list."""


@dataclass(frozen=True)
class Offer:
    """All that a server offers.

    Attributes:
        server: Its `serverInfo`, `protocolVersion`, `capabilities` and `instructions`.
        entries: The entries of each list, by its name on the wire, such as `resourceTemplates`.
    """

    server: Json
    entries: Mapping[str, Sequence[Json]]

    def as_json(self) -> dict[str, Any]:
        """Return everything, for `--output json`."""
        return {**self.server, **self.entries}


KINDS: Final = {
    "tools": "Tool",
    "prompts": "Prompt",
    "resources": "Resource",
    "resourceTemplates": "Template",
}
"""The lists of a server, each with the label of an entry."""


def listed(offer: Offer) -> Iterator[str]:
    """Yield the lines of a list of everything."""
    info = offer.server.get("serverInfo") or {}
    name = f"{info.get('name', 'A server without a name')} {info.get('version', '')}".strip()
    yield printable(f"{name} speaks MCP {offer.server['protocolVersion']}")
    if offer.server.get("instructions"):
        yield from lines(str(offer.server["instructions"]))
    for kind, header, row in (
        ("tools", ("TOOL", "HINTS", "DESCRIPTION"), _tool),
        ("prompts", ("PROMPT", "ARGUMENTS", "DESCRIPTION"), _prompt),
        ("resources", ("RESOURCE", "NAME", "TYPE", "DESCRIPTION"), _resource),
        ("resourceTemplates", ("TEMPLATE", "NAME", "TYPE", "DESCRIPTION"), _resource),
    ):
        entries = offer.entries.get(kind) or ()
        if entries:
            yield ""
            yield from table(header, [row(entry) for entry in entries])
    if not any(offer.entries.values()):
        yield "It offers no tools, prompts or resources."


def found(offer: Offer, name: str) -> list[tuple[str, Json]]:
    """Return the entries with a name or a URI, each with its list's name on the wire."""
    return [
        (kind, entry)
        for kind, entries in offer.entries.items()
        for entry in entries
        if name in (entry.get("name"), entry.get("uri"), entry.get("uriTemplate"))
    ]


def described(kind: str, entry: Json) -> Iterator[str]:
    """Yield the lines about one entry.

    Args:
        kind: The name of its list on the wire.
        entry: The entry.
    """
    title = entry.get("title") or (entry.get("annotations") or {}).get("title")
    facts = {
        KINDS[kind]: entry.get("name"),
        "Title": title,
        "URI": entry.get("uri") or entry.get("uriTemplate"),
        "Type": entry.get("mimeType"),
        "Size": f"{entry['size']} bytes" if "size" in entry else None,
        "Hints": ", ".join(hints(entry)) if kind == "tools" else None,
        "Tasks": (entry.get("execution") or {}).get("taskSupport"),
        "Icons": ", ".join(map(_icon, entry.get("icons") or ())),
        "Audience": ", ".join((entry.get("annotations") or {}).get("audience") or ()),
    }
    width = max(len(label) for label, value in facts.items() if value) + 2
    for label, value in facts.items():
        if value:
            yield printable(f"{label + ':':{width}}{value}")
    if entry.get("description"):
        yield "Description:"
        yield from lines(str(entry["description"]), "  ")
    for label, field in (("Input", "inputSchema"), ("Output", "outputSchema")):
        if field in entry:
            yield from _schema(label, entry[field])
    if entry.get("arguments"):
        yield "Arguments:"
        rows = [
            (each.get("name", ""), "yes" if each.get("required") else "no", _text(each))
            for each in entry["arguments"]
        ]
        yield from (f"  {line}" for line in table(("NAME", "REQUIRED", "DESCRIPTION"), rows))


def hints(tool: Json) -> list[str]:
    """Describe the effects of a tool, according to its annotations."""
    given = tool.get("annotations") or {}
    if given.get("readOnlyHint"):
        effects = ["read-only"]
    else:
        names: dict[Any, str] = {True: "destructive", False: "not destructive"}
        effects = [names.get(given.get("destructiveHint"), "may be destructive")]
        effects += ["idempotent"] if given.get("idempotentHint") else []
    return effects + (["closed world"] if given.get("openWorldHint") is False else [])


def is_destructive(tool: Json) -> bool:
    """Tell whether a tool can change or delete something. It can, unless its server denies it."""
    given = tool.get("annotations") or {}
    return not given.get("readOnlyHint") and given.get("destructiveHint") is not False


def _schema(label: str, schema: Json) -> Iterator[str]:
    rows = fields(schema)
    if not rows:
        kind = schema.get("type", "any")
        yield f"{label}: {'nothing' if kind == 'object' and label == 'Input' else kind}"
        return
    yield f"{label}:"
    yield from (f"  {line}" for line in table(HEADER, rows))
    more = [word for word in ("allOf", "anyOf", "oneOf", "if", "not") if word in schema]
    if more:
        yield f"  More rules: {', '.join(more)}. Use --output json to see them."


def _tool(tool: Json) -> tuple[str, ...]:
    return (str(tool.get("name")), ", ".join(hints(tool)), _text(tool))


def _prompt(prompt: Json) -> tuple[str, ...]:
    arguments = prompt.get("arguments") or ()
    names = (f"{one['name']}{'' if one.get('required') else '?'}" for one in arguments)
    return (str(prompt.get("name")), ", ".join(names), _text(prompt))


def _resource(entry: Json) -> tuple[str, ...]:
    uri = str(entry.get("uri") or entry.get("uriTemplate"))
    return (uri, str(entry.get("name")), str(entry.get("mimeType", "")), _text(entry))


def _text(entry: Json) -> str:
    told = " ".join(str(entry.get("description") or entry.get("title") or "").split())
    return told if len(told) <= WIDEST else f"{told[: WIDEST - 1].rstrip()}…"


def _icon(icon: Json) -> str:
    source = str(icon.get("src", ""))
    if source.startswith("data:"):
        source = f"{source.partition(',')[0]},…"
    notes = [icon.get("mimeType"), *(icon.get("sizes") or ()), icon.get("theme")]
    noted = ", ".join(str(each) for each in notes if each)
    return f"{source} ({noted})" if noted else source
