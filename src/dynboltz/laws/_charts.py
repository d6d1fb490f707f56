"""The coordinates that a law may live in."""

from __future__ import annotations

from ._chart import MomentChart
from ._coefficient_chart import CoefficientChart

Chart = MomentChart | CoefficientChart
"""Coordinates `z` with densities first. What laws share of them: `coordinates`, `densities`,
`floor`; `features(z)`, which functions see; `probabilities(z)`, which are compared with those of
replicas, `compared(replicas)`; and `moments(z)`, which are predicted."""
