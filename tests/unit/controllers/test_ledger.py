"""What the operator remembers of which server's pods have confirmed which member."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mcp_operator.builders.members import Compiled
from mcp_operator.controllers.ledger import Ledger, Member
from mcp_operator.core.meta import Key
from support.entries import tool

SHOP, BAR = Key("demo", "shop"), Key("demo", "bar")


def member(name: str, description: str = "") -> Compiled:
    return Compiled("MCPTool", Key("demo", name), "", (tool(name, description=description),))


ONE, TWO = member("one"), member("two")
CHANGED = member("one", "changed")


@pytest.fixture
def told() -> list[Member]:
    return []


@pytest.fixture
def ledger(told: list[Member]) -> Ledger:
    ledger = Ledger()
    ledger.on_confirmed(told.append)
    return ledger


def test_nothing_is_confirmed_before_a_server_has_settled(ledger: Ledger) -> None:
    assert not ledger.confirms(SHOP, ONE)


def test_a_member_is_confirmed_exactly_as_it_was_settled(ledger: Ledger) -> None:
    ledger.settle(SHOP, [ONE])
    assert ledger.confirms(SHOP, ONE)
    assert ledger.confirms(SHOP, member("one"))
    assert not ledger.confirms(SHOP, CHANGED)
    assert not ledger.confirms(SHOP, replace(ONE, kind="MCPPrompt"))
    assert not ledger.confirms(SHOP, TWO)
    assert not ledger.confirms(BAR, ONE)


def test_only_members_that_differ_from_before_are_told_of(
    ledger: Ledger, told: list[Member]
) -> None:
    ledger.settle(SHOP, [ONE, TWO])
    assert told == [("MCPTool", ONE.key), ("MCPTool", TWO.key)]
    told.clear()
    ledger.settle(SHOP, [CHANGED, TWO])
    assert told == [("MCPTool", ONE.key)]
    told.clear()
    ledger.settle(SHOP, [CHANGED, TWO])
    assert told == []


def test_a_member_that_is_no_longer_served_is_told_of(ledger: Ledger, told: list[Member]) -> None:
    ledger.settle(SHOP, [ONE, TWO])
    told.clear()
    ledger.settle(SHOP, [TWO])
    assert told == [("MCPTool", ONE.key)]
    assert not ledger.confirms(SHOP, ONE)


def test_a_server_that_is_gone_is_forgotten(ledger: Ledger) -> None:
    ledger.settle(SHOP, [ONE])
    ledger.settle(BAR, [ONE])
    ledger.forget(SHOP)
    ledger.forget(SHOP)
    assert not ledger.confirms(SHOP, ONE)
    assert ledger.confirms(BAR, ONE)
