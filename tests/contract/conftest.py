from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from support.processes import ProcessGroup


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[ProcessGroup]:
    directory = tmp_path / "processes"
    directory.mkdir()
    with ExitStack() as stack:
        group = ProcessGroup(directory)
        stack.callback(group.stop)
        yield group
