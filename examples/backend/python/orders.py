"""A backend that answers in MCP's own terms; needs nothing but Python.

python orders.py 8080
"""

from __future__ import annotations

import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ORDERS = ["o-1", "o-2", "o-3"]


class Orders(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        if self.path == "/export":
            self.export()
        elif self.path == "/cancel":
            self.cancel(json.loads(body)["id"])
        else:
            self.send_error(404)

    def export(self) -> None:
        """Tell how far it is, then give the result; HTTP/1.0 ends the stream by closing it."""
        self.begin("text/event-stream")
        for done, order in enumerate(ORDERS):
            self.event("progress", {"progress": done, "total": len(ORDERS), "message": order})
            self.event("log", {"level": "info", "logger": "export", "data": f"reading {order}"})
            time.sleep(0.1)
        content = [
            {"type": "text", "text": f"{len(ORDERS)} orders are exported."},
            {"type": "resource_link", "uri": "orders://export.csv", "name": "export.csv"},
        ]
        structured = {"exported": len(ORDERS)}
        self.event("result", {"content": content, "structuredContent": structured})

    def cancel(self, order: str) -> None:
        """Ask first. The state says what was asked; it comes back as it was given."""
        if "elicitation" not in json.loads(self.headers["Mcp-Client-Capabilities"]):
            told = text("Your client cannot ask you to confirm this.")
            self.result({"content": told, "isError": True})
            return
        answers = json.loads(self.headers["Mcp-Input-Responses"] or "{}")
        state = f"cancel {order}"
        if self.headers["Mcp-Request-State"] != state or "sure" not in answers:
            ask = {
                "message": f"Cancel order {order}?",
                "requestedSchema": {"type": "object", "properties": {"sure": {"type": "boolean"}}},
            }
            self.result(
                {
                    "resultType": "input_required",
                    "inputRequests": {"sure": {"method": "elicitation/create", "params": ask}},
                    "requestState": state,
                }
            )
            return
        answer = answers["sure"]
        if answer["action"] == "accept" and answer["content"].get("sure") is True:
            self.result({"content": text(f"Order {order} is cancelled.")})
        else:
            self.result({"content": text("Nothing was cancelled.")})

    def begin(self, media_type: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", media_type)
        self.end_headers()

    def event(self, name: str, data: dict[str, Any]) -> None:
        self.wfile.write(f"event: {name}\ndata: {json.dumps(data)}\n\n".encode())

    def result(self, body: dict[str, Any]) -> None:
        self.begin("application/vnd.mcp.result+json")
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def text(told: str) -> list[dict[str, Any]]:
    return [{"type": "text", "text": told}]


if __name__ == "__main__":
    server = ThreadingHTTPServer(("", int(sys.argv[1])), Orders)
    print(f"listening on port {server.server_port}", flush=True)
    server.serve_forever()
