"""One worker: what it is told on its standard input, and what it tells on its standard output."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from dataclasses import dataclass
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from mcp_operator.core.errors import SettingsError
from mcp_operator.gateway.root_key import RootKey

MANAGEMENT_HOST: Final = "127.0.0.1"
"""Where the parent finds the management ports of its workers."""

Kind = Literal["gateway", "serve"]


class Order(BaseModel):
    """What a worker is to do: one line of JSON.

    Attributes:
        kind: The command that it is a worker of.
        settings: The settings of that command.
        number: Which of the workers it is, from 0 on.
        root_key: What all workers share, in hexadecimal; in a cluster they read it from a Secret.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind
    settings: dict[str, Any]
    number: int
    root_key: str


def receive() -> Order:
    """Read the order.

    Raises:
        SettingsError: There is none.
    """
    try:
        return Order.model_validate_json(sys.stdin.buffer.readline())
    except ValidationError as error:
        raise SettingsError("workers are started by --workers, not by hand") from error


@dataclass(frozen=True, slots=True)
class Worker:
    """What tells a worker's gateway from one that is alone.

    Attributes:
        root: What all workers share.
    """

    root: RootKey

    def listens(self, management_port: int) -> None:
        """Tell the parent, and stop when it is gone."""
        sys.stdout.write(json.dumps({"management": management_port}) + "\n")
        sys.stdout.flush()
        asyncio.get_running_loop().add_reader(sys.stdin.fileno(), _orphaned)


def _orphaned() -> None:
    """Stop as at a signal: gracefully, and at once if that is under way already."""
    asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
    os.kill(os.getpid(), signal.SIGTERM)
