"""Learned models: a distribution and the differential equations of its coefficients."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, final

import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Bool, Float64, UInt8

from dynboltz._arguments import check_positive, check_range, checked
from dynboltz._numbers import check_finite, check_precision
from dynboltz._speaking import speaking_as
from dynboltz._warnings import ExtrapolationWarning, warn
from dynboltz.distributions import (
    LatticeModel,
    Layer,
    TransferMatrix,
    observed_moments,
    sample_chain,
)
from dynboltz.dynamics import HermiteField, HermiteFunction, HermiteGrid, integrate, step_grid
from dynboltz.lattices import Factor, Lattice, Term

from ._settings import Method

_MOST_STEPS = 1e8  # of predictions, with all of them in memory


@final
@checked
@dataclass(frozen=True)
class ReducedModel:
    r"""A Boltzmann distribution whose coefficients obey learned differential equations.

    $p(x; \theta(t))$ with $d\theta/dt = F(\theta)$; Ernst et al. (2019), eqs. (24) and (27).

    Parameters
    ----------
    model
        The distribution. One on a lattice of another size may take the place of the one that was
        learned with: coefficients and moments are per site. How good the equations are there is
        not known without simulations of that size, see `evaluation.transfer` of experiments.
    field
        The right-hand sides $F$.
    time_step
        Time between the snapshots it was learned from.
    method, substeps
        Integrator it was learned with. Euler's method with the time step of the data learns the
        map from one snapshot to the next, so that other integrators give other solutions.
    history
        Errors during learning, one entry a step and a last one of this model, see `train`.
    notes
        What learning warned of.
    learned_times
        First and last time of the data, if they are known.
    """

    model: LatticeModel
    field: HermiteField
    time_step: float
    method: Method = "euler"
    substeps: int = 1
    history: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)
    notes: tuple[str, ...] = ()
    learned_times: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        check_positive("ReducedModel", "time_step", self.time_step)
        check_range("ReducedModel", "substeps", self.substeps, least=1)
        if self.model.coefficients != self.field.coefficients:
            raise ValueError(
                f"ReducedModel: `field` must have the coefficients of `model`, "
                f"{self.model.coefficients}, got {self.field.coefficients}."
            )

    @property
    def _axis_entries(self) -> dict[str, tuple[str, ...]]:
        return {"coefficients": self.model.coefficients}

    def predict(
        self,
        theta0: Float64[np.ndarray, "initial_conditions coefficients"],
        times: Float64[np.ndarray, " times"],
    ) -> Float64[np.ndarray, "initial_conditions times coefficients"]:
        """Coefficients over time.

        Parameters
        ----------
        theta0
            Coefficients at the first time.
        times
            Increasing times [time]; they need not be those of the data, but a fixed-step method
            was learned for steps of `time_step`, so between two times it takes steps of this
            length, the last one shortened.

        Raises
        ------
        ValueError
            If `theta0` or `times` is not finite, times do not increase, or JAX is in single
            precision.
        OutsideBoxError, FloatingPointError
            If a solution leaves the box of the field or is not finite.

        Warns
        -----
        ExtrapolationWarning
            If a solution is somewhere that training has not visited, see `visited`, or goes on
            beyond the times that the model was learned from.
        """
        check_precision("ReducedModel.predict")
        axes = ("initial condition", "coefficient")
        check_finite("ReducedModel.predict", "`theta0`", theta0, axes)
        check_finite("ReducedModel.predict", "`times`", times, ("time",))
        grid, places = self.steps(np.asarray(times, dtype=float))
        if len(grid) == 1:
            self._warn_of(np.asarray(theta0)[:, None], grid)
            return np.asarray(theta0)[:, None]
        options: dict[str, Any] = {"method": self.method, "substeps": self.substeps}
        with speaking_as("ReducedModel.predict"):
            theta = np.asarray(integrate(self.field, jnp.asarray(theta0), grid, **options))
        self._warn_of(theta, grid)
        return theta[:, places]

    def moments(
        self, theta: Float64[np.ndarray, "... coefficients"], terms: Sequence[Term]
    ) -> Float64[np.ndarray, "... terms"]:
        """Exact moments per visible site of any terms, for chains.

        Exact for any coefficients; whether learned equations lead there is what `predict` warns of.

        Parameters
        ----------
        theta
            Coefficients.
        terms
            Whose moments.
        """
        with speaking_as("ReducedModel.moments"):
            return observed_moments(self.model, theta, terms)

    def sample(
        self,
        theta: Float64[np.ndarray, " coefficients"],
        n_samples: int,
        *,
        seed: int | np.random.SeedSequence,
    ) -> UInt8[np.ndarray, "samples sites"]:
        """Independent exact samples of the visible layer, for chains.

        Exact for any coefficients; whether learned equations lead there is what `predict` warns of.
        """
        with speaking_as("ReducedModel.sample"):
            return sample_chain(self._solution, theta, n_samples, seed=seed)

    @functools.cached_property
    def _solution(self) -> TransferMatrix:
        return TransferMatrix(self.model)

    def steps(self, times: Float64[np.ndarray, " times"]) -> tuple[np.ndarray, np.ndarray]:
        """All times of the integrator, and where the wanted ones are among them.

        Parameters
        ----------
        times
            Increasing times [time].

        Raises
        ------
        ValueError
            If there is no time, or one is not later than the one before or not finite.
        """
        increase = np.all(times[1:] > times[:-1]) and np.all(np.isfinite(times))
        if not len(times) or not increase:
            raise ValueError(
                f"ReducedModel.predict: `times` must be one or more increasing times, got {times}."
            )
        n_steps = float(times[-1] - times[0]) / self.time_step
        if n_steps > _MOST_STEPS:
            raise ValueError(
                f"ReducedModel.predict: `times` from {times[0]} to {times[-1]} take {n_steps:.3g} "
                f"steps of {self.time_step}; at most {_MOST_STEPS:.0e} are possible."
            )
        grid, places = step_grid(times, self.time_step)
        return grid, places

    def visited(self, theta: Float64[np.ndarray, "... coefficients"]) -> Bool[np.ndarray, ...]:
        """Tell which coefficients lie where training has been.

        Those are within the boxes of the field and in cells that it knows: those of the training
        trajectories and of the points around them where velocities were expected. Elsewhere the
        model extrapolates.

        Parameters
        ----------
        theta
            Coefficients, in the order of the model.
        """
        return self.field.visited(theta)

    def _warn_of(
        self,
        theta: Float64[np.ndarray, "initial_conditions grid coefficients"],
        times: Float64[np.ndarray, " grid"],
    ) -> None:
        """Say where a prediction extrapolates, in one warning."""
        parts = []
        strange = ~self.visited(theta)
        if strange.any():
            parts.append(self._strangers(theta, times, strange))
        if self.learned_times is not None:
            first, last = self.learned_times
            # Times may have been in single precision once.
            if times[-1] > last + 1e-6 * abs(last) or np.ptp(times) > (last - first) * (1 + 1e-6):
                parts.append(
                    f"the model was learned from times up to {last:.6g}; what comes later is "
                    "beyond its training"
                )
        if parts:
            warn(f"ReducedModel.predict: {'; '.join(parts)}.", ExtrapolationWarning)

    def _strangers(self, theta: np.ndarray, times: np.ndarray, strange: np.ndarray) -> str:
        """Which coefficients leave the cells that are known, for how many starts, and from when."""
        lower, upper = self.field.visited_range()
        points = theta[strange]
        beyond = ~((points >= lower) & (points <= upper)).all(axis=0)
        shown = ", ".join(
            f"`{name}` from {low:.3g} to {high:.3g} (visited: "
            + (f"{least:.3g} to {most:.3g})" if np.isfinite(least + most) else "nothing)")
            for name, low, high, least, most, is_beyond in zip(
                self.field.coefficients,
                points.min(axis=0),
                points.max(axis=0),
                lower,
                upper,
                np.asarray(beyond | ~beyond.any()),
                strict=True,
            )
            if is_beyond
        )
        starts, since = np.asarray(strange.any(axis=1)), times[strange.any(axis=0).argmax()]
        return (
            f"the solutions of {starts.sum()} of {len(starts)} initial conditions are in cells "
            f"that no training trajectory visited, from time {since:.6g} on, where {shown}. "
            "Nothing is known there: the model extrapolates, and where no vertex of a cell is "
            "known the coefficients do not move. Learn from initial conditions that go there, or "
            "leave these predictions out; `visited` tells which coefficients are known"
        )


@checked
def reduced_model_dataset(learned: ReducedModel) -> xr.Dataset:
    """A learned model as a labelled dataset that holds numbers and text only."""
    model = learned.model
    variables: dict[str, Any] = {
        name: ("step", np.asarray(values)) for name, values in learned.history.items()
    }
    functions = []
    for number, function in enumerate(learned.field.functions):
        vertices, dofs, outputs = (f"{name}_{number}" for name in ("vertex", "dof", "output"))
        n = function.n_allocated
        variables[f"keys_{number}"] = (vertices, np.asarray(function.keys)[:n])
        variables[f"u_{number}"] = ((vertices, dofs, outputs), np.asarray(function.u)[:n])
        functions.append({"grid": asdict(function.grid), "outputs": function.outputs})
    specification = specified_model(model) | {"functions": functions}
    attributes = {
        "kind": "dynboltz-model",
        "specification": json.dumps(specification),
        "time_step": learned.time_step,
        "method": learned.method,
        "substeps": learned.substeps,
        "history": list(learned.history),
        "notes": json.dumps(learned.notes),
    }
    if learned.learned_times is not None:
        attributes["learned_times"] = list(learned.learned_times)
    return xr.Dataset(variables, attrs=attributes)


def specified_model(model: LatticeModel) -> dict[str, Any]:
    """A model as numbers and text, for `to_model`."""
    return {
        "lattice": asdict(model.lattice),
        "layers": [asdict(layer) for layer in model.layers],
        "terms": specified_terms(model.terms),
    }


def specified_terms(terms: Sequence[Term]) -> list[dict[str, Any]]:
    """Terms as numbers and text, for `to_terms`."""
    return [
        {"name": term.name, "products": term.products}
        | ({} if term.at is None else {"at": term.at})
        for term in terms
    ]


def to_model(specification: Mapping[str, Any]) -> LatticeModel:
    """The model of `specified_model`."""
    lattice = Lattice(
        tuple(specification["lattice"]["shape"]), specification["lattice"]["boundary"]
    )
    layers = tuple(
        Layer(tuple(layer["species"]), tuple(tuple(offset) for offset in layer["stencil"]))
        for layer in specification["layers"]
    )
    return LatticeModel(lattice, layers, to_terms(specification["terms"]))


def to_terms(specified: Sequence[Mapping[str, Any]]) -> tuple[Term, ...]:
    """The terms of `specified_terms`."""
    return tuple(
        Term(
            term["name"],
            tuple(
                tuple(Factor(name, tuple(offset), layer) for name, offset, layer in product)
                for product in term["products"]
            ),
            tuple(term["at"]) if "at" in term else None,
        )
        for term in specified
    )


@checked
def load_reduced_model(dataset: xr.Dataset) -> ReducedModel:
    """The learned model of a dataset made by `reduced_model_dataset`.

    Raises
    ------
    ValueError
        If the dataset was not made so, or is damaged.
    """
    try:
        return _loaded(dataset)
    except (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError) as error:
        reason = error.args[0] if isinstance(error, KeyError) and error.args else error
        raise ValueError(
            "load_reduced_model: `dataset` must be one that `reduced_model_dataset` made, or that "
            f"`read_dataset` read; it lacks or has damaged: {reason}"
        ) from error


def _loaded(dataset: xr.Dataset) -> ReducedModel:
    specification = json.loads(dataset.attrs["specification"])
    model = to_model(specification)
    functions = tuple(
        _load_function(dataset, number, entry)
        for number, entry in enumerate(specification["functions"])
    )
    history = {name: dataset[name].values for name in dataset.attrs["history"]}
    return ReducedModel(
        model,
        HermiteField(model.coefficients, functions),
        float(dataset.attrs["time_step"]),
        dataset.attrs["method"],
        int(dataset.attrs["substeps"]),
        history,
        tuple(json.loads(dataset.attrs.get("notes", "[]"))),
        _learned_times(dataset),
    )


def _learned_times(dataset: xr.Dataset) -> tuple[float, float] | None:
    if "learned_times" not in dataset.attrs:  # Of a version that did not keep them.
        return None
    first, last = dataset.attrs["learned_times"]
    return float(first), float(last)


def _load_function(dataset: xr.Dataset, number: int, entry: dict[str, Any]) -> HermiteFunction:
    names = ("arguments", "cell", "origin", "lower", "upper")
    grid = HermiteGrid(
        *(tuple(entry["grid"][name]) for name in names), outside=entry["grid"]["outside"]
    )
    keys = jnp.asarray(dataset[f"keys_{number}"].values.astype(grid.key_dtype()))
    u = jnp.asarray(dataset[f"u_{number}"].values)
    return HermiteFunction(grid, tuple(entry["outputs"]), keys, u)
