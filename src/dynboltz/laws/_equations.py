"""The equations of a law as text: what is known of them, and where learned functions enter."""

from __future__ import annotations

import numpy as np

from dynboltz._arguments import checked

from ._law import MomentLaw


@checked
def law_equations(law: MomentLaw) -> tuple[str, ...]:
    r"""Differential equations of a law, one for each coordinate, as text.

    `d S/dt = 0.2 + S.S - 0.5 S.I` has no learned part; `+ S f(...)` stands for one, relative to
    the density. Moments are per site, as in predictions.
    """
    chart = law.chart
    places, linear = np.asarray(chart.places), law.linear_part()
    lines = []
    for row, place in enumerate(chart.densities):
        name = chart.names[place]
        terms = [(float(linear[row, -1]), "")]
        terms += [
            (float(value), moment)
            for value, moment in zip(linear[row, :-1] / places, chart.names, strict=True)
        ]
        text = _sum(terms)
        if row in law.open:
            text = f"{name} f(...)" if text == "0" else f"{text} + {name} f(...)"
        lines.append(f"d {name}/dt = {text}")
    factors = chart.coordinates[len(chart.densities) :]
    return (*lines, *(f"d {name}/dt = f(...)" for name in factors))


def _sum(terms: list[tuple[float, str]]) -> str:
    """Sum of numbers times names, without those that vanish."""
    # Rounding of the derivation is no term.
    largest = max((abs(value) for value, _ in terms), default=0.0)
    parts = []
    for value, name in terms:
        if abs(value) <= 1e-12 * largest:
            continue
        size = f"{abs(value):.6g}"
        factor = name if name and size == "1" else f"{size} {name}".strip()
        parts.append(f"{'-' if value < 0 else '+'} {factor}")
    text = " ".join(parts) or "0"
    return f"-{text[2:]}" if text.startswith("- ") else text.removeprefix("+ ")
