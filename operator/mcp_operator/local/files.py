"""Finds the files that a user means, and reads them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

SUFFIXES: Final = frozenset({".yaml", ".yml", ".json"})

NOT_OBJECTS: Final = frozenset({"kustomization.yaml", "kustomization.yml"})
"""Files of other tools among manifests, which contain no objects."""

MAX_FILE_BYTES: Final = 64 * 1024 * 1024
"""Larger than any manifest. It limits how much of a wrong file is read."""


class UnreadableError(Exception):
    """A file cannot be read; the text says why."""


def files_of(paths: Iterable[Path]) -> Iterator[Path]:
    """Yield the files to read: those that are named, and all YAML and JSON files in folders.

    In folders, hidden files and folders are skipped, and so are pipes and devices. A folder is
    searched only once, even if several links lead to it. A folder that cannot be searched is
    yielded itself, so that reading it reports the reason.
    """
    pending = [(path, True) for path in reversed(list(paths))]
    searched: set[tuple[int, int]] = set()
    while pending:
        path, named = pending.pop()
        status = _status(path)
        if status and stat.S_ISDIR(status.st_mode):
            if (identity := (status.st_dev, status.st_ino)) in searched:
                continue
            searched.add(identity)
            try:
                children = sorted(path.iterdir(), reverse=True)
            except OSError:
                yield path
                continue
            pending += [(child, False) for child in children if not child.name.startswith(".")]
        elif path.name not in NOT_OBJECTS and (named or _is_manifest(path, status)):
            yield path


def read_text(file: Path) -> str:
    """Return the text of a file.

    Raises:
        UnreadableError: It cannot be read, is too large, or is not UTF-8.
    """
    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_FILE_BYTES + 1)  # `stat` does not know the size of a device
    except OSError as error:
        raise UnreadableError(f"cannot be read: {error.strerror or error}") from error
    if len(data) > MAX_FILE_BYTES:
        raise UnreadableError(f"is larger than {MAX_FILE_BYTES} bytes; name a file with manifests")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableError("is not UTF-8 text; save it as UTF-8") from error


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None


def _is_manifest(path: Path, status: os.stat_result | None) -> bool:
    """Tell whether to read a file of a folder. Broken links are read, to report the error."""
    return path.suffix in SUFFIXES and (status is None or stat.S_ISREG(status.st_mode))
