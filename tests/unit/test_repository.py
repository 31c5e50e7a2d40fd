"""Rules about the repository itself."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]

PACKAGE = ROOT / "operator" / "mcp_operator"

CODE = {".py", ".go", ".ts", ".js", ".mjs", ".sh"}

MAX_LINES = 400

PLACES = re.compile(
    r"""(?<![\w.~-])/(?:root|work)/
    | (?<![\w.~-])/(?:home|Users)/\w+
    | \b(?:pypi|pythonhosted)\.org
    | \bregistry\.(?:npmjs|yarnpkg)\.
    | \b(?:proxy|sum)\.golang\.org""",
    re.VERBOSE,
)
"""Folders of one machine, and indexes, for which everybody has a mirror of their own."""


def tracked() -> list[Path]:
    listing = subprocess.run(
        ["git", "ls-files", "-z"],  # noqa: S607 - the git that made the clone
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    paths = [ROOT / name for name in listing.split("\0") if name]
    return [path for path in paths if path.is_file()]


def test_the_component_folder_does_not_shadow_the_standard_library() -> None:
    assert not (ROOT / "operator" / "__init__.py").exists()
    assert (ROOT / "operator" / "mcp_operator" / "__init__.py").exists()


def test_no_source_file_is_over_the_maximum_length() -> None:
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines())
        for path in tracked()
        if path.suffix in CODE
    }
    assert {name: lines for name, lines in lengths.items() if lines > MAX_LINES} == {}


def test_no_file_contains_a_path_of_one_machine() -> None:
    found = []
    for path in tracked():
        if path == Path(__file__):
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        found += [f"{path.relative_to(ROOT)}: {match.group()}" for match in PLACES.finditer(text)]
    assert found == []


def test_every_nox_session_has_a_docstring() -> None:
    tree = ast.parse((ROOT / "noxfile.py").read_text(encoding="utf-8"))
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    sessions = [one for one in functions if one.decorator_list]
    assert {"test", "demo", "generate"} <= {one.name for one in sessions}
    assert [one.name for one in sessions if not ast.get_docstring(one)] == []


def test_dependencies_are_pinned_by_hash_without_naming_an_index() -> None:
    locks = [*(ROOT / "requirements").glob("*.txt"), *(ROOT / "examples").glob("*/*.txt")]
    assert locks
    for lock in locks:
        text = lock.read_text(encoding="utf-8")
        assert "index-url" not in text
        pins = re.findall(r"^\S+==\S+(?: ;.*)? \\$", text, re.MULTILINE)
        assert len(pins) == len(re.findall(r"^[a-zA-Z]", text, re.MULTILINE))


def source_map() -> list[str]:
    """Return the package folders that the architecture overview explains, in order."""
    page = (ROOT / "docs" / "architecture" / "overview.md").read_text(encoding="utf-8")
    table = page.partition("## Source map")[2].partition("Other folders")[0]
    return re.findall(r"^\| `([\w/]+)` \|", table, re.MULTILINE)


def test_the_source_map_lists_exactly_the_packages() -> None:
    rows = source_map()
    packages = {
        str(file.parent.relative_to(PACKAGE))
        for file in PACKAGE.rglob("__init__.py")
        if file.parent != PACKAGE
    }
    assert len(rows) == len(set(rows))
    assert set(rows) == packages


def test_the_source_map_lists_the_layers_in_order() -> None:
    rows = [row for row in source_map() if "/" not in row]
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    held = re.findall(r'^    "(mcp_operator\.[^"]+)",$', pyproject, re.MULTILINE)
    layers = [name.removeprefix("mcp_operator.") for line in held for name in line.split(" | ")]
    assert rows == layers
