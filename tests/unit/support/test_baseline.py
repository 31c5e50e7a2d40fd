"""What a run of the benchmarks has to be worse in for the comparison to say so."""

from __future__ import annotations

from pathlib import Path

from bench.baseline import BASELINE, Report, differences, read, write


def report(*, calibration: float = 0.1, writes: float = 3, cpu: float = 0.005) -> Report:
    return Report(calibration, {"update: writes": writes}, {"update": cpu})


def test_the_same_work_on_a_slower_machine_is_no_difference() -> None:
    assert differences(report(calibration=0.2, cpu=0.01), report()) == []


def test_more_requests_are_a_difference_and_fewer_are_none() -> None:
    assert differences(report(writes=3.4), report()) == [
        "update: writes: 3.40, in the baseline 3.00"
    ]
    assert differences(report(writes=2), report()) == []


def test_more_cpu_time_is_a_difference_once_it_is_more_than_noise() -> None:
    assert differences(report(cpu=0.006), report()) == []
    assert differences(report(cpu=0.01), report()) == [
        "update: 2.00 times the CPU time of the baseline"
    ]


def test_a_figure_that_the_baseline_does_not_have_yet_is_no_difference() -> None:
    assert differences(report(), Report(0.1)) == []


def test_a_report_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    write(report(), tmp_path / "report.json")
    assert read(tmp_path / "report.json") == report()


def test_the_baseline_that_is_committed_can_be_read() -> None:
    assert read(BASELINE).counts["1x10 update: writes"] == 3
