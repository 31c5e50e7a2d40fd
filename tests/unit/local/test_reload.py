from __future__ import annotations

import asyncio
import itertools
import os
from pathlib import Path

import pytest

from mcp_operator.local.reload import changes, fingerprint


def test_the_fingerprint_changes_with_every_kind_of_change(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("kind: X\n")
    seen = [fingerprint([tmp_path])]

    os.utime(file, ns=(1, 1))
    seen.append(fingerprint([tmp_path]))
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b.yaml").touch()
    seen.append(fingerprint([tmp_path]))
    (tmp_path / "c.yaml").write_text("kind: X\n")
    os.utime(tmp_path / "c.yaml", ns=(1, 1))
    (tmp_path / "c.yaml").replace(file)  # as editors save: the same time and size, but another file
    seen.append(fingerprint([tmp_path]))
    file.unlink()
    seen.append(fingerprint([tmp_path]))

    assert len(set(seen)) == len(seen)


def test_the_fingerprint_is_the_same_without_a_change(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").touch()
    before = fingerprint([tmp_path])
    (tmp_path / "notes.txt").touch()

    assert fingerprint([tmp_path]) == before


def test_the_fingerprint_changes_when_a_broken_link_is_fixed(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.symlink_to(tmp_path / "later.yaml")
    before = fingerprint([tmp_path])
    (tmp_path / "later.yaml").touch()

    assert fingerprint([tmp_path]) != before


@pytest.mark.looptime
async def test_each_change_is_reported_once() -> None:
    states = itertools.chain([1, 1, 2, 2, 2, 3], itertools.repeat(3))
    loop = asyncio.get_running_loop()
    told: list[float] = []

    async def look() -> int:
        return next(states)

    async def listen() -> None:
        async for _ in changes(look, seen=1, interval=0.3):
            told.append(round(loop.time(), 1))  # noqa: PERF401 - it never ends

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(listen(), 3.05)
    assert told == [0.9, 1.8]
