"""The part of a server's status about objects that its selectors match but it does not serve."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from itertools import chain, islice

from mcp_operator.api.conditions import MESSAGE_LIMIT
from mcp_operator.builders.assembly import Rejection
from mcp_operator.builders.joining import not_permitted
from mcp_operator.controllers.confirmed_objects import ObjectRef
from mcp_operator.core.meta import Object

LISTED_REJECTIONS = 100
"""How many rejections a status lists, the limit of its schema; `rejectedCount` counts all."""


def rejection_fields(
    rejected: Sequence[Rejection], without_consent: Sequence[ObjectRef], namespace: str
) -> Object:
    """Return the status fields about objects that are not served, or not fully.

    They do not depend on the order in which the caches received the objects, which differs after a
    restart.

    Args:
        rejected: The objects that the catalog leaves out, fully or in part.
        without_consent: The objects of other namespaces that do not consent.
        namespace: The server's namespace.
    """
    first = heapq.nsmallest(LISTED_REJECTIONS, without_consent)
    refused = (not_permitted(kind, key, namespace) for kind, key in first)
    return {
        "rejected": [
            {
                "kind": rejection.kind,
                "namespace": rejection.key.namespace,
                "name": rejection.key.name,
                "reason": str(rejection.reason),
                "message": rejection.message[:MESSAGE_LIMIT],
            }
            for rejection in islice(chain(rejected, refused), LISTED_REJECTIONS)
        ],
        "rejectedCount": len(rejected) + len(without_consent),
    }
