"""What is sent through a channel, as a list that grows."""

from __future__ import annotations

from mcp_operator.core.meta import Key, key_of
from mcp_operator.runtime.sources import Channel


def sent(channel: Channel) -> list[Key]:
    """Return the list of all names that are sent from now on."""
    names: list[Key] = []
    channel.add_handler(lambda event: names.append(key_of(event.object)))
    return names
