"""MCPServers that are wrong in what they say of mode Direct."""

from __future__ import annotations

from support.manifests import server
from support.negatives.case import Negative

DIRECT = [
    Negative(
        "a gateway that restarts for its catalog",
        server(direct={"onChange": "Restart"}),
        "spec.direct",
        "a gateway reloads and reports its catalog by itself",
    ),
    Negative(
        "an unknown answer to a change of the catalog",
        server(image="example/server:1", direct={"onChange": "Ignore"}),
        "spec.direct.onChange",
        'supported values: "Reload", "Restart"',
    ),
]
