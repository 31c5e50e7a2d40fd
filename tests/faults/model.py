"""A model of what users declared in one namespace and of the state that must result.

It follows docs/reference/api.md and docs/reference/conditions.md, not the code, and does not use a
cluster: the walks record there what the user does, and it returns the expected end state.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

CatalogKind = Literal["MCPTool", "MCPPrompt", "MCPResource"]
Policy = Literal["OldestWins", "RejectAll"]

EVERYBODY = "everybody"
"""The team of a selector that selects every object."""

CHILDREN = frozenset(
    {"ConfigMap", "Deployment", "Role", "RoleBinding", "Service", "ServiceAccount"}
)
"""The children that every server has."""


class Identity(NamedTuple):
    """The kind and the name of a custom resource, such as `MCPTool a`."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


class Selection(NamedTuple):
    """The teams whose tools, prompts and resources a server selects; None omits a selector."""

    tools: str
    prompts: str | None = None
    resources: str | None = None

    def of(self, kind: str) -> str:
        """Return the team of a kind; by default, that of the tools."""
        own = {"MCPPrompt": self.prompts, "MCPResource": self.resources}.get(kind)
        return self.tools if own is None else own


@dataclass
class Server:
    """An MCPServer."""

    selection: Selection
    policy: Policy = "OldestWins"
    exposed: bool = False


class Content(NamedTuple):
    """The content of the spec of a catalog object.

    Attributes:
        entry: The name for clients, which is unique per server and kind.
        text: The description of a tool or prompt, or the text of a resource.
        source: The Service of a tool, or the ConfigMap with the text of a resource. A prompt has
            none, and for a resource it is optional.
    """

    entry: str
    text: str
    source: str | None


@dataclass
class CatalogObject:
    """An MCPTool, MCPPrompt or MCPResource."""

    created: str
    team: str
    content: Content
    enabled: bool = True


@dataclass
class Model:
    """Everything that users have declared."""

    servers: dict[str, Server] = field(default_factory=dict)
    objects: dict[Identity, CatalogObject] = field(default_factory=dict)
    services: set[str] = field(default_factory=set)
    config_maps: dict[str, str] = field(default_factory=dict)

    def expected(self) -> dict[str, object]:
        """Return the expected state of each object."""
        servers = {f"MCPServer {name}": self._of_server(name) for name in self.servers}
        return servers | {str(identity): self._of_object(identity) for identity in self.objects}

    def served(self, server: str) -> dict[str, str]:
        """Return the texts that a server serves, by the names of its entries."""
        return {
            entry_name(identity.kind, self.objects[identity].content.entry): self._text(identity)
            for identity in self._selected(server)
            if self._is_valid(identity) and not self._is_rejected(identity, server)
        }

    def _selected(self, server: str) -> list[Identity]:
        selection = self.servers[server].selection
        return [
            identity
            for identity, obj in self.objects.items()
            if selection.of(identity.kind) in {obj.team, EVERYBODY}
        ]

    def _is_valid(self, identity: Identity) -> bool:
        return self.objects[identity].enabled and not self._missing(identity)

    def _missing(self, identity: Identity) -> str:
        """Return the reason why a reference of the object cannot be resolved; empty if it can."""
        obj = self.objects[identity]
        source = obj.content.source
        if source is None or not obj.enabled:
            return ""
        if identity.kind == "MCPTool":
            return "" if source in self.services else "ServiceNotFound"
        return "" if source in self.config_maps else "ConfigMapNotFound"

    def _is_rejected(self, identity: Identity, server: str) -> bool:
        """Return whether another object, or none, gets the name of the entry in a server."""
        claimed: dict[tuple[str, str], list[Identity]] = defaultdict(list)
        for each in filter(self._is_valid, self._selected(server)):
            claimed[each.kind, self.objects[each].content.entry].append(each)
        claimants = claimed[identity.kind, self.objects[identity].content.entry]
        if identity not in claimants or len(claimants) == 1:
            return False
        oldest = min(claimants, key=lambda each: (self.objects[each].created, each.name))
        return self.servers[server].policy == "RejectAll" or identity != oldest

    def _text(self, identity: Identity) -> str:
        content = self.objects[identity].content
        from_map = identity.kind == "MCPResource" and content.source is not None
        return self.config_maps[content.source or ""] if from_map else content.text

    def _of_server(self, name: str) -> object:
        server = self.servers[name]
        selected = self._selected(name)
        served = self.served(name)
        unresolved = [each for each in selected if self._missing(each)]
        rejected = [each for each in selected if self._is_rejected(each, name)]
        counts = [sum(is_of(kind, entry) for entry in served) for kind in PREFIXES]
        return {
            "serves": served,
            "counts": counts,
            "rejected": sorted(map(str, (*unresolved, *rejected))),
            "children": sorted(CHILDREN | ({"Ingress"} if server.exposed else set())),
            "reasons": {
                "Accepted": "Accepted",
                "ResolvedRefs": "ObjectsUnresolved" if unresolved else "ResolvedRefs",
                "Programmed": "Programmed",
                "Ready": "NothingServed" if not served and (unresolved or rejected) else "Ready",
                "Degraded": "ObjectsRejected" if unresolved or rejected else "Healthy",
            },
        }

    def _of_object(self, identity: Identity) -> object:
        obj = self.objects[identity]
        servers = [name for name in sorted(self.servers) if identity in self._selected(name)]
        rejected = {name for name in servers if self._is_rejected(identity, name)}
        missing = self._missing(identity)
        accepted = "DuplicateName" if rejected else "Accepted" if obj.enabled else "Disabled"
        if not servers:
            programmed = "NotSelected"
        else:
            programmed = "NotAccepted" if rejected or missing else "Programmed"
        if not obj.enabled:
            programmed = "Disabled"
        served = programmed == "Programmed"
        reason = [accepted] if rejected else [missing] if missing else [programmed]
        return {
            "servers": {name: name not in rejected and not missing for name in servers},
            "count": len(servers),
            "reasons": {
                "Accepted": accepted,
                "ResolvedRefs": missing or "ResolvedRefs",
                "Programmed": programmed,
                "Ready": "Ready" if served else reason[0],
            },
        }


PREFIXES = {"MCPTool": "tool-", "MCPPrompt": "prompt-", "MCPResource": "resource-"}


def entry_name(kind: str, entry: str) -> str:
    """Return the name under which an entry is served, which differs by kind."""
    return PREFIXES[kind] + entry


def is_of(kind: str, name: str) -> bool:
    """Return whether a name is the name of an entry of a kind."""
    return name.startswith(PREFIXES[kind])
