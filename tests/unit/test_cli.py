from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from mcp_operator import cli
from mcp_operator.cli.commands import _process
from mcp_operator.core.errors import OperatorError
from mcp_operator.core.few_lines import BURST
from mcp_operator.settings import ServeSettings
from mcp_operator.settings.loading import Settings
from mcp_operator.version import VERSION
from support.guides import assert_the_guide_installs

SAMPLES = Path(__file__).parents[2] / "manifests" / "samples"

Output = pytest.CaptureFixture[str]


def run(*argv: str) -> int:
    return cli.main(list(argv))


def leave(*argv: str) -> int:
    """Run a command line that ends in argparse."""
    with pytest.raises(SystemExit) as caught:
        cli.main(list(argv))
    return int(caught.value.code or 0)


def in_a_new_process(code: str) -> str:
    command = [sys.executable, "-c", code]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603 - our own code


def test_the_help_names_every_command(capsys: Output) -> None:
    assert leave("--help") == 0
    shown = capsys.readouterr().out
    assert all(command.name.partition(" ")[0] in shown for command in cli.COMMANDS)


def test_a_group_names_its_commands(capsys: Output) -> None:
    assert leave("import", "--help") == 0
    assert "openapi" in capsys.readouterr().out
    assert leave("import") == cli.EXIT_USAGE


@pytest.mark.parametrize("command", cli.COMMANDS, ids=lambda command: command.name)
def test_every_command_has_a_help_screen_with_examples(
    command: cli.Command, capsys: Output
) -> None:
    assert leave(*command.name.split(), "--help") == 0
    shown = capsys.readouterr().out
    assert command.description.splitlines()[0] in shown
    assert f"mcp-operator {command.name}" in shown
    if command.settings and issubclass(command.settings, Settings):
        assert all(
            f"MCP_OPERATOR_{name.upper()}" in "".join(shown.split())
            for name in command.settings.model_fields
        )


@pytest.mark.parametrize("argv", [["version"], ["--version"]])
def test_the_version_is_that_of_the_distribution(argv: list[str], capsys: Output) -> None:
    code = run(*argv) if argv == ["version"] else leave(*argv)

    assert (code, capsys.readouterr().out) == (0, f"mcp-operator {VERSION}\n")


def test_without_a_command_the_usage_is_shown(capsys: Output) -> None:
    assert leave() == cli.EXIT_USAGE
    assert "usage: mcp-operator" in capsys.readouterr().err


def test_the_crds_are_printed_as_yaml_documents(capsys: Output) -> None:
    assert run("crds") == cli.EXIT_OK

    printed = list(yaml.safe_load_all(capsys.readouterr().out))
    assert {crd["spec"]["names"]["kind"] for crd in printed} == {
        "MCPServer",
        "MCPTool",
        "MCPPrompt",
        "MCPResource",
    }


def test_validate_succeeds_for_valid_files(capsys: Output) -> None:
    assert run("validate", str(SAMPLES)) == cli.EXIT_OK

    shown = capsys.readouterr()
    assert shown.out == ""
    assert "no problems" in shown.err


def test_validate_fails_for_invalid_files(tmp_path: Path, capsys: Output) -> None:
    (tmp_path / "bad.yaml").write_text("kind: [\n")

    assert run("validate", str(tmp_path)) == cli.EXIT_PROBLEM
    shown = capsys.readouterr()
    assert shown.out.startswith(f"{tmp_path}/bad.yaml:")
    assert shown.err == "1 problem in 1 file\n"


def test_an_invalid_setting_prints_one_line_and_exits_with_the_usage_code(capsys: Output) -> None:
    assert run("serve", "samples", "--port", "http") == cli.EXIT_USAGE

    assert capsys.readouterr().err == (
        "mcp-operator: --port: 'http' is not a port number from 0 to 65535 (0 for any free port)\n"
    )


def test_an_expected_error_is_printed_without_a_traceback(tmp_path: Path, capsys: Output) -> None:
    assert run("serve", str(tmp_path)) == cli.EXIT_PROBLEM

    assert capsys.readouterr().err == (
        f"mcp-operator: no object of mcp-operator.dev in {tmp_path}: looked for MCPPrompt, "
        "MCPResource, MCPServer, MCPTool in 0 files (.json, .yaml, .yml)\n"
    )


def test_validate_fails_for_a_folder_without_objects(tmp_path: Path, capsys: Output) -> None:
    (tmp_path / "deployment.yaml").write_text("apiVersion: apps/v1\nkind: Deployment\n")

    assert run("validate", str(tmp_path)) == cli.EXIT_PROBLEM
    assert "looked for MCPPrompt, MCPResource, MCPServer, MCPTool in 1 file (" in (
        capsys.readouterr().err
    )


def replace_serve(monkeypatch: pytest.MonkeyPatch, error: BaseException | None) -> None:
    async def run_serve(_: ServeSettings, __: object) -> None:
        if error is not None:
            raise error

    monkeypatch.setattr("mcp_operator.app.serve.run_serve", run_serve)
    monkeypatch.setattr("mcp_operator.core.logs.configure", lambda *_: None)


def test_a_command_that_ends_without_an_error_succeeds(monkeypatch: pytest.MonkeyPatch) -> None:
    replace_serve(monkeypatch, None)
    assert run("serve", "samples") == cli.EXIT_OK


def test_every_expected_error_of_a_group_is_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    inner = ExceptionGroup("inner", [OperatorError("Two is wrong.")])
    replace_serve(monkeypatch, ExceptionGroup("outer", [OperatorError("One is wrong."), inner]))

    assert run("serve", "samples") == cli.EXIT_PROBLEM
    assert capsys.readouterr().err == "mcp-operator: One is wrong.\nmcp-operator: Two is wrong.\n"


def test_an_unexpected_error_in_a_group_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    replace_serve(monkeypatch, ExceptionGroup("both", [OperatorError("Fine."), ValueError("bug")]))

    with pytest.raises(ExceptionGroup):
        run("serve", "samples")


def test_ctrl_c_exits_without_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    replace_serve(monkeypatch, KeyboardInterrupt())
    assert run("serve", "samples") == cli.EXIT_INTERRUPTED


@pytest.mark.parametrize(
    ("command", "module", "function"),
    [
        (["operator"], "control_plane", "run_operator"),
        (["gateway", "--namespace=demo", "--server=shop"], "data_plane", "run_gateway"),
    ],
)
def test_each_command_passes_its_settings_to_its_entry_point(
    command: list[str], module: str, function: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Any] = []

    async def entry_point(settings: Any, *_: Any) -> None:
        given.append(settings)

    root = ModuleType(module)
    setattr(root, function, entry_point)
    monkeypatch.setitem(sys.modules, f"mcp_operator.app.{module}", root)
    monkeypatch.setattr("mcp_operator.core.logs.configure", lambda *_: None)

    assert run(*command, "--log-level", "debug") == cli.EXIT_OK
    assert given[0].log_level == "debug"


def test_a_flood_of_failing_calls_does_not_flood_the_log(capsys: Output) -> None:
    async def flood() -> None:
        for number in range(1000):
            log = logging.getLogger("mcp_operator.gateway.execute")
            log.info("A call to a backend failed", extra={"entry": f"tool-{number}"})
            logging.getLogger("mcp_operator.gateway.policy.audit").info("A client made a call")

    _process(Settings(log_format="json"), flood())

    lines = [json.loads(line)["message"] for line in capsys.readouterr().err.splitlines()]
    assert BURST <= lines.count("A call to a backend failed") < 1000
    assert lines.count("A client made a call") == 1000


def test_a_closed_output_pipe_is_not_an_error() -> None:
    command = f"{sys.executable} -m mcp_operator crds | head -n 1"
    done = subprocess.run(  # noqa: S602 - a pipe is the point
        command, shell=True, check=True, capture_output=True, text=True
    )
    assert done.stderr == ""


@pytest.mark.parametrize(
    "code",
    [
        "from mcp_operator.cli import build_parser; build_parser()",
        "import mcp_operator.app.serve",
        "import mcp_operator.local.validation",
    ],
)
def test_commands_without_a_cluster_do_not_import_the_kubernetes_client(code: str) -> None:
    loaded = in_a_new_process(f"{code}; import sys; print('kubernetes_asyncio' in sys.modules)")
    assert loaded == "False\n"


def test_serve_does_not_import_the_terminal_library() -> None:
    code = "import mcp_operator.app.serve, sys; print('prompt_toolkit' in sys.modules)"
    assert in_a_new_process(code) == "False\n"


@pytest.mark.parametrize("unknown", ["--nonsense", "extra.yaml"])
def test_an_unknown_argument_is_reported_with_the_usage_of_its_command(
    capsys: Output, unknown: str
) -> None:
    with pytest.raises(SystemExit) as exited:
        run("import", "openapi", "api.yaml", unknown)
    assert exited.value.code == cli.EXIT_USAGE
    shown = capsys.readouterr().err
    assert shown.startswith("usage: mcp-operator import openapi [-h]")
    assert f"mcp-operator import openapi: error: unrecognized arguments: {unknown}" in shown


def test_without_the_sdk_inspect_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    for module in [name for name in sys.modules if name.startswith("mcp_operator.app.mcp_client.")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "mcp_types", None)

    assert run("inspect", "list", "http://127.0.0.1:1/mcp") == cli.EXIT_PROBLEM
    shown = capsys.readouterr().err
    assert "install mcp-operator with its extra inspect" in shown
    assert_the_guide_installs(shown, "inspect")


@pytest.mark.parametrize(("succeeded", "code"), [(True, cli.EXIT_OK), (False, cli.EXIT_TOOL_ERROR)])
def test_the_exit_code_of_a_call_depends_on_the_result_of_the_tool(
    monkeypatch: pytest.MonkeyPatch, *, succeeded: bool, code: int
) -> None:
    async def run_call(_: object) -> bool:
        return succeeded

    monkeypatch.setattr("mcp_operator.app.mcp_client.commands.run_call", run_call)
    assert run("inspect", "call", "http://127.0.0.1:1/mcp", "search") == code


def test_the_parser_does_not_import_http_libraries() -> None:
    code = "from mcp_operator.cli import build_parser; build_parser()"
    libraries = "{'aiohttp', 'httpx2', 'mcp'}"
    loaded = in_a_new_process(f"{code}; import sys; print({libraries} & set(sys.modules))")
    assert loaded == "set()\n"
