"""The results of queries are read from the output of promtool."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from support.promql import Sample, evaluated
from support.promtool import promtool
from support.provision import UnavailableError


@pytest.fixture(scope="module")
def command() -> Path:
    try:
        return promtool()
    except UnavailableError as error:
        pytest.skip(str(error))


def test_the_samples_of_each_query_are_read_with_their_labels(command: Path) -> None:
    series = {'calls{tool="a \\"}, {b"}': "0+60x20", 'calls{tool="c"}': "5x20"}
    share = "rate(calls[5m])\n  / rate(calls[5m])"
    found = evaluated(command, series, ["rate(calls[5m])", share, "missing", "time()"], 10)
    odd, even = {"tool": 'a "}, {b'}, {"tool": "c"}
    assert found["rate(calls[5m])"] == [Sample(odd, 1.0), Sample(even, 0.0)]
    assert found["missing"] == []
    assert found["time()"] == [Sample({}, 600.0)]
    one, other = found[share]
    assert one == Sample(odd, 1.0)
    assert math.isnan(other.value)


@pytest.mark.parametrize("query", ["rate(calls", "calls + on (tool) calls"])
def test_a_query_that_cannot_be_evaluated_is_an_error(command: Path, query: str) -> None:
    series = {'calls{tool="a", pod="b"}': "1x20", 'calls{tool="a", pod="c"}': "1x20"}
    with pytest.raises(RuntimeError, match="promtool test rules"):
        evaluated(command, series, ["calls", query], 10)
