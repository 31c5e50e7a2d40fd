"""All targets by name: each takes any bytes, and fails if a promise does not hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from fuzz import (
    arguments,
    catalogs,
    contents,
    fronts,
    manifests,
    messages,
    replies,
    selections,
    tokens,
    uris,
)

TARGETS: Mapping[str, Callable[[bytes], None]] = {
    "arguments": arguments.check,
    "catalogs": catalogs.check,
    "contents": contents.check,
    "fronts": fronts.check,
    "manifests": manifests.check,
    "messages": messages.check,
    "replies": replies.check,
    "selections": selections.check,
    "tokens": tokens.check,
    "uris": uris.check,
}
