"""Properties of the Containerfile that need no build, and the checker of those that do."""

from __future__ import annotations

import io
import re
import stat
import tarfile
from pathlib import Path

import image
import pytest

from mcp_operator.settings import GatewaySettings, OperatorSettings

ROOT = Path(__file__).parents[2]
CONTAINERFILE = (ROOT / "Containerfile").read_text(encoding="utf-8")


def test_the_copied_files_are_exactly_the_build_context() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    admitted = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    copied = {
        source
        for line in re.findall(r"^COPY (?!--from)(.+) \S+$", CONTAINERFILE, re.MULTILINE)
        for source in line.split()
    }

    assert copied == admitted
    assert all((ROOT / name).exists() for name in copied)


def test_the_base_image_is_pinned_by_its_digest() -> None:
    assert re.search(
        r"^ARG BASE=\S+:3\.\d+\.\d+-\S+@sha256:[0-9a-f]{64}$", CONTAINERFILE, re.MULTILINE
    )
    assert re.findall(r"^FROM (\S+)", CONTAINERFILE, re.MULTILINE) == ["${BASE}", "scratch"]


def test_the_example_has_the_same_base_image() -> None:
    example = (ROOT / "examples" / "direct" / "Containerfile").read_text(encoding="utf-8")
    base = re.compile(r"^ARG BASE=(.+)$", re.MULTILINE)
    assert base.findall(example) == base.findall(CONTAINERFILE)


def test_the_exposed_ports_are_the_defaults_of_the_processes() -> None:
    operator, gateway = OperatorSettings.model_fields, GatewaySettings.model_fields
    assert {operator["metrics_port"].default, gateway["port"].default} == {8080}
    assert {operator["health_port"].default, gateway["management_port"].default} == {8081}
    assert "EXPOSE 8080 8081" in CONTAINERFILE


@pytest.mark.parametrize(
    ("path", "mode", "said"),
    [
        ("usr/bin/sh", 0o755, "has a shell: /usr/bin/sh"),
        ("usr/bin/su", 0o4755, "has a setuid file: /usr/bin/su"),
        ("etc/passwd", 0o666, "has what anybody may write: /etc/passwd"),
    ],
)
def test_a_file_that_an_image_must_not_contain_is_reported(
    tmp_path: Path, path: str, mode: int, said: str
) -> None:
    layer = layer_of(tmp_path, {path: mode, "usr/bin/python3": 0o755})

    assert list(image.layer_problems(layer)) == [said]


def test_a_world_writable_folder_with_the_sticky_bit_is_not_a_problem(tmp_path: Path) -> None:
    layer = layer_of(tmp_path, {"tmp": stat.S_ISVTX | 0o777})

    assert list(image.layer_problems(layer)) == []


@pytest.mark.parametrize("user", ["", "0:0", "root", "1000"])
def test_an_image_without_a_numeric_user_is_reported(user: str) -> None:
    config = {"User": user, "Labels": {"org.opencontainers.image.source": "https://example.com"}}

    (problem,) = image.config_problems(config)

    assert "not as a numbered user" in problem


def layer_of(folder: Path, files: dict[str, int]) -> Path:
    """Write a layer with empty files of these modes."""
    path = folder / "layer.tar"
    with tarfile.open(path, "w") as tar:
        for name, mode in files.items():
            member = tarfile.TarInfo(name)
            member.mode = mode
            tar.addfile(member, io.BytesIO())
    return path
