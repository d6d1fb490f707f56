"""Fingerprints: what each stored result depends on."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from ._experiment import Experiment
from ._parts import PARTS
from ._schema import DistributionInitial, StoreInitial

DRAWS = 4
"""Raised whenever the same settings begin to give other random numbers."""
LEARNER = 1
"""Raised whenever laws of moments are learned differently."""
STARTS = 1
"""Raised whenever fits hold other starts for the same settings."""


def fingerprint(value: Any) -> str:
    """SHA-256 of anything that JSON can hold."""
    text = json.dumps(value, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def trajectories_fingerprint(experiment: Experiment, part: str) -> str:
    """Of one part of the trajectories; the size of the other part does not matter."""
    table = experiment.table
    initial = table.initial.model_dump(exclude_none=True)
    if isinstance(table.initial, StoreInitial):
        initial = {"store": getattr(table.initial, part)}
    else:
        kept = {k: v for k, v in initial.items() if k not in (*PARTS, "test_replicas")}
        initial = kept | {part: initial[part], "replicas": table.initial.replicas_of(part)}
    if isinstance(table.initial, DistributionInitial) and table.initial.model is not None:
        generator = table.models[table.initial.model]
        initial |= {"model": _definition(generator)}
    return fingerprint(
        {
            "draws": DRAWS,
            "part": part,
            "seed": table.seed,
            "network": experiment.network.to_text(),
            "species": experiment.network.species,
            "lattice": table.lattice.model_dump(),
            "kernel": table.kernel.model_dump(),
            "initial": initial,
        }
    )


def fit_fingerprint(experiment: Experiment, name: str) -> str:
    """Of the fits of a model."""
    table = experiment.table.models[name]
    return fingerprint(
        {
            "trajectories": [trajectories_fingerprint(experiment, part) for part in PARTS],
            "model": _definition(table),
            "initial": experiment.plans[name].initial,
            "starts": STARTS,
            "fit": repr(experiment.plans[name].fit),
            "follows_snapshots": experiment.plans[name].follows_snapshots,
            "until": experiment.plans[name].learning.until,
        }
    )


def model_fingerprint(experiment: Experiment, name: str) -> str:
    """Of a learned model."""
    plan = experiment.plans[name]
    return fingerprint(
        {
            "fit": fit_fingerprint(experiment, name),
            "grid": repr(sorted(plan.grids.items())),
            "learning": repr(plan.learning),
        }
    )


def law_fingerprint(experiment: Experiment, name: str) -> str:
    """Of a learned law of moments."""
    parts = [trajectories_fingerprint(experiment, part) for part in PARTS]
    content: dict[str, Any] = {"trajectories": parts, "law": name, "learner": LEARNER}
    if name in experiment.coefficient_laws:
        plan = experiment.coefficient_laws[name]
        content |= {
            "model": _definition(experiment.table.models[name]),
            "initial": plan.initial,
            "reference": plan.reference,
        }
    return fingerprint(content)


def metrics_fingerprint(experiment: Experiment) -> str:
    """Of the errors of all models."""
    models = [model_fingerprint(experiment, name) for name in experiment.plans]
    models += [law_fingerprint(experiment, name) for name in experiment.law_names]
    return fingerprint({"models": models, "evaluation": experiment.table.evaluation.model_dump()})


def _definition(table: Any) -> dict[str, Any]:
    return {
        "terms": table.terms,
        "layers": [layer.model_dump() for layer in table.layers],
        "boundary": table.boundary,
    }
