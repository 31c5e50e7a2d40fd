"""A random user of the four kinds, and a model that knows what each server has to serve."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from support.shop import Shop

TEAMS = ("red", "blue", "nobody")
SERVERS = ("red", "blue")
SERVICES = ("orders", "stock")
MEMBERS = ("a", "b", "c")
"""Few names, so that objects are made anew under names that were there before."""


@dataclass
class Member:
    """A tool, prompt or resource, as far as it matters to who serves it."""

    team: str
    text: str
    service: str = ""
    enabled: bool = True


@dataclass
class Model:
    """What the user has declared; the oracle of a walk."""

    servers: dict[str, str] = field(default_factory=dict)
    services: set[str] = field(default_factory=set)
    members: dict[tuple[str, str], Member] = field(default_factory=dict)

    def served(self, server: str) -> dict[str, str] | None:
        """Return what a server has to serve: names and texts; None if there is no such server."""
        if server not in self.servers:
            return None
        return {
            entry_name(kind, name): member.text
            for (kind, name), member in self.members.items()
            if member.team == self.servers[server]
            and member.enabled
            and (kind != "MCPTool" or member.service in self.services)
        }


def entry_name(kind: str, name: str) -> str:
    """Return the name under which a member is served, different for each kind."""
    return f"{kind.removeprefix('MCP').lower()}-{name}"


class Walker:
    """Takes random steps, each on the API server and on the model."""

    def __init__(self, shop: Shop, seed: int) -> None:
        self.model = Model()
        self.steps: list[str] = []
        self._shop = shop
        self._chance = random.Random(seed)  # noqa: S311 - a walk that fails has to fail again
        self._texts = 0

    async def step(self) -> None:
        """Do one thing that is possible now."""
        doings: list[Callable[[], Awaitable[None]]] = [
            *([self._toggle_server] * 2),
            *([self._toggle_service] * 2),
            *([self._toggle_member] * 5),
        ]
        if self.model.servers:
            doings.append(self._select)
        if self.model.members:
            doings += [self._edit, self._relabel, self._relabel, self._recreate, self._able]
        await self._chance.choice(doings)()

    def _say(self, *words: str) -> None:
        self.steps.append(" ".join(words))

    def _pick(self) -> tuple[str, str]:
        return self._chance.choice(sorted(self.model.members))

    async def _toggle_server(self) -> None:
        name = self._chance.choice(SERVERS)
        if name in self.model.servers:
            self._say("delete server", name)
            del self.model.servers[name]
            await self._shop.delete("MCPServer", name)
        else:
            team = self._chance.choice(TEAMS)
            self._say("create server", name, "for", team)
            self.model.servers[name] = team
            await self._shop.server(name, team)

    async def _select(self) -> None:
        name, team = self._chance.choice(sorted(self.model.servers)), self._chance.choice(TEAMS)
        self._say("let server", name, "select", team)
        self.model.servers[name] = team
        selector = {"matchLabels": {"team": team}}
        await self._shop.patch("MCPServer", name, spec={"toolSelector": selector})

    async def _toggle_service(self) -> None:
        name = self._chance.choice(SERVICES)
        if name in self.model.services:
            self._say("delete Service", name)
            self.model.services.remove(name)
            await self._shop.delete("Service", name)
        else:
            self._say("create Service", name)
            self.model.services.add(name)
            await self._shop.service(name)

    async def _toggle_member(self) -> None:
        kind = self._chance.choice(("MCPTool", "MCPTool", "MCPPrompt", "MCPResource"))
        identity = (kind, self._chance.choice(MEMBERS))
        if identity in self.model.members:
            await self._remove(identity)
        else:
            await self._make(identity)

    async def _recreate(self) -> None:
        identity = self._pick()
        await self._remove(identity)
        await self._make(identity)

    async def _remove(self, identity: tuple[str, str]) -> None:
        self._say("delete", *identity)
        del self.model.members[identity]
        await self._shop.delete(*identity)

    async def _make(self, identity: tuple[str, str]) -> None:
        kind, name = identity
        self._texts += 1
        member = Member(self._chance.choice(TEAMS), f"text {self._texts}")
        member.service = self._chance.choice(SERVICES)
        self.model.members[identity] = member
        self._say("create", kind, name, "for", member.team, "at", member.service)
        spec = self._content(identity, member)
        await self._shop.create(kind, name, labels={"team": member.team}, spec=spec)

    async def _edit(self) -> None:
        identity = self._pick()
        self._texts += 1
        member = self.model.members[identity]
        member.text = f"text {self._texts}"
        self._say("edit", *identity)
        await self._shop.patch(*identity, spec=self._content(identity, member))

    async def _relabel(self) -> None:
        identity = self._pick()
        member = self.model.members[identity]
        member.team = self._chance.choice(TEAMS)
        self._say("relabel", *identity, "for", member.team)
        await self._shop.label(*identity, member.team)

    async def _able(self) -> None:
        identity = self._pick()
        member = self.model.members[identity]
        member.enabled = not member.enabled
        self._say("enable" if member.enabled else "disable", *identity)
        await self._shop.patch(*identity, spec={"enabled": member.enabled})

    def _content(self, identity: tuple[str, str], member: Member) -> dict[str, object]:
        kind, name = identity
        entry = entry_name(kind, name)
        if kind == "MCPTool":
            service = {"name": member.service, "port": 80, "path": f"/{name}"}
            return {"name": entry, "description": member.text, "service": service}
        if kind == "MCPPrompt":
            return {"name": entry, "description": member.text, "template": "Hello"}
        return {"name": entry, "content": {"uri": f"shop://{name}", "text": member.text}}
