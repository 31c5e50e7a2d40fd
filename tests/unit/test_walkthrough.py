"""The script that runs the commands of pages detects problems that a new user would have."""

from __future__ import annotations

from pathlib import Path

import pytest
import walkthrough
from walkthrough import Command, Save, Walk, WalkthroughError, steps

from support.network import free_port

PAGE = """\
Text with `code`.

```yaml
# tool.yaml
kind: MCPTool
```

```yaml
kind: NotToBeSaved
```

```console
$ printf 'one\\n'  # it's a comment
one
$ printf '%s\\n' "a
b" \\
    c
a
...
```

```python
print("not pasted")
```
"""

FETCH = "import sys, urllib.request as u; print(u.urlopen(sys.argv[1]).read().decode())"

COMMANDS = [
    step
    for page in walkthrough.PAGES
    for step in steps((walkthrough.ROOT / page).read_text(encoding="utf-8"))
    if isinstance(step, Command)
]


def test_the_steps_of_a_page_are_files_and_commands_with_their_output() -> None:
    assert list(steps(PAGE)) == [
        Save("tool.yaml", "# tool.yaml\nkind: MCPTool\n"),
        Command("printf 'one\\n'  # it's a comment", "one"),
        Command("printf '%s\\n' \"a\nb\" \\\n    c", "a\n..."),
    ]


def test_a_page_with_correct_commands_passes(tmp_path: Path) -> None:
    with Walk(tmp_path) as walk:
        for step in steps(PAGE):
            walk.do(step)
    assert (tmp_path / "tool.yaml").read_text() == "# tool.yaml\nkind: MCPTool\n"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("command", "complaint"),
    [
        (Command("exit 3"), "ended with code 3"),
        (Command("echo no", "yes"), "should have said:\nyes\nand said:\nno"),
    ],
)
def test_a_command_with_another_result_than_shown_fails(
    tmp_path: Path, command: Command, complaint: str
) -> None:
    with Walk(tmp_path) as walk, pytest.raises(WalkthroughError, match=complaint):
        walk.do(command)


def test_a_server_command_is_waited_for_and_stopped_by_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    server = f"python3 -m http.server {port} --bind 127.0.0.1"
    monkeypatch.setattr(walkthrough, "STAYING", {"python3 -m http.server": port})
    (tmp_path / "first").mkdir()
    (tmp_path / "second").mkdir()
    (tmp_path / "second" / "file").write_text("second\n")
    with Walk(tmp_path) as walk:
        walk.do(Command(f"{server} --directory first"))
        walk.do(Command(f"{server} --directory second"))
        walk.do(Command(f"python3 -c '{FETCH}' http://127.0.0.1:{port}/file", "second"))
        with (
            pytest.raises(WalkthroughError, match=f"port {port} is taken"),
            Walk(tmp_path) as other,
        ):
            other.do(Command(server))
    assert not walkthrough._answers(port)


def test_a_server_command_that_ends_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walkthrough, "STAYING", {"echo": free_port()})
    with Walk(tmp_path) as walk, pytest.raises(WalkthroughError, match="does not listen on"):
        walk.do(Command("echo gone"))


def test_an_installed_command_replaces_the_one_that_a_page_installs(
    tmp_path: Path,
) -> None:
    with Walk(tmp_path, "echo") as walk:
        walk.do(Command("python3 -m venv .venv"))
        walk.do(Command(f"{walkthrough.INSTALLED} version", "version"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("start", [*walkthrough.ELSEWHERE, *walkthrough.STAYING])
def test_every_declared_command_is_shown_on_a_page(start: str) -> None:
    assert any(command.text.startswith(start) for command in COMMANDS)


def test_the_pages_call_tools_of_samples_of_a_file_and_of_an_imported_api() -> None:
    calls = [one for one in COMMANDS if one.text.startswith("curl") and "tools/call" in one.text]
    assert ['"result"' in call.shown for call in calls] == [True, True, True, False]
    assert '"error"' in calls[-1].shown  # the call of a tool that the client cannot use
