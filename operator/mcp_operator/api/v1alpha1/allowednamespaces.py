"""Which namespaces a server takes objects from; the Gateway API's `allowedRoutes.namespaces`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mcp_operator.api.base import ApiModel, rule, validated
from mcp_operator.api.v1alpha1.common import Selector


class AllowedNamespaces(ApiModel):
    """Namespaces, besides the server's own, whose tools, prompts and resources may be served."""

    model_config = validated(
        rule(
            "(self.from == 'Selector') == has(self.selector)",
            "selector is required with from: Selector, and not allowed with other values of from",
            field_path=".selector",
        )
    )

    from_: Literal["Same", "All", "Selector"] = Field(default="Same", alias="from")
    """Same takes objects of the server's own namespace only, All also those of every other, and
    Selector those of namespaces with some labels. An object of another namespace is served only if
    that consents: by a ReferenceGrant from MCPServers of this namespace to its kind, or by the
    annotation mcp-operator.dev/allow-from on the object, with the names of namespaces or *. What
    needs a Secret is served in its own namespace only."""
    selector: Selector | None = None
    """Labels of the namespaces, for from: Selector."""
