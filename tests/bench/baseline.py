"""What a run of the benchmarks is compared by, and the baseline that is committed."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path

BASELINE = Path(__file__).with_name("baseline.json")

TOLERANCE = 1.3
"""How much more CPU time than the baseline's is taken for noise; a regression that matters is more.
Counts of requests have no noise."""


@dataclass
class Report:
    """The figures of one run that can be compared with those of another.

    Attributes:
        calibration_seconds: CPU time of the fixed work, by which all other CPU times are divided.
        counts: Requests, or objects, by what they were for.
        cpu_seconds: CPU time by what it was for.
    """

    calibration_seconds: float
    counts: dict[str, float] = field(default_factory=dict)
    cpu_seconds: dict[str, float] = field(default_factory=dict)

    def work(self, name: str) -> float:
        """Return a CPU time as a multiple of that of the fixed work."""
        return self.cpu_seconds[name] / self.calibration_seconds


def read(path: Path) -> Report:
    """Read what `write` wrote."""
    return Report(**json.loads(path.read_text(encoding="utf-8")))


def write(report: Report, path: Path) -> None:
    """Write a report, rounded so that a diff of two of them can be read."""
    text = json.dumps(dataclasses.asdict(report), indent=2)
    rounded = json.loads(text, parse_float=lambda number: float(f"{float(number):.4g}"))
    path.write_text(json.dumps(rounded, indent=2) + "\n", encoding="utf-8")


def differences(report: Report, baseline: Report) -> list[str]:
    """Return a sentence for each figure that is worse than the baseline's."""
    worse = [
        f"{name}: {count:.2f}, in the baseline {baseline.counts[name]:.2f}"
        for name, count in report.counts.items()
        if name in baseline.counts and round(count, 2) > baseline.counts[name]
    ]
    for name in report.cpu_seconds:
        if name in baseline.cpu_seconds:
            ratio = report.work(name) / baseline.work(name)
            if ratio > TOLERANCE:
                worse.append(f"{name}: {ratio:.2f} times the CPU time of the baseline")
    return worse
