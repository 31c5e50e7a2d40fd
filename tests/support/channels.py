"""The messages that are sent through a channel, as a growing list."""

from __future__ import annotations

from mcp_operator.core.meta import Key, key_of
from mcp_operator.runtime.sources import Channel


def sent(channel: Channel) -> list[Key]:
    """Return a list of the names that are sent from now on."""
    names: list[Key] = []
    channel.add_handler(lambda event: names.append(key_of(event.object)))
    return names
