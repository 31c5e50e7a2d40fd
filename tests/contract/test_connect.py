"""Every way to connect that the guide and the README show, with the samples as the server.

Claude Code, VS Code and Cursor cannot run here. The Inspector also reads the file of Claude Code.
For the files of the other two, the tests check the format that their references describe.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from support.processes import ProcessGroup
from support.served_samples import reachable, start

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
GUIDE = (ROOT / "docs" / "how-to" / "connect-a-client.md").read_text(encoding="utf-8")

SHOWN = "http://127.0.0.1:8080/mcp"
"""The URL in every example."""

FOLDER = os.environ.get("MCP_OPERATOR_CONNECT", "")
NEEDS_NODE_PACKAGES = pytest.mark.skipif(
    not (FOLDER and shutil.which("npx")),
    reason="MCP_OPERATOR_CONNECT names no folder with the Inspector (nox -s contract)",
)


def blocks(client: str, language: str) -> list[str]:
    """Return the blocks of a language in the guide's section about a client."""
    section = re.split(rf"^## {client}$", GUIDE, flags=re.MULTILINE)[1].partition("\n## ")[0]
    found: list[str] = re.findall(rf"^```{language}\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    return found


def command(client: str, number: int = 0) -> list[str]:
    """Return the words of a command in the guide's section about a client."""
    shown = re.findall(r"^\$ ((?:.*\\\n)*.*)$", "".join(blocks(client, "console")), re.MULTILINE)
    return shlex.split(shown[number].replace("\\\n", " "))


def configuration(client: str) -> Any:
    """Return the one JSON block of the guide's section about a client."""
    [block] = blocks(client, "json")
    return json.loads(block)


def readme_code(client: str) -> str:
    """Return the last code in the README's row about a client."""
    [row] = re.findall(rf"^\| {client} \| (.*) \|$", README, re.MULTILINE)
    last: str = re.findall(r"`([^`]+)`", row)[-1]
    return last


async def run(*words: str | Path, cwd: Path | None = None) -> str:
    """Run a program with the pinned packages and their Node; return its output."""
    path = f"{Path(FOLDER) / 'node_modules' / '.bin'}{os.pathsep}{os.environ['PATH']}"
    home = str(cwd) if cwd else os.environ.get("HOME", "")
    process = await asyncio.create_subprocess_exec(
        *words,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=FOLDER or None,
        env={**os.environ, "PATH": path, "HOME": home, "npm_config_offline": "true"},
    )
    output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode() + output.decode()
    return output.decode()


@pytest.fixture
async def url(processes: ProcessGroup) -> str:
    served, _ = start(processes)
    await reachable(served)
    return served


@pytest.mark.parametrize("page", [README, GUIDE], ids=["readme", "guide"])
async def test_the_five_lines_of_python_call_a_tool(page: str, url: str) -> None:
    [program] = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert len([line for line in program.splitlines() if line]) == 5
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program.replace(SHOWN, url)), stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    assert process.returncode == 0
    assert b"Teapot for two" in output


@NEEDS_NODE_PACKAGES
async def test_the_inspector_calls_a_tool_as_the_guide_shows(url: str, tmp_path: Path) -> None:
    words = [word.replace(SHOWN, url) for word in command("MCP Inspector", 1)]
    answer = json.loads(await run(*words, cwd=tmp_path))
    assert answer["structuredContent"]["products"][0]["name"] == "Teapot for two"


@NEEDS_NODE_PACKAGES
async def test_the_inspector_lists_tools_as_the_readme_shows(url: str, tmp_path: Path) -> None:
    words = shlex.split(readme_code("MCP Inspector").replace(SHOWN, url))
    assert "search-products" in await run(*words, cwd=tmp_path)


@NEEDS_NODE_PACKAGES
@pytest.mark.parametrize("client", ["Claude Code", "Claude Desktop"])
async def test_the_configuration_file_of_a_client_connects_to_the_server(
    client: str, url: str, tmp_path: Path
) -> None:
    """The Inspector runs the command in the file of Claude Desktop, which is mcp-remote."""
    file = tmp_path / "servers.json"
    file.write_text(json.dumps(configuration(client)).replace(SHOWN, url))
    words = ("npx", "@modelcontextprotocol/inspector", "--cli", "--config", file)
    call = ("--server", "shop", "--method", "tools/call", "--tool-name", "search-products")
    answer = await run(*words, *call, "--tool-arg", "text=teapot", cwd=tmp_path)
    assert "Teapot for two" in answer


@pytest.mark.parametrize(
    ("client", "expected"),
    [
        ("Claude Code", {"mcpServers": {"shop": {"type": "http", "url": SHOWN}}}),
        ("VS Code", {"servers": {"shop": {"type": "http", "url": SHOWN}}}),
        ("Cursor", {"mcpServers": {"shop": {"url": SHOWN}}}),
    ],
)
def test_a_configuration_file_has_the_format_that_the_client_documents(
    client: str, expected: Any
) -> None:
    assert configuration(client) == expected


def test_guide_and_readme_show_the_command_for_claude_code() -> None:
    words = ["claude", "mcp", "add", "--transport", "http", "shop", SHOWN]
    assert command("Claude Code") == words
    assert shlex.split(readme_code("Claude Code")) == words


@pytest.mark.parametrize("client", ["Claude Desktop", "VS Code", "Cursor"])
def test_the_readme_shows_the_files_of_the_guide(client: str) -> None:
    assert json.loads(readme_code(client)) == configuration(client)
