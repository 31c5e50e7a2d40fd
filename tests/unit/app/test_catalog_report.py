"""The output of `mcp-operator catalog`."""

from __future__ import annotations

from typing import Any

from mcp_operator.api.catalog import Catalog
from mcp_operator.app.inspection.report import PodAnswer, report

DIGEST = "a" * 64

CATALOG = Catalog.model_validate(
    {
        "server": {"name": "shop", "namespace": "demo"},
        "tools": [
            {
                "name": "get-order",
                "inputSchema": {"type": "object"},
                "backend": {"host": "orders.demo.svc", "port": 80, "path": "/orders/{id}"},
                "source": {"kind": "MCPTool", "namespace": "demo", "name": "orders"},
            }
        ],
        "prompts": [
            {
                "name": "greet",
                "variables": [{"name": "who"}, {"name": "how"}],
                "messages": [{"role": "user", "text": "Hello"}],
                "source": {"kind": "MCPPrompt", "namespace": "demo", "name": "greet"},
            }
        ],
        "resources": [
            {
                "name": "terms",
                "uri": "docs://terms",
                "text": "…",
                "source": {"kind": "MCPResource", "namespace": "demo", "name": "terms"},
            }
        ],
    }
)


def server(**status: Any) -> dict[str, Any]:
    return {"metadata": {"namespace": "demo", "name": "shop"}, "status": status}


def test_the_report_of_a_ready_server_has_a_table_for_each_kind() -> None:
    ready = {"type": "Ready", "status": "True", "reason": "Ready", "message": "fine"}
    pods = [PodAnswer("mcp-server-shop-0", ready=True, digest=DIGEST)]
    assert list(report(server(conditions=[ready]), DIGEST, CATALOG, pods)) == [
        "MCPServer demo/shop: catalog aaaaaaaaaaaa, served by 1 of 1 pods",
        "",
        "TOOL        OBJECT           REQUEST",
        "get-order   MCPTool/orders   GET http://orders.demo.svc:80/orders/{id}",
        "",
        "PROMPT   OBJECT            VARIABLES",
        "greet    MCPPrompt/greet   who, how",
        "",
        "RESOURCE       OBJECT              CONTENT",
        "docs://terms   MCPResource/terms   in the catalog",
        "",
        "POD                 READY   CATALOG        STATE",
        "mcp-server-shop-0   yes     aaaaaaaaaaaa   serves this catalog",
    ]


def test_problems_are_reported_with_their_reasons() -> None:
    conditions = [
        {"type": "Ready", "status": "False", "reason": "Propagating", "message": "one of two"},
        {"type": "Degraded", "status": "False", "reason": "Healthy", "message": "all is there"},
    ]
    rejected = [
        {"kind": "MCPTool", "namespace": "demo", "name": "bad", "reason": "X", "message": "why"}
    ]
    pods = [
        PodAnswer("shop-0", ready=True, digest="b" * 64),
        PodAnswer("shop-1", ready=False, problem="cannot be asked: 403 Forbidden"),
    ]
    empty = CATALOG.model_copy(update={"tools": (), "prompts": (), "resources": ()})
    given = server(conditions=conditions, rejected=rejected)
    assert list(report(given, DIGEST, empty, pods)) == [
        "MCPServer demo/shop: catalog aaaaaaaaaaaa, served by 0 of 2 pods",
        "Ready=False Propagating: one of two",
        "",
        "REJECTED      REASON   MESSAGE",
        "MCPTool/bad   X        why",
        "",
        "POD      READY   CATALOG        STATE",
        "shop-0   yes     bbbbbbbbbbbb   serves another catalog",
        "shop-1   no      ?              cannot be asked: 403 Forbidden",
    ]


def test_control_characters_in_messages_do_not_reach_the_terminal() -> None:
    condition = {"type": "Ready", "status": "False", "reason": "X", "message": "a\x1b[2Jb\nc"}
    lines = list(report(server(conditions=[condition]), DIGEST, CATALOG, []))
    assert lines[1] == "Ready=False X: a [2Jb c"
