"""On which nodes the pods of an MCPServer run, in the words of the Pod API.

These models say which fields there are, and which go together; the API server checks their texts
with the Deployment.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mcp_operator.api.base import ApiModel, rule, validated
from mcp_operator.api.v1alpha1.common import VALUES_RULE

Text = Annotated[str, Field(max_length=317)]
"""A label key, a label value, or a name."""

Texts = Annotated[tuple[Text, ...], Field(max_length=64)]
Labels = Annotated[dict[str, Text], Field(max_length=64)]
Weight = Annotated[int, Field(ge=1, le=100)]


class Toleration(ApiModel):
    """A taint that the pods tolerate."""

    model_config = validated(
        rule(
            "has(self.key) && self.key != '' || has(self.operator) && self.operator == 'Exists'",
            "without a key, operator must be Exists",
            field_path=".operator",
        ),
        rule(
            "!has(self.value) || self.value == '' "
            "|| !has(self.operator) || self.operator != 'Exists'",
            "operator Exists takes no value",
            field_path=".value",
        ),
        rule(
            "!has(self.tolerationSeconds) || has(self.effect) && self.effect == 'NoExecute'",
            "tolerationSeconds is for effect NoExecute",
            field_path=".tolerationSeconds",
        ),
    )

    key: Text | None = None
    """Key of the taint; every taint when left out."""
    operator: Literal["Exists", "Equal", "Lt", "Gt"] | None = None
    """How the taint's value is compared; Equal when left out."""
    value: Text | None = None
    """Value of the taint."""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    """Effect of the taint; every effect when left out."""
    toleration_seconds: (
        Annotated[int, Field(ge=0, le=2**31 - 1, json_schema_extra={"format": "int64"})] | None
    ) = None
    """How long a NoExecute taint is tolerated; forever when left out."""


class Requirement(ApiModel):
    """One requirement on labels."""

    model_config = validated(VALUES_RULE)

    key: Text
    """Label key that the requirement is about."""
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    """How the label relates to the values."""
    values: Texts | None = None
    """Values for In and NotIn."""


class Labeled(ApiModel):
    """A label selector."""

    match_labels: Labels | None = None
    """Labels that must have exactly these values."""
    match_expressions: Annotated[tuple[Requirement, ...], Field(max_length=16)] | None = None
    """Requirements that must all hold."""


class NodeRequirement(ApiModel):
    """One requirement on the labels of a node."""

    key: Text
    """Label that the requirement is about."""
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"]
    """How it relates to the values."""
    values: Texts | None = None
    """Values for In, NotIn, Gt and Lt."""


class NodeFieldRequirement(ApiModel):
    """One requirement on a field of a node."""

    key: Literal["metadata.name"]
    """Field that the requirement is about."""
    operator: Literal["In", "NotIn"]
    """How it relates to the value."""
    values: Annotated[tuple[Text, ...], Field(min_length=1, max_length=1)]
    """Name of the node."""


class NodeTerm(ApiModel):
    """Requirements on a node that must all hold."""

    match_expressions: Annotated[tuple[NodeRequirement, ...], Field(max_length=16)] | None = None
    """Requirements on the labels of the node."""
    match_fields: Annotated[tuple[NodeFieldRequirement, ...], Field(max_length=16)] | None = None
    """Requirements on the name of the node."""


class NodeTerms(ApiModel):
    """Terms of which one must hold."""

    node_selector_terms: Annotated[tuple[NodeTerm, ...], Field(min_length=1, max_length=16)]
    """The terms."""


class NodePreference(ApiModel):
    """A term that is preferred."""

    weight: Weight
    """How much it counts, from 1 to 100."""
    preference: NodeTerm
    """The term."""


class NodeAffinity(ApiModel):
    """Nodes that the pods need or prefer."""

    required_during_scheduling_ignored_during_execution: NodeTerms | None = None
    """What a node must have."""
    preferred_during_scheduling_ignored_during_execution: (
        Annotated[tuple[NodePreference, ...], Field(max_length=16)] | None
    ) = None
    """What a node should have."""


class PodTerm(ApiModel):
    """Pods that are near, or must not be."""

    model_config = validated(
        rule(
            "has(self.labelSelector) || "
            "(!has(self.matchLabelKeys) || size(self.matchLabelKeys) == 0) && "
            "(!has(self.mismatchLabelKeys) || size(self.mismatchLabelKeys) == 0)",
            "matchLabelKeys and mismatchLabelKeys need a labelSelector",
            field_path=".labelSelector",
        )
    )

    topology_key: Text
    """Label of nodes that says what is near, such as kubernetes.io/hostname."""
    label_selector: Labeled | None = None
    """Which pods; none when left out."""
    namespaces: Texts | None = None
    """Their namespaces; the server's own when both this and namespaceSelector are left out."""
    namespace_selector: Labeled | None = None
    """Labels of their namespaces."""
    match_label_keys: Texts | None = None
    """Labels of the pod itself that the others must have in common with it."""
    mismatch_label_keys: Texts | None = None
    """Labels of the pod itself that the others must not have in common with it."""


class PodPreference(ApiModel):
    """A term that is preferred."""

    weight: Weight
    """How much it counts, from 1 to 100."""
    pod_affinity_term: PodTerm
    """The term."""


class PodAffinity(ApiModel):
    """Other pods that decide on a node."""

    required_during_scheduling_ignored_during_execution: (
        Annotated[tuple[PodTerm, ...], Field(max_length=16)] | None
    ) = None
    """What must hold."""
    preferred_during_scheduling_ignored_during_execution: (
        Annotated[tuple[PodPreference, ...], Field(max_length=16)] | None
    ) = None
    """What should hold."""


class Affinity(ApiModel):
    """Nodes and pods that the pods are scheduled close to, or away from."""

    node_affinity: NodeAffinity | None = None
    """Nodes that the pods need or prefer."""
    pod_affinity: PodAffinity | None = None
    """Pods to be near to."""
    pod_anti_affinity: PodAffinity | None = None
    """Pods to be apart from."""


class Spread(ApiModel):
    """How evenly pods are spread over zones or nodes."""

    model_config = validated(
        rule(
            "!has(self.minDomains) || self.whenUnsatisfiable == 'DoNotSchedule'",
            "minDomains is for whenUnsatisfiable DoNotSchedule",
            field_path=".minDomains",
        ),
        rule(
            "!has(self.matchLabelKeys) || size(self.matchLabelKeys) == 0 "
            "|| has(self.labelSelector)",
            "matchLabelKeys needs a labelSelector",
            field_path=".matchLabelKeys",
        ),
    )

    max_skew: Annotated[int, Field(ge=1, le=1000)]
    """How many more pods there may be in one place than in another."""
    topology_key: Text
    """Label of nodes that says what a place is, such as topology.kubernetes.io/zone."""
    when_unsatisfiable: Literal["DoNotSchedule", "ScheduleAnyway"]
    """What happens to a pod for which this cannot hold."""
    label_selector: Labeled | None = None
    """Which pods are counted; none when left out."""
    min_domains: Annotated[int, Field(ge=1, le=1000)] | None = None
    """How many places there must be."""
    node_affinity_policy: Literal["Honor", "Ignore"] | None = None
    """Whether nodes that affinity rules out are counted as places."""
    node_taints_policy: Literal["Honor", "Ignore"] | None = None
    """Whether nodes whose taints are not tolerated are counted as places."""
    match_label_keys: Texts | None = None
    """Labels of the pod itself that the counted pods must have in common with it."""
