"""The cache of views of a table for clients that rules allow different entries."""

from __future__ import annotations

from mcp_operator.api.access import AccessRule
from mcp_operator.gateway.policy.principal import Principal
from mcp_operator.gateway.protocol.spec import Era
from mcp_operator.gateway.protocol.view import MAX_NARROWED, View, Views
from support.entries import tool
from support.identity import API_KEYS
from support.mcp_http import table


def rule_of(user: str, *tools: str) -> AccessRule:
    return AccessRule(tools=tools, principals=(user,))


class Teams:
    """Views of teams. A rule for each team allows one tool."""

    def __init__(self, teams: int, description: str = "") -> None:
        self.views = Views()
        auth = API_KEYS.model_copy(
            update={"rules": tuple(rule_of(f"team-{n}", f"tool-{n}") for n in range(teams))}
        )
        tools = (tool(f"tool-{n}", description=description) for n in range(teams))
        self.table = table(*tools, auth=auth)

    def of(self, number: int, era: Era = Era.MODERN) -> View:
        view = self.views.of(self.table, era, Principal(f"team-{number}"))
        assert list(view.table.tools) == [f"tool-{number}"]
        return view


def test_the_views_of_a_hundred_teams_are_cached() -> None:
    teams = Teams(100)
    first = [teams.of(number, era) for era in Era for number in range(100)]
    again = [teams.of(number, era) for era in Era for number in range(100)]

    assert list(map(id, again)) == list(map(id, first))


def test_the_least_recently_used_view_is_evicted() -> None:
    teams = Teams(6, description="x" * (MAX_NARROWED // 4))
    views = [teams.of(number) for number in range(3)]
    teams.of(0)
    teams.of(3)

    assert teams.of(0) is views[0]
    assert teams.of(2) is views[2]
    assert teams.of(1) is not views[1]


def test_a_view_as_large_as_the_cache_is_kept_until_another_is_requested() -> None:
    teams = Teams(2, description="x" * MAX_NARROWED)
    view = teams.of(0)

    assert teams.of(0) is view
    teams.of(1)
    assert teams.of(0) is not view
