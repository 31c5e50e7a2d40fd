"""Who held the lease at each write of several processes, as the API server's audit log shows.

Each process has a user of its own. It holds the lease from its first successful write of the lease
until the first such write of another process.
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
    """One write that succeeded.

    Attributes:
        user: The user who sent it.
        what: The verb and the path, for people.
        is_lease: Whether it wrote a lease.
        came: The time when the API server received it.
        done: The time when the API server responded.
    """

    user: str
    what: str
    is_lease: bool
    came: datetime
    done: datetime


def writes(log: Path, users: Collection[str]) -> list[Write]:
    """Return the writes of some users in the order of their responses."""
    found = []
    with log.open(encoding="utf-8") as lines:
        for line in lines:
            if line.endswith("\n") and any(user in line for user in users):
                entry = json.loads(line)
                if entry["user"]["username"] in users and _is_write(entry):
                    found.append(_write(entry))
    return sorted(found, key=lambda write: write.done)


def writes_without_lease(found: Collection[Write]) -> list[str]:
    """Return the writes that were sent while another process, or none, held the lease."""
    holders = [write for write in found if write.is_lease]
    late = []
    for write in found:
        before = [holder.user for holder in holders if holder.done <= write.came]
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
