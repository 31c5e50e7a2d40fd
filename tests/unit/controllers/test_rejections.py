"""The objects that a server does not serve, in its status."""

from __future__ import annotations

from mcp_operator.controllers.confirmed_objects import ObjectRef
from mcp_operator.controllers.rejections import LISTED_REJECTIONS, rejection_fields
from mcp_operator.core.meta import Key

WITHOUT_CONSENT: list[ObjectRef] = [
    ("MCPTool", Key("back", f"tool-{number:03}")) for number in range(LISTED_REJECTIONS + 1)
]


def test_the_rejections_do_not_depend_on_the_order_of_objects() -> None:
    fields = rejection_fields((), WITHOUT_CONSENT, "demo")
    assert rejection_fields((), [*reversed(WITHOUT_CONSENT)], "demo") == fields
    assert len(fields["rejected"]) == LISTED_REJECTIONS
    assert fields["rejectedCount"] == LISTED_REJECTIONS + 1
