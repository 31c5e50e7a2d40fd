"""The comparison of a benchmark run with the baseline, and what it reports."""

from __future__ import annotations

from pathlib import Path

from bench.baseline import BASELINE, Report, differences, read, write


def report(*, calibration: float = 0.1, writes: float = 3, cpu: float = 0.005) -> Report:
    return Report(calibration, {"update: writes": writes}, {"update": cpu})


def test_the_same_work_on_a_slower_machine_is_not_a_difference() -> None:
    assert differences(report(calibration=0.2, cpu=0.01), report()) == []


def test_more_requests_are_a_difference_and_fewer_are_not() -> None:
    assert differences(report(writes=3.4), report()) == [
        "update: writes: 3.40, in the baseline 3.00"
    ]
    assert differences(report(writes=2), report()) == []


def test_more_cpu_time_is_a_difference_only_when_it_exceeds_noise() -> None:
    assert differences(report(cpu=0.006), report()) == []
    assert differences(report(cpu=0.01), report()) == [
        "update: 2.00 times the CPU time of the baseline"
    ]


def test_a_figure_that_is_missing_in_the_baseline_is_not_a_difference() -> None:
    assert differences(report(), Report(0.1)) == []


def test_reading_a_written_report_returns_the_same_report(tmp_path: Path) -> None:
    write(report(), tmp_path / "report.json")
    assert read(tmp_path / "report.json") == report()


def test_the_committed_baseline_can_be_read() -> None:
    assert read(BASELINE).counts["1x10 update: writes"] == 3
