"""README.md is accurate: its YAML is valid, and its commands and paths exist."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import walkthrough
import yaml

from mcp_operator.api.validation import problems
from mcp_operator.builders.names import child_name
from mcp_operator.cli import build_parser
from mcp_operator.version import VERSION

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def blocks(language: str) -> list[str]:
    return [text for found, text in BLOCKS if found == language]


def test_the_yaml_of_the_readme_is_valid() -> None:
    [text] = blocks("yaml")
    objects = list(yaml.safe_load_all(text))
    assert [obj["kind"] for obj in objects] == ["MCPTool", "MCPServer"]
    for obj in objects:
        assert problems(obj) == []


def test_the_server_of_the_readme_selects_its_tool() -> None:
    tool, server = yaml.safe_load_all(blocks("yaml")[0])
    assert server["spec"]["toolSelector"]["matchLabels"] == tool["metadata"]["labels"]


def test_the_make_goals_are_sessions_of_nox() -> None:
    goals = set(re.findall(r"^\$ (?:KEEP=1 )?make (\w+)", README, re.MULTILINE))
    sessions = re.findall(
        r"^@nox\.session.*\ndef (\w+)", (ROOT / "noxfile.py").read_text(), re.MULTILINE
    )
    assert goals
    assert goals <= set(sessions)


WHEEL = (
    "https://github.com/mcp-operator/mcp-operator/releases/download/"
    f"v{VERSION}/mcp_operator-{VERSION}-py3-none-any.whl"
)
IMAGE = f"ghcr.io/mcp-operator/mcp-operator:{VERSION}"


EXTRAS = {"inspect-a-server.md": "inspect", "trace-calls.md": "otel"}
"""The guides to what an extra is for."""


def commands(first: str) -> list[list[str]]:
    """Return the words of the commands that begin with a program."""
    found = [step for step in walkthrough.steps(README) if isinstance(step, walkthrough.Command)]
    words = [shlex.split(command.text, comments=True) for command in found]
    return [each for each in words if each[0] == first]


def accepted(arguments: list[str]) -> None:
    build_parser().parse_args(arguments)


def test_the_shown_commands_are_valid() -> None:
    shown = commands(walkthrough.INSTALLED)
    assert [words[1] for words in shown] == ["serve", "validate"]
    for words in shown:
        accepted(words[1:])


def test_the_named_wheel_and_image_are_those_of_the_release() -> None:
    [[_, option, wheel, command, *arguments]] = commands("uvx")
    assert (option, wheel, command) == ("--from", WHEEL, "mcp-operator")
    accepted(arguments)
    assert commands("pipx") == [["pipx", "install", WHEEL]]
    [docker] = commands("docker")
    accepted(docker[docker.index(IMAGE) + 1 :])


@pytest.mark.parametrize(("guide", "extra"), EXTRAS.items())
def test_a_guide_installs_its_extra_from_the_wheel_of_the_release(guide: str, extra: str) -> None:
    page = (ROOT / "docs" / "how-to" / guide).read_text(encoding="utf-8")
    [requirement] = re.findall(r"pip install '([^']+)'", page)
    assert requirement == f"mcp-operator[{extra}] @ {WHEEL}"
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert extra in pyproject["project"]["optional-dependencies"]


def test_the_forwarded_service_is_that_of_the_server() -> None:
    [forwarded] = re.findall(r"`kubectl port-forward service/(\S+) 8080:8080`", README)
    [_, server] = yaml.safe_load_all(blocks("yaml")[0])
    assert forwarded == child_name(server["metadata"]["name"])


def test_the_samples_pass_validate_as_shown() -> None:
    subprocess.run(
        [sys.executable, "-m", "mcp_operator", "validate", "manifests/samples"],
        check=True,
        capture_output=True,
        cwd=ROOT,
    )


def test_every_path_in_the_tables_and_links_exists() -> None:
    table = README.partition("## Where things are")[2].partition("\n## ")[0]
    paths = [path for path in re.findall(r"`([\w./-]+)`", table) if "/" in path]
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in link]
    missing = [path for path in (*paths, *links) if not (ROOT / path).exists()]
    assert missing == []


def test_the_layers_match_those_of_import_linter() -> None:
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    held = re.findall(r'^    "mcp_operator\.([^"]+)",$', pyproject, re.MULTILINE)
    wanted = [layer.replace("mcp_operator.", "") for layer in held]
    stated = README.partition("import-linter holds them:")[2].partition(".\n")[0]
    names = re.findall(r"`(\w+)`", stated)
    assert names == " | ".join(wanted).split(" | ")


def test_the_install_commands_match_those_of_the_install_guide() -> None:
    guide = (ROOT / "docs" / "how-to" / "install.md").read_text(encoding="utf-8")
    [kubectl] = re.findall(r"^\$ (kubectl apply .* -f .*)$", README, re.MULTILINE)
    [helm] = re.findall(r"^\$ (helm .*\\\n.*)$", README, re.MULTILINE)
    assert kubectl in guide
    assert helm in guide
    [overlay] = re.findall(r'-k "([^"]+)"', README)
    assert overlay in guide
