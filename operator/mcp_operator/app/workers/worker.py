"""One worker: the order on its standard input, and the message on its standard output."""

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
"""The address of the workers' management ports."""

Kind = Literal["gateway", "serve"]


class Order(BaseModel):
    """The instructions for a worker: one line of JSON.

    Attributes:
        kind: The command that it is a worker of.
        settings: The settings of that command.
        number: The worker's number, from 0.
        root_key: The key that all workers share, in hexadecimal; in a cluster, it is in a Secret.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind
    settings: dict[str, Any]
    number: int
    root_key: str


def receive() -> Order:
    """Read the order.

    Raises:
        SettingsError: There is no valid order.
    """
    try:
        return Order.model_validate_json(sys.stdin.buffer.readline())
    except ValidationError as error:
        raise SettingsError("workers are started by --workers, not by hand") from error


@dataclass(frozen=True, slots=True)
class Worker:
    """What the gateway of a worker has in addition to a single gateway.

    Attributes:
        root: The key that all workers share.
    """

    root: RootKey

    def listens(self, management_port: int) -> None:
        """Tell the parent that the worker listens, and stop when the parent is gone."""
        sys.stdout.write(json.dumps({"management": management_port}) + "\n")
        sys.stdout.flush()
        asyncio.get_running_loop().add_reader(sys.stdin.fileno(), _orphaned)


def _orphaned() -> None:
    """Stop as on SIGTERM: gracefully, or at once if the worker is already stopping."""
    asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
    os.kill(os.getpid(), signal.SIGTERM)
