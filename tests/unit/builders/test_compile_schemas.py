"""Tools whose schemas cost too much are not served."""

from __future__ import annotations

import pytest

from mcp_operator.api.conditions import ConditionType
from mcp_operator.api.reasons import Reason
from mcp_operator.builders.compile_tool import compile_tool
from support.compiled import facts, tool


@pytest.mark.parametrize("field", ["inputSchema", "outputSchema"])
def test_a_tool_with_a_schema_that_costs_too_much_is_not_accepted(field: str) -> None:
    schema = {"type": "object", "patternProperties": {r"^\pL{200}$": {}}}
    compiled = compile_tool(tool(**{field: schema}), facts())
    assert compiled.entries == ()
    [finding] = compiled.findings
    assert (finding.condition, finding.reason) == (
        ConditionType.ACCEPTED,
        Reason.SCHEMA_TOO_COMPLEX,
    )
    assert finding.message.startswith(
        f"{field}: #/patternProperties/^\\pL{{200}}$ would take 11 MiB when compiled, and at most "
    )


def test_the_schemas_of_one_object_share_a_limit_on_the_cost_of_patterns() -> None:
    large = {"type": "object", "properties": {"a": {"pattern": r"^\pL{80}$"}}}
    small = {"type": "object", "properties": {"a": {"pattern": "^[a-z]{9}$"}}}
    entries = [{"name": f"large-{n}", "inputSchema": large} for n in range(9)]
    entries += [
        {"name": f"both-{n}", "inputSchema": small, "outputSchema": small} for n in range(9)
    ]
    compiled = compile_tool(tool(tools=entries), facts())

    served = [entry.name for entry in compiled.entries]
    assert served == [f"large-{n}" for n in range(7)] + [f"both-{n}" for n in range(9)]
    assert [(finding.reason, finding.blocking) for finding in compiled.findings] == [
        (Reason.SCHEMA_TOO_COMPLEX, True)
    ] * 2
    assert compiled.findings[0].message == (
        "tools[large-7]: the patterns of this tool and of the tools before it would "
        "take 35.1 MiB when compiled, and at most 32 MiB are allowed: split the tools into "
        "several objects"
    )
