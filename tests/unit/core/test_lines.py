from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_operator.core.lines import LineSplitter, LineTooLongError


@given(
    lines=st.lists(st.binary(max_size=20).map(lambda raw: raw.replace(b"\n", b""))),
    size=st.integers(min_value=1, max_value=30),
)
def test_lines_are_the_same_however_the_stream_is_cut(lines: list[bytes], size: int) -> None:
    stream = b"".join(line + b"\n" for line in lines)
    splitter = LineSplitter(limit=1000)
    seen = [
        bytes(line)
        for start in range(0, len(stream), size)
        for line in splitter.feed(stream[start : start + size])
    ]
    assert seen == lines


def test_an_incomplete_line_is_kept_for_the_next_chunk() -> None:
    splitter = LineSplitter(limit=1000)
    assert splitter.feed(b"a\nb") == [b"a"]
    assert splitter.feed(b"c") == []
    assert splitter.feed(b"\n") == [b"bc"]


def test_a_line_without_end_is_given_up() -> None:
    splitter = LineSplitter(limit=10)
    splitter.feed(b"x" * 10)
    with pytest.raises(LineTooLongError, match="longer than 10 bytes"):
        splitter.feed(b"x")
