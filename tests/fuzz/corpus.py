"""The corpus: one JSON text per line, whose characters are the bytes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

FOLDER = Path(__file__).parent / "corpus"

MAX_BYTES = 300_000
"""The maximum size of all files together."""

SHARE = 28_000
"""The maximum size of one file."""


def read(target: str) -> list[bytes]:
    """Return the inputs of a target."""
    file = FOLDER / f"{target}.jsonl"
    lines = file.read_text(encoding="ascii").splitlines() if file.exists() else []
    return [json.loads(line).encode("latin-1") for line in lines]


def write(target: str, inputs: Iterable[bytes]) -> None:
    """Write exactly these inputs of a target."""
    lines = [_line(each) for each in sorted(set(inputs))]
    (FOLDER / f"{target}.jsonl").write_text("".join(lines), encoding="ascii")


def keep(target: str, inputs: Iterable[bytes]) -> None:
    """Keep the existing inputs of a target, and add as many others as there is room for."""
    kept = set(read(target))
    room = SHARE - sum(len(_line(each)) for each in kept)
    for each in sorted(set(inputs) - kept, key=lambda one: len(_line(one))):
        room -= len(_line(each))
        if room < 0:
            break
        kept.add(each)
    write(target, kept)


def _line(data: bytes) -> str:
    return json.dumps(data.decode("latin-1")) + "\n"
