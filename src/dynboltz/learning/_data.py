"""What learning needs of the trajectories."""

from __future__ import annotations

import typing
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float64, Int64, Shaped, UInt8

from dynboltz._arguments import checked, fitted
from dynboltz._numbers import check_finite
from dynboltz._typing import AnyArray
from dynboltz.distributions import ClampedStatistics, LatticeModel
from dynboltz.lattices import check_states


class TrainingData(NamedTuple):
    """Trajectories of a set of initial conditions, as learning sees them.

    Attributes
    ----------
    times
        Times of the snapshots.
    initial
        Coefficients at the first time.
    summaries
        Summaries of the snapshots (`ClampedStatistics.summarise`), averaged over the replicas;
        `None` for models whose hidden layers are coupled with each other.
    states
        Reader of states for sampled moments: called with the number of an initial condition, time
        indices and replica indices, it returns states of shape (times, replicas, sites).
    n_replicas
        Number of replicas of an initial condition, for the reader of states.
    expect
        Called with the numbers of the initial conditions that states are read of next, so that a
        reader can begin.
    """

    times: Float64[np.ndarray, " times"]
    initial: Float64[np.ndarray, "initial_conditions coefficients"]
    summaries: Float64[np.ndarray, "initial_conditions times features"] | None
    states: Callable[[int, np.ndarray, np.ndarray], np.ndarray] | None = None
    n_replicas: int = 0
    expect: Callable[[np.ndarray], None] | None = None


def check_data(
    where: str, data: TrainingData, coefficients: tuple[str, ...], *, n_features: int | None = None
) -> TrainingData:
    """Return the data with arrays for lists, or raise in the name of a public function.

    Shapes must fit each other and the model, and all numbers be finite: a NaN in one summary would
    spread over all coefficients of a fit, and end as an error about something else. States are
    checked when they are read.
    """
    sizes: dict[str, Any] = {"coefficients": coefficients}
    if n_features is not None:
        sizes["features"] = n_features
    hints = typing.get_type_hints(TrainingData)
    parts = {
        name: fitted(where, f"data.{name}", getattr(data, name), hints[name], sizes)
        for name in ("times", "initial", "summaries", "n_replicas")
    }
    data = data._replace(**parts)
    times = data.times
    check_finite(where, "`data.times`", times, ("time",))
    if not len(times) or not len(data.initial) or not np.all(times[1:] > times[:-1]):
        raise ValueError(
            f"{where}: `data` must have one initial condition or more, and `data.times` increase; "
            f"got {len(data.initial)} and times {times}."
        )
    if data.states is not None and (not callable(data.states) or data.n_replicas < 1):
        raise ValueError(
            f"{where}: `data.states` must be a function that reads states, with `data.n_replicas` "
            f"at least 1, got {data.n_replicas}."
        )
    check_finite(where, "`data.times`", data.times, ("time",))
    check_finite(where, "`data.initial`", data.initial, ("initial condition", "coefficient"))
    if data.summaries is not None:
        check_finite(
            where,
            "`data.summaries`",
            data.summaries,
            ("initial condition", "time", "feature"),
            advice="Summarise the states of this snapshot again, or leave the initial condition "
            "out.",
        )
    return data


def read_states(
    data: TrainingData,
    model: LatticeModel,
    number: int,
    times: Int64[np.ndarray, " times"],
    replicas: Int64[np.ndarray, " replicas"],
) -> UInt8[np.ndarray, "times replicas sites"]:
    """States of an initial condition from the reader, checked."""
    assert data.states is not None
    shape = (len(times), len(replicas), model.lattice.n_sites)
    return check_states(
        "TrainingData",
        data.states(number, times, replicas),
        model.species[0],
        shape,
        argument=f"states({number}, times, replicas)",
    )


@checked
def summarise(
    clamped: ClampedStatistics, states: Shaped[AnyArray, "replicas times sites"]
) -> Float64[np.ndarray, "times features"]:
    """Summaries of trajectories from one initial condition, averaged over the replicas.

    Parameters
    ----------
    clamped
        Makes the summaries.
    states
        Visible states: 0 for an empty site, `i + 1` for species `i`.

    Raises
    ------
    TypeError, ValueError
        If the states do not fit the species and the lattice.
    """
    model = clamped.model
    shape = ("replicas", "times", model.lattice.n_sites)
    states = check_states("summarise", states, model.species[0], shape)
    n_replicas, n_times, n_sites = states.shape
    if not n_replicas:
        raise ValueError("summarise: `states` must have one replica or more, got none.")
    flat = clamped.summarise(states.reshape(-1, n_sites))
    return flat.reshape(n_replicas, n_times, -1).mean(axis=0)
