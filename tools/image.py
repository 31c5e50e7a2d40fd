"""Build the image with an available builder, and check its content.

    nox -s image -- [--base IMAGE] [--tag NAME:TAG] [--archive FILE] [--platform OS/ARCH] [--twice]

The image stays in the builder's storage under its tag. The check passes if the image is small
enough, runs as a user, and has no shell, no setuid file and no world-writable file.
"""  # noqa: INP001 - a script, not a package

from __future__ import annotations

import argparse
import contextlib
import gzip
import json
import os
import shutil
import stat
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]

BUILDERS: Final = ("docker", "podman", "buildah")

TIMESTAMP: Final = "315532800"
"""Seconds since 1970 of every file in the image: the year 1980, the earliest that ZIP supports."""

MAX_COMPRESSED: Final = 70_000_000
"""Bytes of all layers as a registry stores them."""

MIN_UID: Final = 10_000

SHELLS: Final = frozenset({"sh", "bash", "dash", "ash", "zsh", "ksh", "busybox"})


class ImageError(Exception):
    """The image cannot be built, or fails a check; the text is a sentence."""


def main() -> int:
    """Build and check according to the command line. Return 1 if that fails."""
    arguments = _parser().parse_args()
    try:
        with tempfile.TemporaryDirectory() as scratch:
            archive = arguments.archive or Path(scratch, "image.tar")
            builder = _builder()
            digest = _build(builder, arguments, archive)
            if arguments.twice:
                _expect(digest, _build(builder, arguments, Path(scratch, "2.tar"), "--no-cache"))
            _say(f"{arguments.tag} {digest}{', twice' if arguments.twice else ''}")
            _check(archive)
    except ImageError as error:
        sys.stderr.write(f"image: {error}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    add = parser.add_argument
    add(
        "--base",
        default=os.environ.get("MCP_OPERATOR_IMAGE_BASE"),
        help="instead of the pinned base",
    )
    add("--tag", default=f"docker.io/library/mcp-operator:{version}", help="default %(default)s")
    add("--archive", type=Path, help="also write the image to this file, as an OCI archive")
    add("--platform", help="such as linux/arm64; default: this machine's")
    add("--twice", action="store_true", help="build again without cache, and compare the digests")
    return parser


def _builder() -> str:
    """Return the first builder that is installed and works.

    Raises:
        ImageError: There is no such builder.
    """
    for name in BUILDERS:
        if shutil.which(name) and _succeeds(name, "info"):
            return name
    raise ImageError("there is no working builder: install docker, podman or buildah")


def _succeeds(*command: str) -> bool:
    return subprocess.run(command, check=False, capture_output=True).returncode == 0  # noqa: S603


def _build(builder: str, arguments: argparse.Namespace, archive: Path, *options: str) -> str:
    """Build, write the archive, and return the image's digest."""
    command = [*_BUILD[builder], "--file", "Containerfile", "--tag", arguments.tag, *options]
    if arguments.base:
        command += ["--build-arg", f"BASE={arguments.base}"]
    if arguments.platform:
        command += ["--platform", arguments.platform]
    authorities = os.environ.get("PIP_CERT") or os.environ.get("SSL_CERT_FILE")
    if authorities:
        command += ["--secret", f"id=ca,src={authorities}"]
    _run(*command, ".")
    archive.unlink(missing_ok=True)
    _run(*(part.format(tag=arguments.tag, file=archive) for part in _SAVE[builder]))
    with _layout(archive) as layout:
        return str(_manifest(layout)["config"]["digest"])


_BUILD: Final = {
    "docker": (
        "docker",
        "buildx",
        "build",
        "--load",
        "--build-arg",
        f"SOURCE_DATE_EPOCH={TIMESTAMP}",
    ),
    "podman": ("podman", "build", "--timestamp", TIMESTAMP),
    "buildah": ("buildah", "build", "--layers", "--timestamp", TIMESTAMP),
}

_SAVE: Final = {
    "docker": ("docker", "save", "--output", "{file}", "{tag}"),
    "podman": ("podman", "save", "--format", "oci-archive", "--output", "{file}", "{tag}"),
    "buildah": ("buildah", "push", "--quiet", "{tag}", "oci-archive:{file}:{tag}"),
}


def _expect(first: str, second: str) -> None:
    if first != second:
        raise ImageError(f"two builds differ: {first} and {second}")


def _run(*command: str) -> None:
    _say("+ " + " ".join(command))
    if subprocess.run(command, check=False, cwd=ROOT).returncode:  # noqa: S603
        raise ImageError(f"{command[0]} failed; its own words are above")


@contextlib.contextmanager
def _layout(archive: Path) -> Iterator[Path]:
    """Yield a folder with the archive's content, an OCI image layout."""
    with tempfile.TemporaryDirectory() as folder, tarfile.open(archive) as tar:
        if hasattr(tarfile, "data_filter"):  # Python 3.11.4 (PEP 706)
            tar.extraction_filter = tarfile.data_filter
        tar.extractall(folder)  # noqa: S202  # the archive that was just built
        yield Path(folder)


def _manifest(layout: Path) -> Any:
    """Return the image's manifest."""
    entry = json.loads((layout / "index.json").read_text())
    while "manifests" in entry:
        entry = _blob_json(layout, entry["manifests"][0]["digest"])
    return entry


def _blob(layout: Path, digest: str) -> Path:
    return layout / "blobs" / digest.replace(":", "/")


def _blob_json(layout: Path, digest: str) -> Any:
    return json.loads(_blob(layout, digest).read_text())


def _check(archive: Path) -> None:
    """Print the size of the image, and check its content.

    Raises:
        ImageError: A check failed; the text names all problems.
    """
    with _layout(archive) as layout:
        manifest = _manifest(layout)
        config = _blob_json(layout, manifest["config"]["digest"])["config"]
        layers = [_blob(layout, layer["digest"]) for layer in manifest["layers"]]
        size = sum(map(_compressed, layers))
        problems = [
            *config_problems(config),
            *(p for layer in layers for p in layer_problems(layer)),
        ]
    _say(f"{size / 1e6:.1f} MB compressed, in {len(layers)} layers")
    if size > MAX_COMPRESSED:
        problems.append(f"is larger than {MAX_COMPRESSED / 1e6:.0f} MB compressed")
    if problems:
        raise ImageError("the image " + "\nimage: the image ".join(problems))


def _compressed(layer: Path) -> int:
    """Return the size of a layer with gzip, because some builders keep layers uncompressed."""
    data = layer.read_bytes()
    return len(data) if data.startswith(b"\x1f\x8b") else len(gzip.compress(data, 6))


def config_problems(config: dict[str, Any]) -> Iterator[str]:
    """Yield the problems of an image's settings."""
    uid = config.get("User", "").partition(":")[0]
    if not uid.isdecimal() or int(uid) < MIN_UID:
        yield f"runs as {uid or 'root'!r}, not as a numbered user of at least {MIN_UID}"
    if "org.opencontainers.image.source" not in config.get("Labels", {}):
        yield "does not say where it comes from"


def layer_problems(layer: Path) -> Iterator[str]:
    """Yield the files of a layer that are not allowed."""
    with tarfile.open(layer) as tar:
        for member in tar:
            path = PurePosixPath("/", member.name)
            if path.name in SHELLS and not member.isdir():
                yield f"has a shell: {path}"
            if member.issym() or member.islnk():
                continue
            if member.mode & (stat.S_ISUID | stat.S_ISGID):
                yield f"has a setuid file: {path}"
            if member.mode & stat.S_IWOTH and not member.mode & stat.S_ISVTX:
                yield f"has what anybody may write: {path}"


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
