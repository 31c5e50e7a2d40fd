"""The tool and the service of the quickstart return what the page shows."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from mcp import Client

from support.network import free_port
from support.processes import ProcessGroup
from support.served_samples import MODULE, reachable
from support.waiting import hang_guard

ROOT = Path(__file__).parents[2]

SERVICE = ROOT / "examples" / "library" / "service.py"

QUICKSTART = (ROOT / "docs" / "quickstart.md").read_text(encoding="utf-8")


async def test_the_tool_of_the_quickstart_returns_books_of_its_service(
    processes: ProcessGroup, tmp_path: Path
) -> None:
    [manifest] = re.findall(r"^```yaml\n(.*?)^```", QUICKSTART, re.MULTILINE | re.DOTALL)
    (tmp_path / "library.yaml").write_text(manifest, encoding="utf-8")
    backend, port = free_port(), free_port()
    processes.start("library", [sys.executable, str(SERVICE), f"--port={backend}"])
    serve = ("serve", tmp_path / "library.yaml", f"--service=library=127.0.0.1:{backend}")
    processes.start("serve", [*MODULE, *serve, f"--port={port}"])
    url = f"http://127.0.0.1:{port}/mcp"
    async with hang_guard():
        await reachable(f"http://127.0.0.1:{backend}/healthz")
        await reachable(url)
        async with Client(url) as client:
            found = await client.call_tool("search-books", {"text": "le guin"})
    assert found.structured_content is not None, processes.logs()
    titles = {book["title"] for book in found.structured_content["books"]}
    assert titles == {"The Left Hand of Darkness", "A Wizard of Earthsea"}


def test_the_commands_of_the_quickstart_name_the_served_tool() -> None:
    name, server = "search-books", "library"
    assert f"--allowedTools mcp__{server}__{name}" in QUICKSTART
    assert f"claude mcp add --transport http {server} " in QUICKSTART
    assert f"--header 'Mcp-Name: {name}'" in QUICKSTART
