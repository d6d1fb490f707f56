"""What was run, in a few lines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ._tables import number


def facts(experiment: Mapping[str, Any], metrics: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Labels and values of what a reader asks first; what is not known is left out.

    Parameters
    ----------
    experiment
        The experiment file.
    metrics
        What `metrics.json` holds.
    """
    kernel, n = experiment.get("kernel", {}), metrics.get("n_initial_conditions", {})
    found = {
        "Experiment": experiment.get("name", metrics.get("experiment")),
        "Reactions": _text(experiment.get("network")),
        "Lattice": _lattice(experiment.get("lattice", {})),
        "Box": _box(experiment.get("box", {})),
        "Simulation": _kernel(kernel),
        "Initial conditions": ", ".join(f"{count} {part}" for part, count in n.items()),
        "Replicas of each": experiment.get("initial", {}).get("replicas"),
        "Models": _models(experiment.get("models", {})),
        "Seed": metrics.get("seed", experiment.get("seed")),
        "Version": metrics.get("version"),
    }
    return [(label, str(value)) for label, value in found.items() if value not in (None, "")]


def _text(network: Any) -> str:
    return "\n".join(line.strip() for line in str(network or "").splitlines() if line.strip())


def _lattice(lattice: Mapping[str, Any]) -> str:
    shape = " × ".join(map(str, lattice.get("shape", [])))
    return f"{shape} sites, {lattice.get('boundary', 'unknown')} boundary" if shape else ""


def _box(box: Mapping[str, Any]) -> str:
    size = " × ".join(map(number, box.get("size", [])))
    return f"{size} [length], {box.get('boundary', 'periodic')} boundary" if size else ""


def _kernel(kernel: Mapping[str, Any]) -> str:
    kind, *rest = (kernel.get(key) for key in ("kind", "n_steps", "dt"))
    labels = zip(("steps", "dt"), rest, strict=True)
    shown = [f"{label} = {number(value)}" for label, value in labels if value is not None]
    return ", ".join([f"{kind} kernel", *shown]) if kind else ""


def _models(models: Mapping[str, Any]) -> str:
    return "\n".join(f"{name}: {_model(table)}" for name, table in models.items())


def _model(table: Mapping[str, Any]) -> str:
    if table.get("family") == "auto":
        return "law of moments, chosen by itself"
    return ", ".join(table.get("terms", [])) or _functional(table)


def _functional(table: Mapping[str, Any]) -> str:
    elements = table.get("elements", {})
    cells = elements.get("cells", [])
    shape = " × ".join(map(str, cells if isinstance(cells, list) else [cells]))
    kind = elements.get("kind", "hermite")
    space = "the same everywhere" if kind == "uniform" else f"{shape} {kind} elements"
    return f"K = {table.get('order', 1)}, {space}"
