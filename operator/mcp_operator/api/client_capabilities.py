"""What a tool can require of clients."""

from __future__ import annotations

from typing import Literal

ClientCapability = Literal["Elicitation", "ElicitationURL", "Sampling", "SamplingTools", "Roots"]
"""Elicitation means elicitation with forms."""
