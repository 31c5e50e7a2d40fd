"""Two tenants in one namespace, to test that a change of one does not affect the other."""

from __future__ import annotations

from faults.stability import Served
from support.shop import Shop

TENANTS = ("red", "blue")


def everything(team: str) -> dict[str, str]:
    return {f"{team}-tool": "first", f"{team}-prompt": "", f"{team}-resource": "first"}


def without(name: str) -> dict[str, str]:
    return {key: value for key, value in everything("red").items() if key != name}


ALL: dict[str, Served] = {team: everything(team) for team in TENANTS}


async def create_tenants(shop: Shop) -> None:
    """Create two servers, each with a Service of its own and one object of each kind."""
    for team in TENANTS:
        await shop.service(f"{team}-orders")
        await shop.server(team)
        service = {"name": f"{team}-orders", "port": 80, "path": "/"}
        await shop.tool(f"{team}-tool", team, service=service)
        await shop.prompt(f"{team}-prompt", team)
        await shop.resource(f"{team}-resource", team)
