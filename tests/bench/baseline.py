"""The figures by which benchmark runs are compared, and the committed baseline."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path

BASELINE = Path(__file__).with_name("baseline.json")

TOLERANCE = 1.3
"""The factor of CPU time over the baseline that counts as noise; a real regression is larger.
Counts of requests have no noise."""


@dataclass
class Report:
    """The figures of one run that can be compared with those of another.

    Attributes:
        calibration_seconds: CPU time of the fixed work, by which all other CPU times are divided.
        counts: Numbers of requests or objects, by purpose.
        cpu_seconds: CPU times by purpose.
    """

    calibration_seconds: float
    counts: dict[str, float] = field(default_factory=dict)
    cpu_seconds: dict[str, float] = field(default_factory=dict)

    def work(self, name: str) -> float:
        """Return a CPU time as a multiple of the CPU time of the fixed work."""
        return self.cpu_seconds[name] / self.calibration_seconds


def read(path: Path) -> Report:
    """Read a report that `write` has written."""
    return Report(**json.loads(path.read_text(encoding="utf-8")))


def write(report: Report, path: Path) -> None:
    """Write a report, with rounded numbers for readable diffs."""
    text = json.dumps(dataclasses.asdict(report), indent=2)
    rounded = json.loads(text, parse_float=lambda number: float(f"{float(number):.4g}"))
    path.write_text(json.dumps(rounded, indent=2) + "\n", encoding="utf-8")


def differences(report: Report, baseline: Report) -> list[str]:
    """Return a message for each figure that is worse than in the baseline."""
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
