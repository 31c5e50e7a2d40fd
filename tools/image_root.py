"""Collect the root file system of the image: this Python, its packages, and their libraries.

It runs in the build stage of the Containerfile, with the Python of the virtual environment to ship,
and copies into an empty folder only what the package's processes need. The image therefore has no
shell, no package manager and no setuid program, whatever the base image contains.

    python image_root.py ROOT
"""  # noqa: INP001 - a script, not a package

from __future__ import annotations

import compileall
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path
from py_compile import PycInvalidationMode

USER = "mcp"
ID = 10001
"""The ID of user and group. It is above the range that distributions assign to accounts."""

UNUSED = frozenset(
    {"__pycache__", "dist-packages", "ensurepip", "idlelib", "lib2to3", "pydoc_data"}
    | {"site-packages", "test", "tests", "tkinter", "turtledemo"}
)
"""Folders of the standard library that the package never imports, or that were added to it."""

COPIED = (
    "/etc/ld.so.cache",  # the loader's index of libraries outside of its built-in folders
    "/etc/os-release",  # scanners identify the distribution with it
    "/usr/lib/os-release",
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/ssl/openssl.cnf",
)

WRITTEN = {
    "/etc/passwd": f"root:x:0:0:root:/:/nonexistent\n{USER}:x:{ID}:{ID}:{USER}:/:/nonexistent\n",
    "/etc/group": f"root:x:0:\n{USER}:x:{ID}:\n",
    # By default, glibc would ask the DNS server before it reads /etc/hosts.
    "/etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
}

DLOPENED = ("libgcc_s.so.1",)
"""Libraries that glibc opens by name: it needs this one to end a thread."""

STICKY = 0o1777
"""The mode of /tmp: everybody can write, and only its owner can remove a file."""


def main() -> None:
    """Fill the folder in the command line's argument."""
    root = Path(sys.argv[1])
    for name, text in WRITTEN.items():
        _target(root, Path(name)).write_text(text, encoding="utf-8")
    environment = Path(sys.prefix)
    _copy_tree(environment, root)
    standard_library = Path(sysconfig.get_path("stdlib")).resolve()
    _copy_tree(standard_library, root)
    for name in COPIED:
        _copy(Path(name), root)
    libraries = sorted(_libraries(_binaries((environment, standard_library))))
    for library in libraries:
        _copy(library, root)
    _describe_packages(root)
    for tree in (environment, standard_library):
        _compile(root, tree)
    (root / "tmp").mkdir()
    (root / "tmp").chmod(STICKY)
    _set_times(root, int(os.environ["SOURCE_DATE_EPOCH"]))


def _target(root: Path, path: Path) -> Path:
    """Return the path of a file in the image. Folders that are links in the base are links here."""
    for parent in reversed(path.parents[:-1]):
        if parent.is_symlink() and not (root / str(parent)[1:]).is_symlink():
            link = root / str(parent)[1:]
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(parent.readlink())
            _folder(root, parent.resolve())
    target = root / str(path)[1:]
    target.parent.mkdir(parents=True, exist_ok=True)
    return target


def _folder(root: Path, path: Path) -> None:
    (root / str(path)[1:]).mkdir(parents=True, exist_ok=True)


def _copy(path: Path, root: Path) -> None:
    """Copy a file if it exists. If it is a link, also copy its target."""
    if not path.exists():
        return
    target = _target(root, path)
    if target.exists() or target.is_symlink():
        return
    shutil.copy2(path, target, follow_symlinks=False)
    if path.is_symlink() and path.is_file():
        _copy(Path(os.path.normpath(path.parent / path.readlink())), root)


def _copy_tree(folder: Path, root: Path) -> None:
    for directory, names, files in os.walk(folder):
        here = Path(directory)
        names[:] = sorted(set(names) - UNUSED) if _is_standard_library(here) else sorted(names)
        for name in sorted(files):
            _copy(here / name, root)
        for name in names:  # `os.walk` does not follow a link to a folder
            if (here / name).is_symlink():
                _copy(here / name, root)


def _is_standard_library(folder: Path) -> bool:
    return not folder.is_relative_to(sys.prefix)


def _binaries(folders: Iterable[Path]) -> list[Path]:
    """Return the executable, and every extension module or bundled library."""
    found = [Path(os.path.realpath(sys.executable))]
    for folder in folders:
        found += [
            path
            for path in sorted(folder.rglob("*.so*"))
            if path.is_file() and not UNUSED.intersection(path.relative_to(folder).parts[:1])
        ]
    return found + [path for path in _site_packages().rglob("*.so*") if path.is_file()]


def _site_packages() -> Path:
    return Path(sysconfig.get_path("platlib"))


def _libraries(binaries: list[Path]) -> set[Path]:
    """Return the loader, and the shared libraries that the binaries load from the system."""
    listed = subprocess.run(  # noqa: S603 - ldd of the base image, with this image's files
        ["/usr/bin/ldd", *map(str, binaries)], check=True, capture_output=True, text=True
    ).stdout
    missing = re.findall(r"^\s*(\S+) => not found", listed, re.MULTILINE)
    if missing:
        raise SystemExit(f"the base lacks libraries that packages load: {', '.join(missing)}")
    found = {
        Path(path) for path in re.findall(r"^\s*(?:\S+ => )?(/\S+) \(0x", listed, re.MULTILINE)
    }
    folders = {path.parent for path in found}
    found |= {path for name in DLOPENED for f in folders if (path := f / name).exists()}
    return {path for path in found if not path.is_relative_to(sys.prefix)}


def _describe_packages(root: Path) -> None:
    """Keep dpkg's data about the packages of copied files, where scanners look for it.

    The place is the one of distroless images; Trivy, Grype and Syft read it.
    """
    dpkg_query = shutil.which("dpkg-query")
    if dpkg_query is None:
        return
    packages: set[str] = set()
    for directory, _, files in os.walk(root):
        inside = Path("/", Path(directory).relative_to(root))
        if files and not inside.is_relative_to("/opt"):
            paths = [str(inside / name) for name in files]
            paths += [path.removeprefix("/usr") for path in paths if path.startswith("/usr/lib")]
            answer = subprocess.run(  # noqa: S603 - fails if a path is unknown, as some are
                [dpkg_query, "--search", *paths], check=False, capture_output=True, text=True
            ).stdout
            packages |= set(re.findall(r"^([a-z0-9][a-z0-9+.:-]+): /", answer, re.MULTILINE))
    for package in sorted(packages):
        status = subprocess.run(  # noqa: S603
            [dpkg_query, "--status", package], check=True, capture_output=True, text=True
        ).stdout
        name = package.partition(":")[0]
        _target(root, Path("/var/lib/dpkg/status.d", name)).write_text(status, encoding="utf-8")
        _copy(Path("/usr/share/doc", name, "copyright"), root)


def _compile(root: Path, tree: Path) -> None:
    """Compile all sources of a copied tree, to be valid whatever the files' times are."""
    compiled = compileall.compile_dir(
        root / str(tree)[1:],
        maxlevels=50,
        stripdir=str(root),
        prependdir="/",
        quiet=1,
        invalidation_mode=PycInvalidationMode.UNCHECKED_HASH,
    )
    if not compiled:
        raise SystemExit(f"not everything in {tree} could be compiled; see above")


def _set_times(root: Path, seconds: int) -> None:
    """Give everything the same time, for builders that keep the times of files in the layer."""
    for directory, folders, files in os.walk(root, topdown=False):
        for name in (*folders, *files):
            os.utime(Path(directory, name), (seconds, seconds), follow_symlinks=False)
    os.utime(root, (seconds, seconds))


if __name__ == "__main__":
    main()
