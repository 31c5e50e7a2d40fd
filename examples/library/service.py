"""A small HTTP API to try mcp-operator with: the books of a library. It needs nothing but Python.

python3 examples/library/service.py         # http://127.0.0.1:9000, only for this machine
python3 service.py --host 0.0.0.0           # in a container
"""

from __future__ import annotations

import argparse
import json
import re
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

BOOKS: dict[int, dict[str, Any]] = {
    1: {"id": 1, "title": "The Left Hand of Darkness", "author": "Ursula K. Le Guin"},
    2: {"id": 2, "title": "A Wizard of Earthsea", "author": "Ursula K. Le Guin"},
    3: {"id": 3, "title": "Solaris", "author": "Stanislaw Lem"},
    4: {"id": 4, "title": "Kindred", "author": "Octavia E. Butler"},
}
LOANS: dict[int, str] = {}
"""Who has borrowed which book. It is lost when the process ends."""

OPENAPI = Path(__file__).with_name("openapi.json")


class Library(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        url = urlsplit(self.path)
        book = re.fullmatch(r"/books/(\d+)", url.path)
        if url.path == "/books":
            self.search(parse_qs(url.query))
        elif book and int(book[1]) in BOOKS:
            self.answer(200, described(int(book[1])))
        elif url.path == "/rules":
            self.send("text/plain; charset=utf-8", "Borrow at most three books at a time.\n")
        elif url.path == "/openapi.json":
            self.send("application/json", OPENAPI.read_text(encoding="utf-8"))
        elif url.path == "/healthz":
            self.send("text/plain; charset=utf-8", "ok\n")
        else:
            self.answer(404, {"error": "There is no such book. Search for its id first."})

    def search(self, query: dict[str, list[str]]) -> None:
        text = query.get("text", [""])[0].lower()
        found = [
            described(number)
            for number, book in BOOKS.items()
            if text in f"{book['title']} {book['author']}".lower()
        ]
        self.answer(200, {"books": found})

    def do_POST(self) -> None:
        loan = re.fullmatch(r"/books/(\d+)/loan", self.path)
        if loan is None or int(loan[1]) not in BOOKS:
            self.answer(404, {"error": "There is no such book. Search for its id first."})
            return
        number = int(loan[1])
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"] or 0)) or b"{}")
        if number in LOANS:
            self.answer(409, {"error": f"{LOANS[number]} has borrowed this book."})
            return
        LOANS[number] = body["member"]
        self.answer(201, described(number))

    def answer(self, status: int, content: object) -> None:
        self.send("application/json", json.dumps(content), status)

    def send(self, content_type: str, text: str, status: int = 200) -> None:
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def described(number: int) -> dict[str, Any]:
    return {**BOOKS[number], "available": number not in LOANS}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9000)
    given = parser.parse_args()
    with ThreadingHTTPServer((given.host, given.port), Library) as server:
        print(f"listening on port {server.server_address[1]}", flush=True)
        with suppress(KeyboardInterrupt):
            server.serve_forever()


if __name__ == "__main__":
    main()
