"""Whose turn it was to write: the writes of several processes, as the API server logged them.

Each process has a user of its own. It has its turn from its first write of the lease that went well
until that of another.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from pathlib import Path

from mcp_operator.core.meta import Object

_READS = {"get", "list", "watch"}


@dataclass(frozen=True)
class Write:
    """One write that went well.

    Attributes:
        user: Who sent it.
        what: The verb and the path, for a person.
        is_lease: Whether it wrote a lease.
        came: When the API server had received it.
        done: When it had answered.
    """

    user: str
    what: str
    is_lease: bool
    came: datetime
    done: datetime


def writes(log: Path, users: Collection[str]) -> list[Write]:
    """Return the writes of some users, in the order in which they were answered."""
    found = []
    with log.open(encoding="utf-8") as lines:
        for line in lines:
            if line.endswith("\n") and any(user in line for user in users):
                entry = json.loads(line)
                if entry["user"]["username"] in users and _is_write(entry):
                    found.append(_write(entry))
    return sorted(found, key=lambda write: write.done)


def out_of_turn(found: Collection[Write]) -> list[str]:
    """Return the writes that came while another had the lease, or before anybody had it."""
    turns = [write for write in found if write.is_lease]
    late = []
    for write in found:
        before = [turn.user for turn in turns if turn.done <= write.came]
        if not write.is_lease and before[-1:] != [write.user]:
            late.append(f"{write.came:%H:%M:%S.%f} {write.user}: {write.what}")
    return late


def _is_write(entry: Object) -> bool:
    status = entry.get("responseStatus", {}).get("code", 0)
    return entry["verb"] not in _READS and status < HTTPStatus.MULTIPLE_CHOICES


def _write(entry: Object) -> Write:
    return Write(
        entry["user"]["username"],
        f"{entry['verb']} {entry['requestURI']}",
        entry.get("objectRef", {}).get("resource") == "leases",
        datetime.fromisoformat(entry["requestReceivedTimestamp"]),
        datetime.fromisoformat(entry["stageTimestamp"]),
    )
