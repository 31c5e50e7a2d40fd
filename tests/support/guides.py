"""The guides that messages refer to."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

_ROOT: Final = Path(__file__).parents[2]


def assert_the_guide_installs(message: str, extra: str) -> None:
    """Fail unless a message refers to a guide of this repository that installs an extra."""
    [guide] = re.findall(r"https://github\.com/mcp-operator/mcp-operator/blob/main/(\S+)", message)
    text = (_ROOT / guide).read_text(encoding="utf-8")
    assert f"pip install 'mcp-operator[{extra}] @ https://" in text
