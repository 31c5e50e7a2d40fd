"""No test depends on the speed of the machine: tests/README.md lists every exception."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from hypothesis import settings

ROOT = Path(__file__).parents[2]

MEASURES = ROOT / "tests" / "bench"
"""Benchmarks: their figures are times, and what they fail by is counts and ratios of CPU time."""

CLOCKS = re.compile(
    r"(?P<library>asyncio\.(sleep|timeout|timeout_at|wait_for)"
    r"|time\.(sleep|time|monotonic|perf_counter|process_time|thread_time))"
    r"|.*\b(?P<method>call_later|call_at|ClientTimeout|mark\.timeout)"
)


def uses(tree: ast.AST) -> Iterator[str]:
    """Yield the calls that read a clock, sleep, or set a limit that is not the common one."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and re.search(r"loop(\(\))?\.time$", ast.unparse(node)):
            yield "loop.time"
        if isinstance(node, ast.Call) and "HANG_SECONDS" not in ast.unparse(node):
            name = ast.unparse(node.func)
            first = node.args[0] if node.args else None
            found = CLOCKS.fullmatch(name)
            if found and not (isinstance(first, ast.Constant) and first.value == 0):
                yield found["library"] or found["method"]
            elif any(each.arg == "timeout" and is_limit(each.value) for each in node.keywords):
                yield "timeout="
            elif name.endswith("process.wait") and first is not None:
                yield "process.wait"


def is_limit(value: ast.expr) -> bool:
    """Return whether a `timeout` is in seconds, and not a text of a manifest or `ClientTimeout`."""
    text = ast.unparse(value)
    return text != "None" and not text.startswith(("'", '"')) and "TIMEOUT" not in text.upper()


def is_virtual(node: ast.stmt) -> bool:
    """Return whether a function or its whole module runs in the virtual time of looptime."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return any("looptime" in ast.unparse(each) for each in node.decorator_list)
    return isinstance(node, ast.Assign) and "pytest.mark.looptime" in ast.unparse(node)


def found() -> dict[str, set[str]]:
    """Return the uses of the wall clock, for each file that has any."""
    by_file = defaultdict[str, set[str]](set)
    for folder in ("tests", "e2e", "demo"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            body = ast.parse(path.read_text(encoding="utf-8")).body
            whole = any(isinstance(each, ast.Assign) and is_virtual(each) for each in body)
            if whole or path.is_relative_to(MEASURES):
                continue
            for node in body:
                if not is_virtual(node):
                    by_file[str(path.relative_to(ROOT))].update(uses(node))
    return {name: kinds for name, kinds in by_file.items() if kinds}


def listed() -> dict[str, set[str]]:
    """Return the uses in the table of tests/README.md."""
    text = (ROOT / "tests" / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([^`]+\.py)` \| ([^|]+) \| [^|]+ \|$", text, re.MULTILINE)
    return {name: set(re.findall(r"`([^`]+)`", kinds)) for name, kinds in rows}


def test_every_use_of_the_wall_clock_is_listed_with_its_reason() -> None:
    assert found() == listed()


def test_hypothesis_examples_have_no_deadline() -> None:
    assert settings().deadline is None
