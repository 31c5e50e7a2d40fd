"""What a walk's user writes into the spec of an object."""

from __future__ import annotations

from faults.model import EVERYBODY, Content, Identity, Selection, entry_name


def selectors(selection: Selection) -> dict[str, object]:
    """Return the selectors of a server; one that is None is left out, or removed by a patch."""
    return {
        f"{what}Selector": None if team is None else selector(team)
        for what, team in zip(("tool", "prompt", "resource"), selection, strict=True)
    }


def selector(team: str) -> dict[str, object]:
    """Return a selector of a team."""
    return {"matchLabels": None if team == EVERYBODY else {"team": team}}


def spec_of(identity: Identity, content: Content) -> dict[str, object]:
    """Return the spec of a catalog object; as a merge patch it removes what was there before."""
    spec: dict[str, object] = {"name": entry_name(identity.kind, content.entry)}
    if identity.kind == "MCPTool":
        service = {"name": content.source, "port": 80, "path": f"/{content.entry}"}
        return spec | {"description": content.text, "service": service}
    if identity.kind == "MCPPrompt":
        return spec | {"description": content.text, "template": "Hello"}
    uri = f"shop://{content.entry}"
    if content.source is None:
        return spec | {"content": {"uri": uri, "text": content.text}, "contentFrom": None}
    reference = {"name": content.source, "key": "text"}
    return spec | {"content": None, "contentFrom": {"uri": uri, "configMapKeyRef": reference}}
