"""Fingerprints: what each stored result of a box depends on."""

from __future__ import annotations

from .._fingerprint import DRAWS, STARTS, fingerprint
from .._parts import PARTS
from ._experiment import BoxExperiment


def trajectories_fingerprint(experiment: BoxExperiment, part: str) -> str:
    """Of one part of the trajectories; the size of the other part does not matter."""
    table = experiment.table
    initial = table.initial.model_dump(exclude_none=True)
    initial = {k: v for k, v in initial.items() if k not in PARTS} | {part: initial[part]}
    return fingerprint(
        {
            "draws": DRAWS,
            "part": part,
            "seed": table.seed,
            "network": experiment.network.to_text(),
            "species": experiment.species,
            "box": table.box.model_dump(),
            "kernel": table.kernel.model_dump(),
            "initial": initial,
        }
    )


def fit_fingerprint(experiment: BoxExperiment, name: str) -> str:
    """Of the fits of a model."""
    return fingerprint(
        {
            "trajectories": [trajectories_fingerprint(experiment, part) for part in PARTS],
            "elements": experiment.plans[name].table.elements.model_dump(),
            "pairs": list(experiment.plans[name].model.pair),
            "starts": STARTS,
        }
    )


def model_fingerprint(experiment: BoxExperiment, name: str) -> str:
    """Of a learned model, and of the one that it starts from."""
    table = experiment.plans[name].table
    start = getattr(table.learning, "start_from", None)
    return fingerprint(
        {
            "fit": fit_fingerprint(experiment, name),
            "order": table.order,
            "dynamics": {key: value.model_dump() for key, value in table.dynamics.items()},
            "pairs": table.model_dump().get("pairs"),
            "learning": table.learning.model_dump(),
            "start": None if start is None else model_fingerprint(experiment, start),
        }
    )


def metrics_fingerprint(experiment: BoxExperiment) -> str:
    """Of the errors of all models."""
    models = {name: model_fingerprint(experiment, name) for name in experiment.plans}
    return fingerprint({"models": models, "evaluation": experiment.table.evaluation.model_dump()})
