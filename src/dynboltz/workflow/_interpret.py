"""Readable equations of learned models."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, final

import jax
import numpy as np
import xarray as xr

from dynboltz._hints import did_you_mean
from dynboltz._warnings import collected
from dynboltz.closures import entropic_matching
from dynboltz.interpretation import (
    Candidate,
    Projection,
    TrajectoryErrors,
    constant,
    exponentials,
    linear,
    monomials,
    project,
    reaction_fields,
    trajectory_errors,
)
from dynboltz.learning import ReducedModel
from dynboltz.simulation import ContinuousTimeKernel

from ._directory import ResultDirectory
from ._evaluate import KIND
from ._experiment import Experiment
from ._fingerprint import metrics_fingerprint
from ._parts import PARTS
from ._progress import Progress, silent
from ._stored import read_current
from ._train import load_model
from ._visited import unvisited

REACTIONS = "reactions"
KINDS: dict[str, Callable[[Sequence[str]], Sequence[Candidate]]] = {
    "constant": lambda names: [constant()],
    "linear": linear,
    "quadratic": lambda names: monomials(names, 2)[len(names) :],
    "exponentials": exponentials,
}
"""Candidates by kind, the fields of entropic matching aside."""
DEFAULT_KINDS = (REACTIONS, "constant", "linear")


@final
@dataclass(frozen=True, eq=False)
class Interpretation:
    """A learned model as readable equations.

    Attributes
    ----------
    model
        Name of the model.
    projection
        The equations.
    errors
        Distances between solutions of the equations and of the model, for the initial conditions of
        each part; none where a solution of the equations diverges.
    notes
        What was left out, and why; where solutions of the equations leave what is known.
    """

    model: str
    projection: Projection
    errors: dict[str, TrajectoryErrors | None]
    notes: tuple[str, ...]

    def to_record(self) -> dict[str, Any]:
        """Numbers and text."""
        return {
            "model": self.model,
            "n_initial_conditions": self.projection.n_trajectories,
            "n_points": self.projection.n_points,
            "equations": self.projection.to_records(),
            "known": self._known(),
            "trajectory_errors": {
                part: None if errors is None else errors.to_records()
                for part, errors in self.errors.items()
            },
            "notes": list(self.notes),
        }

    def _known(self) -> dict[str, list[float]]:
        """Least and greatest value of each coefficient at the points of the equations."""
        names = [equation.coefficient for equation in self.projection.equations]
        ranges = self.projection.ranges or ()
        return {name: [*ends] for name, ends in zip(names, ranges, strict=False)}


def interpret(
    experiment: Experiment,
    directory: ResultDirectory,
    name: str,
    *,
    kinds: Sequence[str] = DEFAULT_KINDS,
    max_terms: int | None = None,
    progress: Progress = silent,
) -> Interpretation:
    """Write the right-hand sides of a learned model as sums of few candidates.

    The points are those of the predicted trajectories of the training initial conditions, up to the
    last time that the model was learned from, without those in cells that training did not visit.

    Parameters
    ----------
    experiment
        The experiment.
    directory
        Its results, evaluated.
    name
        Name of the model.
    kinds
        Which candidates: `"reactions"`, the fields of hops and of each reaction by entropic
        matching, where there are such fields; `"constant"`; `"linear"`; `"quadratic"`;
        `"exponentials"`.
    max_terms
        Largest number of terms of an equation.
    progress
        Called before the first equation and after each.

    Raises
    ------
    ExperimentError
        If there is no such model, or it is not evaluated yet.
    StoreError
        If results are damaged.
    ValueError
        If a kind is unknown, no candidates remain, or the model has fewer than two training initial
        conditions.
    """
    check_kinds(kinds)
    with jax.enable_x64(True):
        learned = load_model(experiment, directory, name)
        fingerprint = metrics_fingerprint(experiment)
        predicted = read_current(directory.prediction(name), KIND, fingerprint, "evaluate")
        last = predicted.attrs["learned_until"] * (1 + 1e-9)
        theta = {part: _theta(predicted, part, last) for part in PARTS}
        visited = [path[~unvisited(learned.field, path)] for path in theta["train"]]
        candidates, reference, notes = _candidates(experiment, name, kinds)

        def report(step: dict[str, Any]) -> None:
            progress({**step, "stage": "interpret", "model": name, "unit": "equations"})

        projection = project(
            learned.field,
            [path for path in visited if len(path)],
            candidates,
            max_terms=max_terms,
            reference=reference,
            progress=report,
        )
        times = experiment.times[: theta["train"].shape[1]]
        errors = {}
        for part in PARTS:
            with collected() as beyond:
                errors[part] = _errors(learned, projection, theta[part], times)
            notes += [text.replace("trajectory_errors:", f"{part}:", 1) for text in beyond]
    return Interpretation(name, projection, errors, tuple(notes))


def check_kinds(kinds: Sequence[str]) -> None:
    """Raise `ValueError` for a kind of candidates that does not exist, or for none."""
    allowed = (REACTIONS, *KINDS)
    unknown = [kind for kind in kinds if kind not in allowed]
    if unknown or not kinds:
        given = repr(unknown[0]) if unknown else "none"
        near = did_you_mean(unknown[0], allowed) if unknown else ""
        raise ValueError(f"`candidates`: allowed are {', '.join(allowed)}; got {given}.{near}")


def _theta(predicted: xr.Dataset, part: str, last: float) -> np.ndarray:
    n_initial = predicted.attrs["n_initial_conditions"][part]
    return predicted.theta.sel(part=part).values[:n_initial, predicted.time.values <= last]


def _candidates(
    experiment: Experiment, name: str, kinds: Sequence[str]
) -> tuple[list[Candidate], Candidate | None, list[str]]:
    """Candidates, entropic matching to compare with, and what was left out.

    The most telling ones come first, since they are kept where several say the same.
    """
    found: list[Candidate] = []
    reference, notes = None, []
    coefficients = experiment.plans[name].model.coefficients
    if REACTIONS in kinds:
        try:
            fields, reference = _entropic(experiment, name)
            found += fields
        except ValueError as reason:
            notes.append(f"The candidates of kind `{REACTIONS}` are left out: {reason}")
    for kind, make in KINDS.items():
        found += make(coefficients) if kind in kinds else ()
    if not found:
        raise ValueError(f"{' '.join(notes)} Offer others, such as --candidates constant,linear.")
    return found, reference, notes


def _entropic(experiment: Experiment, name: str) -> tuple[tuple[Candidate, ...], Candidate]:
    kernel = experiment.kernel
    if not experiment.has_network:
        raise ValueError("the file names no `network`.")
    if not isinstance(kernel, ContinuousTimeKernel):
        raise ValueError("entropic matching is for the continuous-time kernel.")
    if experiment.lattice.boundary != "periodic":
        raise ValueError("entropic matching is for periodic lattices.")
    plan = experiment.plans[name]
    if not plan.is_solvable:
        where = "" if experiment.lattice.dim == 1 else f", not of {experiment.lattice.dim} axes,"
        raise ValueError(
            "what each reaction does is known for models with an exact solution, those of chains"
            f"{where} whose terms are of short range."
        )
    field = entropic_matching(plan.model, experiment.network, hop_rate=kernel.hop_rate)
    return reaction_fields(field, experiment.network), Candidate("entropic matching", field)


def _errors(
    learned: ReducedModel, projection: Projection, theta: np.ndarray, times: np.ndarray
) -> TrajectoryErrors | None:
    try:
        return trajectory_errors(
            projection.field(), theta, times, method=learned.method, substeps=learned.substeps
        )
    except FloatingPointError:
        return None
