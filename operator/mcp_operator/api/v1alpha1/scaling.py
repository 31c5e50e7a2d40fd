"""How many pods an MCPServer has: autoscaling, and what voluntary disruptions must leave."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mcp_operator.api.base import ApiModel, rule, validated

MAX_REPLICAS = 200

IntOrPercent = (
    Annotated[int, Field(ge=0)]
    | Annotated[str, Field(pattern=r"^(100|[1-9]?[0-9])%$", max_length=4)]
)
"""A number of pods, or a share of them such as 50%."""


class ScalingPolicy(ApiModel):
    """One limit on how fast the number of pods changes."""

    type: Literal["Pods", "Percent"]
    """Whether the value is a number of pods or a percentage of them."""
    value: Annotated[int, Field(ge=1, le=10000)]
    """Largest change within the period."""
    period_seconds: Annotated[int, Field(ge=1, le=1800)]
    """Length of the period."""


class ScalingRules(ApiModel):
    """How the number of pods moves in one direction."""

    stabilization_window_seconds: Annotated[int, Field(ge=0, le=3600)] | None = None
    """Time over which past recommendations delay a change; when left out, 300 for scaling down and
    0 for scaling up."""
    select_policy: Literal["Max", "Min", "Disabled"] | None = None
    """Which of the policies counts: the one that allows most, the one that allows least, or no
    change at all; Max when left out."""
    policies: tuple[ScalingPolicy, ...] = Field(default_factory=tuple, max_length=8)
    """Limits on the change; those of Kubernetes when left out."""


class ScalingBehavior(ApiModel):
    """How fast the number of pods follows the load, as in a HorizontalPodAutoscaler."""

    scale_up: ScalingRules | None = None
    """How pods are added."""
    scale_down: ScalingRules | None = None
    """How pods are removed."""


class Autoscaling(ApiModel):
    """A HorizontalPodAutoscaler, which then decides on the number of pods instead of replicas.

    It needs the cluster's metrics API, as metrics-server serves it.
    """

    model_config = validated(
        rule(
            "self.minReplicas <= self.maxReplicas",
            "minReplicas, which is 2 by default, must not be larger than maxReplicas",
            field_path=".minReplicas",
        )
    )

    min_replicas: Annotated[int, Field(ge=1, le=MAX_REPLICAS)] = 2
    """Fewest pods."""
    max_replicas: Annotated[int, Field(ge=1, le=MAX_REPLICAS)]
    """Most pods."""
    target_cpu_utilization_percentage: Annotated[
        int, Field(alias="targetCPUUtilizationPercentage", ge=1, le=1000)
    ] = 80
    """Target for the average CPU use, in percent of the CPU that the container requests."""
    behavior: ScalingBehavior | None = None
    """How fast the number of pods follows; the default of Kubernetes when left out."""


class PodDisruptionBudget(ApiModel):
    """How many pods an eviction, such as that of kubectl drain, must leave.

    Pods that are not ready can always be evicted.
    """

    model_config = validated(
        rule(
            "!(has(self.minAvailable) && has(self.maxUnavailable))",
            "set only one of minAvailable and maxUnavailable",
        )
    )

    enabled: bool = Field(default_factory=lambda: True)
    """Whether to create a PodDisruptionBudget.
    A server with at most one pod never has one, because it would block drains forever."""
    min_available: IntOrPercent | None = None
    """Pods that must stay, as a number or a percentage."""
    max_unavailable: IntOrPercent | None = None
    """Pods that can be unavailable, as a number or a percentage; 1 if minAvailable is left out,
    too."""
