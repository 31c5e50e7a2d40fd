"""The status of a tool, prompt or resource, decided from observed facts."""

from __future__ import annotations

from typing import Any, Final

import pytest

from mcp_operator.api.conditions import MESSAGE_LIMIT, Condition, ConditionType
from mcp_operator.api.reasons import Reason
from mcp_operator.api.v1alpha1.common import ChildStatus
from mcp_operator.builders.compiled import Compiled, Finding
from mcp_operator.controllers.catalog_object_status import (
    LISTED_SERVERS,
    SelectingServer,
    object_conditions,
    server_entries,
)
from mcp_operator.core.meta import Key
from support.documented_reasons import declared
from support.entries import tool

ACCEPTED: Final = ConditionType.ACCEPTED
RESOLVED: Final = ConditionType.RESOLVED_REFS
PROGRAMMED: Final = ConditionType.PROGRAMMED
READY: Final = ConditionType.READY

INVALID = Finding(ACCEPTED, Reason.INVALID_SCHEMA, "the schema is wrong")
MISSING = Finding(RESOLVED, Reason.SERVICE_NOT_FOUND, "no such Service")
LOST = Finding(ACCEPTED, Reason.DUPLICATE_NAME, "taken by another")
IGNORED = Finding(ACCEPTED, Reason.INGRESS_PATH_IGNORED, "no effect", blocking=False)
DISABLED = Finding(ACCEPTED, Reason.DISABLED, "enabled is false", blocking=False)


def compiled(*findings: Finding) -> Compiled:
    entries = () if findings else (tool(),)
    return Compiled("MCPTool", Key("demo", "example"), "", entries, findings)


def by(
    name: str = "shop", *, lost: tuple[Finding, ...] = (), programmed: bool = True
) -> SelectingServer:
    return SelectingServer(Key("demo", name), lost, programmed)


def decided(one: Compiled, *servers: SelectingServer) -> dict[ConditionType, Condition]:
    conditions = declared(object_conditions(one, servers))
    assert list(conditions) == [ACCEPTED, RESOLVED, PROGRAMMED, READY]
    return conditions


def test_an_object_without_findings_whose_servers_are_programmed_is_ready() -> None:
    conditions = decided(compiled(), by("shop"), by("bar"))
    assert all(condition.status for condition in conditions.values())
    assert conditions[READY].reason is Reason.READY


def test_an_object_of_a_server_that_does_not_report_is_ready_and_programmed_unknown() -> None:
    silent = SelectingServer(Key("demo", "own"), (), programmed=True, unreported=True)
    conditions = decided(compiled(), by("shop"), silent)
    assert conditions[PROGRAMMED].status is None
    assert conditions[PROGRAMMED].message == (
        "the pods of demo/own do not report whether they serve it"
    )
    assert conditions[READY].status
    assert conditions[READY].reason is Reason.NOT_REPORTED


def test_a_server_that_is_not_programmed_takes_precedence_over_one_that_does_not_report() -> None:
    silent = SelectingServer(Key("demo", "own"), (), programmed=True, unreported=True)
    conditions = decided(compiled(), by("shop", programmed=False), silent)
    assert conditions[PROGRAMMED].reason is Reason.SERVER_NOT_PROGRAMMED
    assert conditions[READY].status is False


def test_the_message_for_an_object_that_is_not_selected_names_its_labels() -> None:
    conditions = decided(compiled())
    assert conditions[ACCEPTED].status
    assert not conditions[PROGRAMMED].status
    assert conditions[READY].reason is Reason.NOT_SELECTED
    assert "compare its labels" in conditions[READY].message


@pytest.mark.parametrize(
    ("finding", "cause"), [(INVALID, ACCEPTED), (MISSING, RESOLVED)], ids=["invalid", "missing"]
)
def test_a_finding_is_reported_in_its_condition_and_in_ready(
    finding: Finding, cause: ConditionType
) -> None:
    conditions = decided(compiled(finding), by())
    for type_ in (cause, READY):
        assert conditions[type_].reason is finding.reason
        assert conditions[type_].message == finding.message
        assert not conditions[type_].status
    assert conditions[PROGRAMMED].reason is Reason.NOT_ACCEPTED


def test_several_findings_are_each_reported_once() -> None:
    second = Finding(ACCEPTED, Reason.UNDECLARED_ARGUMENT, "and another")
    conditions = decided(compiled(INVALID, second, INVALID, MISSING), by())
    assert conditions[ACCEPTED].reason is Reason.INVALID_SCHEMA
    assert conditions[ACCEPTED].message == "the schema is wrong; and another"
    assert conditions[RESOLVED].message == "no such Service"
    assert conditions[READY].reason is Reason.INVALID_SCHEMA


def test_an_object_that_lost_a_name_in_one_server_is_not_accepted() -> None:
    conditions = decided(compiled(), by("shop"), by("bar", lost=(LOST,)))
    assert conditions[ACCEPTED].reason is Reason.DUPLICATE_NAME
    assert conditions[READY].message == "taken by another"


def test_a_finding_of_the_object_takes_precedence_over_a_lost_name() -> None:
    conditions = decided(compiled(INVALID), by(lost=(LOST,)))
    assert conditions[ACCEPTED].message == "the schema is wrong"


def test_an_object_is_programmed_when_all_its_servers_are() -> None:
    conditions = decided(compiled(), by("a", programmed=False), by("b"), by("c", programmed=False))
    assert conditions[PROGRAMMED].reason is Reason.SERVER_NOT_PROGRAMMED
    assert conditions[PROGRAMMED].message == "not yet served by demo/a, demo/c"
    assert conditions[READY].reason is Reason.SERVER_NOT_PROGRAMMED


def test_a_remark_is_reported_and_the_object_is_ready() -> None:
    one = Compiled("MCPTool", Key("demo", "x"), "", (tool(),), (IGNORED,))
    conditions = decided(one, by())
    assert conditions[ACCEPTED].status
    assert conditions[ACCEPTED].reason is Reason.INGRESS_PATH_IGNORED
    assert conditions[ACCEPTED].message == "no effect"
    assert conditions[READY].status


@pytest.mark.parametrize("servers", [(), (by(),), (by(programmed=False),)])
def test_a_disabled_object_is_accepted_and_not_programmed(servers: Any) -> None:
    conditions = decided(compiled(DISABLED), *servers)
    assert conditions[ACCEPTED].status
    assert not conditions[PROGRAMMED].status
    assert conditions[READY].status  # it is as its spec says: nothing more will happen
    for type_ in (PROGRAMMED, READY):
        assert conditions[type_].reason is Reason.DISABLED


def test_an_object_of_a_server_scaled_to_zero_is_ready() -> None:
    resting = SelectingServer(Key("demo", "shop"), (), programmed=False, scaled_to_zero=True)
    conditions = decided(compiled(), resting, by("bar"))
    assert not conditions[PROGRAMMED].status
    assert conditions[READY].status
    for type_ in (PROGRAMMED, READY):
        assert conditions[type_].reason is Reason.SCALED_TO_ZERO
    late = decided(compiled(), resting, by("bar", programmed=False))
    assert late[READY].reason is Reason.SERVER_NOT_PROGRAMMED
    assert not late[READY].status


def test_the_status_has_an_entry_for_each_selecting_server() -> None:
    assert server_entries(compiled(), [by("a"), by("b", lost=(LOST,))]) == [
        {"namespace": "demo", "name": "a", "accepted": True},
        {
            "namespace": "demo",
            "name": "b",
            "accepted": False,
            "reason": "DuplicateName",
            "message": "taken by another",
        },
    ]


def test_a_finding_of_the_object_is_reported_for_every_server() -> None:
    servers = server_entries(compiled(MISSING), [by("a"), by("b", lost=(LOST,))])
    assert [server["reason"] for server in servers] == ["ServiceNotFound"] * 2


def test_an_object_with_a_remark_is_accepted_by_its_server() -> None:
    assert server_entries(compiled(IGNORED), [by()])[0]["accepted"]


def test_the_size_of_a_status_is_limited_with_many_findings_and_servers() -> None:
    many = [
        Finding(ACCEPTED, Reason.INVALID_SCHEMA, f"tools[{n}]: {'x' * 500}") for n in range(128)
    ]
    servers = server_entries(compiled(*many), [by(f"server-{n}") for n in range(150)])
    assert len(servers) == LISTED_SERVERS
    assert max(len(server["message"]) for server in servers) == MESSAGE_LIMIT
    ChildStatus.model_validate({"servers": servers})
