"""`validate` reports any content of a file as a problem with its place, and does not crash."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mcp_operator import cli
from mcp_operator.local import files, yaml_values
from support.hostile_yaml import HOSTILE, MAX_NODES, SOUND, USING, Told

Output = pytest.CaptureFixture[str]

FOUND_NOTHING = "mcp-operator: no object of mcp-operator.dev in "

UNDER_LIMITS = """
import resource, sys
from mcp_operator import cli
from support.hostile_yaml import HOSTILE

resource.setrlimit(resource.RLIMIT_CPU, (120, 120))
resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))
for content, told in HOSTILE.values():
    with open(sys.argv[1], "wb") as file:
        file.write(content if isinstance(content, bytes) else content.encode())
    assert cli.main(["validate", sys.argv[1]]) in (0, 1)
print("survived")
"""
"""All of them: a folder of them ended the interpreter, or took minutes."""


@pytest.fixture(autouse=True)
def _smaller_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_values, "MAX_NODES", MAX_NODES)


def write(file: Path, content: str | bytes) -> Path:
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


def validate(path: Path) -> int:
    return cli.main(["validate", str(path)])


@pytest.mark.parametrize(("content", "told"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_file_is_reported_with_its_place(
    content: str | bytes, told: Told, tmp_path: Path, capsys: Output
) -> None:
    file = write(tmp_path / "file.yaml", content)
    assert validate(file) == 1
    shown = capsys.readouterr()
    if told is None:
        assert (shown.out, shown.err.startswith(FOUND_NOTHING)) == ("", True)
        return
    first, *_ = shown.out.splitlines()
    assert first.startswith(f"{file}:{told}")
    assert max(map(len, shown.out.splitlines())) < 2500
    assert all(line.isprintable() for line in shown.out.splitlines())


@pytest.mark.parametrize(("content", "told"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_file_does_not_prevent_others_from_being_checked(
    content: str | bytes, told: Told, tmp_path: Path, capsys: Output
) -> None:
    write(tmp_path / "hostile.yaml", content)
    write(tmp_path / "using.yaml", USING)
    assert validate(tmp_path) == (1 if told else 0)
    shown = capsys.readouterr()
    assert bool(shown.out) == bool(told)
    assert "Traceback" not in shown.err


@pytest.mark.parametrize("content", SOUND.values(), ids=SOUND)
def test_content_that_the_api_server_accepts_is_not_a_problem(
    content: str, tmp_path: Path, capsys: Output
) -> None:
    assert validate(write(tmp_path / "file.yaml", content)) == 0
    assert capsys.readouterr().err == "1 object in 1 file: no problems\n"


@pytest.mark.skipif(sys.platform != "linux", reason="memory limits are enforced only on Linux")
def test_no_file_exceeds_the_memory_limit_or_crashes_the_interpreter(tmp_path: Path) -> None:
    done = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", UNDER_LIMITS, str(tmp_path / "file.yaml")],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "survived")


def test_links_that_form_a_cycle_are_searched_once(tmp_path: Path, capsys: Output) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    write(folder / "file.yaml", "kind: [\n")
    for name in ("one", "two", "three"):
        (folder / name).symlink_to(folder)
        (folder / f"{name}.yaml").symlink_to(tmp_path)
    assert validate(tmp_path) == 1
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_a_broken_link_is_reported(tmp_path: Path, capsys: Output) -> None:
    (tmp_path / "gone.yaml").symlink_to(tmp_path / "nowhere")
    (tmp_path / "loop.yaml").symlink_to(tmp_path / "loop.yaml")
    assert validate(tmp_path) == 1
    shown = capsys.readouterr().out
    assert "gone.yaml:1: cannot be read: No such file or directory\n" in shown
    assert "loop.yaml:1: cannot be read: Too many levels of symbolic links\n" in shown


def test_a_folder_that_cannot_be_read_is_reported(
    tmp_path: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(_: Path) -> Iterator[Path]:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", denied)
    assert validate(tmp_path) == 1
    assert capsys.readouterr().out.startswith(f"{tmp_path}:1: cannot be read: ")


def test_pipes_and_devices_in_a_folder_are_skipped(tmp_path: Path, capsys: Output) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "zero.yaml").symlink_to("/dev/zero")
    (tmp_path / "folder.yaml").mkdir()
    assert validate(tmp_path) == 1
    assert capsys.readouterr().err.startswith(FOUND_NOTHING)


def test_an_endless_device_is_read_up_to_the_limit(
    capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MAX_FILE_BYTES", 1000)
    assert validate(Path("/dev/zero")) == 1
    assert (
        capsys.readouterr().out
        == "/dev/zero:1: is larger than 1000 bytes; name a file with manifests\n"
    )


def test_a_given_pipe_is_read(tmp_path: Path, capsys: Output) -> None:
    reader, writer = os.pipe()
    os.write(writer, USING.encode())
    os.close(writer)
    assert validate(Path(f"/dev/fd/{reader}")) == 0
    os.close(reader)
    assert capsys.readouterr().err.startswith("2 objects in 1 file: no problems")


@pytest.mark.parametrize("name", [b"\xff\xfe.yaml", b"a\nb\x1b[31m.yaml"])
def test_a_file_whose_name_cannot_be_printed_is_reported(
    name: bytes, tmp_path: Path, capfd: Output
) -> None:
    file = os.path.join(os.fsencode(tmp_path), name)  # noqa: PTH118 - bytes
    Path(os.fsdecode(file)).write_text("kind: [\n")
    assert validate(tmp_path) == 1
    [line] = capfd.readouterr().out.splitlines()
    assert line.endswith(".yaml:2: is not valid YAML: did not find expected node content")
    assert line.isprintable()
