"""One call from trajectories to a model that predicts: `dynboltz.fit`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, final

import jax
import numpy as np
import xarray as xr
from jaxtyping import Float64, Shaped

from dynboltz._arguments import check_range, checked
from dynboltz._hints import did_you_mean
from dynboltz._numbers import check_finite
from dynboltz._typing import AnyArray
from dynboltz._warnings import ExtrapolationWarning, LearningWarning, warn
from dynboltz.lattices import (
    Lattice,
)
from dynboltz.laws import (
    LearnedLaw,
    MomentChart,
    followed_terms,
    is_random_placement,
    known_part,
    law_dataset,
    learn_law,
    load_law,
    moment_chart,
    nothing_known,
    starting_coordinates,
)
from dynboltz.reactions import ReactionNetwork
from dynboltz.store import StoreError, export_netcdf, import_netcdf

from ._ensemble import check_seen, count, ensemble, states_of_one_time

KIND = "dynboltz-law"
"""Kind of the files of fitted models."""

BAND = 1.645
"""Standard deviations on either side of the band that holds nine in ten of a normal
distribution."""

N_COMPARED = 2
"""Replicas that are needed to know the noise of what predictions are compared with."""

START_SEED = 1
"""Of the chains that sample the moments of given coefficients: a prediction is a function."""

POOR_TRAINING, POOR_VALIDATION = 1.5, 2.0
"""Errors in units of the noise from which a fit is called poor: fits of systems whose densities
and pairs are enough lie between 0.9 and 1.2."""


@checked
def fit(
    states: xr.Dataset | xr.DataArray | Shaped[AnyArray, " ..."],
    network: ReactionNetwork | str | None = None,
    *,
    times: Shaped[AnyArray, " _"] | None = None,
    initial_condition: Any = None,
    species: Sequence[str] | None = None,
    lattice: Lattice | None = None,
    seed: int = 1,
    progress: bool = True,
) -> FittedModel:
    r"""Learn from lattice trajectories how densities and pairs of neighbours change in time.

    Where the reactions are given and the process runs in continuous time, what follows from them
    for the densities is kept exactly; the rest is learned, without settings, with its uncertainty
    (see `dynboltz.laws`). The model predicts from starts that were never simulated.

    Errors are given in units of the noise of the means over replicas; 0.9 to 1.2 is as good as data
    allow. A larger *training* error means that densities and pairs do not describe the process:
    check that replicas of one start begin alike, the rates, the boundary and the lattice. A larger
    *validation* error alone asks for more starts, in between and around those to predict from.

    Parameters
    ----------
    states
        States of shape (replicas, times, sites along each of one to three axes), or (replicas,
        times, sites) of a `lattice`, 0 for an empty site and `i + 1` for species `i`; or a dataset
        of trajectories that dynboltz simulated or read, which holds all that follows; or an array
        of xarray with the axes `replica` and `time`.
    network
        The reactions with their rates, or their text; left out where they are not known. Of
        reactions with collision probabilities nothing is taken as known.
    times
        Times of the records [time]. Trajectories begin at the first one: only differences to it
        count, in predictions as well.
    initial_condition
        Number or name of the start of each replica. Replicas that begin alike have the same one;
        their scatter says how large the noise is.
    species
        Names of the species; by default those of the network, or A, B, ...
    lattice
        Where the states live; by default a periodic one with the axes of the states. States that
        `simulate` returns have all sites on one axis: give the lattice of two or three axes then.
    seed
        Of everything random.
    progress
        Whether to print a line about each step of the training.

    Returns
    -------
    model
        The model.

    Raises
    ------
    TypeError, ValueError
        If states, times and starts do not fit each other, a start has one replica only or copies of
        one, a species occurs nowhere, or JAX computes in single precision.
    """
    where = "fit"
    is_collision = isinstance(states, xr.Dataset) and states.attrs.get("kernel") == "collision"
    reactions = _network(states, network)
    exact = None if is_collision else reactions
    data = ensemble(
        where,
        (states, times, initial_condition),
        species,
        reactions,
        lattice,
        lambda species, dim: followed_terms(species, dim, exact),
    )
    check_seen(where, data)
    n_replicas = min(len(moments) for moments in data.moments)
    chart = moment_chart(data.terms, data.lattice, n_replicas=n_replicas)
    known = nothing_known(chart) if exact is None else known_part(chart, data.lattice, exact)
    learned = learn_law(
        chart,
        known,
        data.times,
        data.moments,
        starts=starting_coordinates(
            chart, data.lattice, [moments[:, 0] for moments in data.moments]
        ),
        seed=seed,
        report=print if progress else None,
    )
    _warn_of_poor_fit(where, learned.training_error, learned.validation_error)
    return FittedModel(learned, data.lattice, data.species)


@final
@checked
class FittedModel:
    """Model of the densities and neighbouring pairs of a lattice; made by `dynboltz.fit`.

    Attributes
    ----------
    learned
        The laws.
    lattice
        The lattice.
    species
        Names of the species.
    """

    def __init__(self, learned: LearnedLaw, lattice: Lattice, species: Sequence[str]) -> None:
        self.learned = learned
        self.lattice = lattice
        self.species = tuple(species)

    def __repr__(self) -> str:
        shape = " x ".join(map(str, self.lattice.shape))
        return (
            f"FittedModel of {', '.join(self.learned.chart.names)} on {shape} sites, learned for "
            f"{self.learned.times[0]:g} <= t <= {self.learned.times[-1]:g}; errors in units of the "
            f"noise: training {self.learned.training_error:.2f}, validation "
            f"{self.learned.validation_error:.2f}"
        )

    @property
    def moments(self) -> tuple[str, ...]:
        """Names of the predicted moments: densities, then pairs of neighbours, then others."""
        return self.learned.moments

    @property
    def chart(self) -> MomentChart:
        """Coordinates of all predicted moments."""
        readout = self.learned.readout
        return self._followed_chart if readout is None else readout.chart

    @property
    def _followed_chart(self) -> MomentChart:
        """Coordinates of the followed moments."""
        chart = self.learned.chart
        assert isinstance(chart, MomentChart)  # laws of coefficients belong to experiments
        return chart

    @property
    def _followed(self) -> list[int]:
        """Places of the followed moments among the predicted ones."""
        return [self.moments.index(name) for name in self.learned.chart.names]

    def predict(
        self,
        densities: Mapping[str, Any] | None = None,
        *,
        states: Shaped[AnyArray, "_ ..."] | None = None,
        theta: Mapping[str, Any] | None = None,
        times: Shaped[AnyArray, " times"] | None = None,
        bands: bool = True,
    ) -> xr.Dataset:
        r"""Predict moments from starts that need not be among those of the training.

        Parameters
        ----------
        densities
            Density of each species at the first time [particles per site], a number or one for
            each of several starts; particles are placed at random.
        states
            States that are one start together, in place of densities: shape (replicas, sites along
            each axis), or one state without the axis of replicas.
        theta
            Coefficients of a Boltzmann distribution that states are drawn from, in place of
            densities: a number or one for each of several starts, by names such as `b.A` and
            `J.A.B` (`LatticeModel.from_names`), the bias of each species among them. Its moments
            are exact on chains and sampled elsewhere.
        times
            Increasing times [time], the first one that of the start; by default those of the
            training.
        bands
            Whether to compute how uncertain the law is.

        Returns
        -------
        prediction
            `moment_mean(start, time, moment)` per site, `error`, the standard deviation of the
            expectation as far as the law is uncertain, `low` and `high`, where nine in ten
            expectations should lie, the factors `g(start, time, pair)`,
            $\ln P_{ab} / (\rho_a \rho_b)$, and `is_known(start, time)`.

        Raises
        ------
        TypeError, ValueError
            If not exactly one of densities, states and theta is given, a species or coefficient is
            missing or unknown, densities are negative or their sum larger than 1, or times do not
            increase.

        Warns
        -----
        ConvergenceWarning
            If chains that sample the moments of `theta` have not converged.
        """
        where = "FittedModel.predict"
        starts = self._starts(where, densities, states, theta)
        if times is None:
            times = self.learned.times
        times = np.asarray(times, dtype=np.float64)
        check_finite(where, "`times`", times, ("time",))
        found = self.learned.predict(starts, times, bands=bands)
        chart = self.chart
        if densities is not None:
            # All moments of random placements are known, whether the law follows them or not.
            placed = chart.uncorrelated(self._densities(where, densities), self.lattice.n_sites)
            found.moments[:, 0] = chart.batch_moments(placed)
            found.error[:, 0] *= 0.0
        coordinates = chart.from_moments(found.moments)
        n_densities = len(chart.densities)
        pairs = [chart.names[i] for i in chart.factors]
        # Expectations lie between none and all places, whatever a normal error says.
        most = np.asarray(chart.places)
        low, high = (
            np.clip(found.moments + sign * BAND * found.error, 0.0, most) for sign in (-1, 1)
        )
        prediction = xr.Dataset(
            {
                "moment_mean": (("start", "time", "moment"), found.moments, {"units": "1/site"}),
                "error": (("start", "time", "moment"), found.error, {"units": "1/site"}),
                "low": (("start", "time", "moment"), np.minimum(low, found.moments)),
                "high": (("start", "time", "moment"), np.maximum(high, found.moments)),
                "g": (("start", "time", "pair"), coordinates[..., n_densities:]),
                "is_known": (("start", "time"), found.is_known),
            },
            coords={"time": times, "moment": list(chart.names), "pair": pairs},
            attrs={"species": list(self.species)},
        )
        self._warn_beyond(where, found.is_known, times)
        return prediction

    def theta(self, prediction: xr.Dataset, *, seed: int = 1) -> xr.Dataset:
        r"""Coefficients of the Boltzmann distributions that have the predicted moments.

        The distribution $p(x) \propto \exp \sum_k \theta_k s_k(x)$ has one coefficient for each
        followed moment: `b.A` for a density, `J.A.B` for neighbouring pairs, `K.A.B.A` for three in
        a row, patterns for others. Each fit starts from the one before: exact on chains, by
        persistent Gibbs chains elsewhere (`dynboltz.learning.fit_moments`).

        Where a species or pair is absent coefficients would be infinite; moments are moved inside
        what is possible then, by half of one occurrence in all states of a training start
        (`dynboltz.laws.possible_moments`).

        Parameters
        ----------
        prediction
            What `predict` returned, or some of its times or starts.
        seed
            Of the chains, on lattices without an exact solution.

        Returns
        -------
        coefficients
            `theta(start, time, coefficient)`; `error`, the standard deviation of its Monte Carlo
            error, 0 on chains; `difference(start, time, moment)` of the moments of the fit from
            the predicted ones, per site; `is_at_edge(start, time)`, where moments were moved.

        Raises
        ------
        ValueError
            If the prediction is of another model, or not finite.

        Warns
        -----
        LearningWarning
            If no distribution with these coefficients has the moments, or chains did not reach
            them.
        """
        from ._states import chart_model, theta_dataset  # noqa: PLC0415 - see there

        where = "FittedModel.theta"
        chart = self._followed_chart
        moments, times = _predicted_moments(where, prediction, chart.names)
        model = chart_model(chart, self.lattice, self.species)
        with jax.enable_x64(True):
            return theta_dataset(where, chart, model, moments, times, seed)

    def sample(
        self,
        densities: Mapping[str, Any] | None = None,
        *,
        states: Shaped[AnyArray, "_ ..."] | None = None,
        theta: Mapping[str, Any] | None = None,
        time: float | None = None,
        n_samples: int = 100,
        moments: Sequence[str] = (),
        seed: int = 1,
    ) -> xr.Dataset:
        """Draw lattice states at one time, from the distribution with the predicted moments.

        Chains are sampled exactly, other lattices by Gibbs sampling from random units.

        Parameters
        ----------
        densities, states, theta
            The start, as for `predict`.
        time
            Time of the states [time]; by default the last one of the training. At the first time a
            start from `theta` is drawn from that distribution itself.
        n_samples
            Number of states of each start.
        moments
            Moments of the states beside the predicted and neighbouring ones, as patterns such as
            `A(0) A(2)`.
        seed
            Seed.

        Returns
        -------
        samples
            Trajectories with one time: `state(replica, time, x[, y, z])`, `moments(replica, time,
            moment)` per site, and the start as `initial_condition(replica)`.

        Raises
        ------
        TypeError, ValueError
            As `predict`, if the time lies before the first one of the training, there is no sample,
            or a pattern does not fit the lattice.

        Warns
        -----
        ConvergenceWarning
            If Gibbs chains have not converged.
        """
        from ._states import (  # noqa: PLC0415 - see there
            chart_model,
            draw,
            given_coefficients,
            observed_terms,
            states_dataset,
            theta_dataset,
        )

        where = "FittedModel.sample"
        check_range(where, "n_samples", n_samples, 1)
        times = self.learned.times
        first, at = float(times[0]), float(times[-1] if time is None else time)
        check_finite(where, "`time`", at)
        if at < first:
            raise ValueError(
                f"{where}: `time` must be at least {first:g}, the first one; got {at}."
            )
        terms = observed_terms(where, self.lattice, self.species, self.chart.terms, moments)
        chart = self._followed_chart
        with jax.enable_x64(True):
            starts = self._starts(where, densities, states, theta)
            if theta is not None and at == first:
                model, rows = given_coefficients(where, self.lattice, self.species, theta)
            else:
                model = chart_model(chart, self.lattice, self.species)
                found = self._at(where, starts, at)
                fitted = theta_dataset(where, chart, model, found, np.array([at]), seed)
                rows = fitted.theta.values[:, 0]
            drawn = draw(where, model, rows, n_samples, seed)
        return states_dataset(drawn, self.lattice, self.species, terms, at, {"seed": seed})

    def _at(
        self, where: str, starts: Float64[np.ndarray, "starts coordinates"], time: float
    ) -> Float64[np.ndarray, "starts 1 moments"]:
        """Followed moments at one time; warns where the law is not known."""
        first = self.learned.times[0]
        grid = np.array([first, time] if time > first else [first])
        found = self.learned.predict(starts, grid)
        self._warn_beyond(where, found.is_known, grid)
        return found.moments[:, -1:, self._followed]

    def _starts(
        self,
        where: str,
        densities: Mapping[str, Any] | None,
        states: AnyArray | None,
        theta: Mapping[str, Any] | None,
    ) -> Float64[np.ndarray, "starts coordinates"]:
        """Coordinates of starts, given in one of three ways."""
        if sum(given is not None for given in (densities, states, theta)) != 1:
            raise ValueError(
                f"{where}: give either `densities`, one for each of {', '.join(self.species)}, or "
                "`states`, or coefficients `theta`."
            )
        chart = self._followed_chart
        if densities is not None:
            return chart.uncorrelated(self._densities(where, densities), self.lattice.n_sites)
        if theta is not None:
            return self._starts_of_coefficients(where, theta)
        array = states_of_one_time(where, np.asarray(states), self.lattice)
        moments = count(where, array[:, None], self.lattice, self.species, self.chart.terms)
        return starting_coordinates(chart, self.lattice, [moments[:, 0][:, self._followed]])

    def _starts_of_coefficients(
        self, where: str, theta: Mapping[str, Any]
    ) -> Float64[np.ndarray, "starts coordinates"]:
        from ._states import (  # noqa: PLC0415 - see there
            given_coefficients,
            moments_of_coefficients,
        )

        model, rows = given_coefficients(where, self.lattice, self.species, theta)
        terms = [self.chart.terms[i] for i in self._followed]
        with jax.enable_x64(True):
            found = moments_of_coefficients(where, model, rows, terms, START_SEED)
        return self._followed_chart.from_moments(found)

    def score(
        self,
        states: xr.Dataset | xr.DataArray | Shaped[AnyArray, " ..."],
        *,
        times: Shaped[AnyArray, " _"] | None = None,
        initial_condition: Any = None,
    ) -> xr.Dataset:
        """Compare predictions with trajectories that the model was not shown.

        Starts that are random placements of fixed numbers of particles are predicted from these
        numbers. Others are estimated from every second replica and compared with the rest, so that
        a start does not share the noise of what it is compared with.

        Parameters
        ----------
        states, times, initial_condition
            As for `dynboltz.fit`.

        Returns
        -------
        scores
            For each moment, `rmse` (root mean square over starts, mean over times), the `noise`
            that a perfect prediction would have, and `coverage`, the part of the means within the
            band of 90 %, of law and noise together.

        Raises
        ------
        TypeError, ValueError
            As `dynboltz.fit`, if the lattice is another one, or a start has less than four
            replicas.
        """
        where = "FittedModel.score"
        data = ensemble(
            where,
            (states, times, initial_condition),
            self.species,
            None,
            self.lattice,
            lambda *_: self.chart.terms,
        )
        single = [n for n, moments in enumerate(data.moments) if len(moments) < 2 * N_COMPARED]
        if single:
            raise ValueError(
                f"{where}: the start {single[0]} (counted from 0) has "
                f"{len(data.moments[single[0]])} replicas; {2 * N_COMPARED} or more are needed, as "
                "every second one may estimate the start."
            )
        chart = self._followed_chart
        first = [moments[:, 0][:, self._followed] for moments in data.moments]
        is_placed = [is_random_placement(chart, self.lattice, moments) for moments in first]
        compared = [
            moments if placed else moments[1::2]
            for moments, placed in zip(data.moments, is_placed, strict=True)
        ]
        densities = list(chart.densities)
        starts = np.array(
            [
                chart.uncorrelated(own[0, densities], self.lattice.n_sites)
                if placed
                else chart.from_moments(own[::2].mean(axis=0))
                for own, placed in zip(first, is_placed, strict=True)
            ]
        )
        found = self.learned.predict(starts, data.times, bands=True)
        means = np.array([moments.mean(axis=0) for moments in compared])
        noise = np.array([m.std(axis=0, ddof=1) / np.sqrt(len(m)) for m in compared])
        difference = found.moments - means
        spread = np.sqrt(found.error**2 + noise**2)
        inside = np.abs(difference) <= BAND * np.maximum(spread, 1e-15)
        return xr.Dataset(
            {
                "rmse": ("moment", np.sqrt((difference**2).mean(axis=0)).mean(axis=0)),
                "noise": ("moment", np.sqrt((noise**2).mean(axis=0)).mean(axis=0)),
                "coverage": ("moment", inside[:, 1:].mean(axis=(0, 1))),
            },
            coords={"moment": list(self.moments)},
            attrs={"units": "1/site", "n_starts": len(means)},
        )

    def plot(
        self,
        prediction: xr.Dataset,
        moments: Sequence[str] | None = None,
        *,
        ax: Any = None,
    ) -> Any:
        """Draw predicted moments over time with their bands, dashed where the law is not known.

        Parameters
        ----------
        prediction
            What `predict` returned.
        moments
            Which ones; by default the densities.
        ax
            Axes of matplotlib to draw on; new ones by default.

        Returns
        -------
        ax
            The axes.
        """
        from dynboltz.plot import plot_law_prediction  # noqa: PLC0415 - a second to import

        shown = moments or [self.moments[i] for i in self.learned.chart.densities]
        return plot_law_prediction(prediction, list(shown), ax=ax)

    def save(self, path: Path | str) -> None:
        """Write the model as one NetCDF file, from which `dynboltz.load` reads it.

        Raises
        ------
        StoreError
            If the file cannot be written.
        """
        export_netcdf(fitted_dataset(self), path)

    def _densities(self, where: str, densities: Mapping[str, Any]) -> np.ndarray:
        unknown = [name for name in densities if name not in self.species]
        missing = [name for name in self.species if name not in densities]
        if unknown or missing:
            what = f"unknown species {unknown[0]!r}" if unknown else f"nothing for {missing[0]!r}"
            hint = did_you_mean(unknown[0], self.species) if unknown else ""
            raise ValueError(
                f"{where}: `densities` must hold one density for each of "
                f"{', '.join(self.species)}; got {what}.{hint}"
            )
        try:
            columns = np.broadcast_arrays(
                *(np.atleast_1d(np.asarray(densities[name], dtype=float)) for name in self.species)
            )
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"{where}: `densities` must hold numbers, one for each species or lists of the "
                f"same length; got {dict(densities)}."
            ) from error
        found = np.stack(columns, axis=-1)
        check_finite(where, "`densities`", found, ("start", "species"))
        if found.ndim != 2 or np.any(found < 0) or np.any(found.sum(axis=-1) > 1 + 1e-9):
            raise ValueError(
                f"{where}: densities are numbers of particles per site, from 0 to 1 and 1 at most "
                f"together, one or a list for each species; got {dict(densities)}."
            )
        return found

    def _warn_beyond(self, where: str, known: np.ndarray, times: np.ndarray) -> None:
        end = self.learned.times[-1]
        later = times > end * (1 + 1e-9)
        if not known.all():
            share = 100 * np.mean(~known)
            warn(
                f"{where}: {share:.3g}% of the predicted points are far from all training "
                "trajectories (`is_known` is false there); add starts nearby to the training.",
                ExtrapolationWarning,
            )
        elif later.any():
            warn(
                f"{where}: the law was learned up to t = {end:g}, and is continued beyond.",
                ExtrapolationWarning,
            )


@checked
def load(path: Path | str) -> FittedModel:
    """Read a model that `FittedModel.save` wrote.

    Raises
    ------
    StoreError
        If there is no such file, or it is damaged or another one.
    """
    return load_fitted(import_netcdf(path, KIND), Path(path))


def fitted_dataset(model: FittedModel) -> xr.Dataset:
    """Dataset from which `load_fitted` makes a model again."""
    return law_dataset(model.learned).assign_attrs(
        kind=KIND,
        species=list(model.species),
        lattice_shape=list(model.lattice.shape),
        boundary=model.lattice.boundary,
    )


def load_fitted(dataset: xr.Dataset, path: Path) -> FittedModel:
    """Model from a dataset that `fitted_dataset` made; messages name the path.

    Raises
    ------
    StoreError
        If the dataset is another one.
    """
    attrs = dataset.attrs
    try:
        lattice = Lattice(tuple(attrs["lattice_shape"]), attrs["boundary"])
        return FittedModel(load_law(dataset), lattice, attrs["species"])
    except (KeyError, ValueError, TypeError, AttributeError, IndexError) as error:
        raise StoreError(path, f"holds no model that can be read: {error}.") from error


def _predicted_moments(
    where: str, prediction: xr.Dataset, names: Sequence[str]
) -> tuple[Float64[np.ndarray, "starts times moments"], Float64[np.ndarray, " times"]]:
    """Moments of these names in a prediction, and its times; without axes of one start or time."""
    axes = ("start", "time", "moment")
    if "moment_mean" not in prediction or "moment" not in prediction.moment_mean.dims:
        raise ValueError(
            f"{where}: `prediction` must hold `moment_mean(start, time, moment)`, as `predict` "
            f"returns it; got {', '.join(map(str, prediction.data_vars)) or 'nothing'}."
        )
    known = [str(name) for name in prediction.moment.values]
    lacking = [name for name in names if name not in known]
    if lacking:
        raise ValueError(
            f"{where}: `prediction` must hold all followed moments, {', '.join(names)}; "
            f"{lacking[0]!r} is missing. Was it made by another model?"
        )
    moments = prediction.moment_mean.sel(moment=list(names))
    for axis in axes[:2]:
        moments = moments if axis in moments.dims else moments.expand_dims(axis)
    times = np.atleast_1d(prediction.time.values).astype(np.float64)
    return moments.transpose(*axes).values.astype(np.float64), times


def _warn_of_poor_fit(where: str, training: float, validation: float) -> None:
    """Warn if whole trajectories are not described, or not those of starts left out."""
    if training > POOR_TRAINING:
        warn(
            f"{where}: the law errs by {training:.2g} times the noise even on the training "
            "trajectories. Densities and pairs may not be enough here; check that replicas of one "
            "number begin alike, the rates of the reactions, and the lattice.",
            LearningWarning,
        )
    elif validation > POOR_VALIDATION:
        warn(
            f"{where}: at starts that are left out the law errs by {validation:.2g} times the "
            "noise; give more starts, in between and around those that you will predict from.",
            LearningWarning,
        )


def _network(
    states: xr.Dataset | xr.DataArray | AnyArray, network: ReactionNetwork | str | None
) -> ReactionNetwork | None:
    """The reactions, those of a dataset unless they are given."""
    if network is None and isinstance(states, xr.Dataset):
        text, names = states.attrs.get("network"), states.attrs.get("species")
        return ReactionNetwork.parse(text, names) if text else None
    return ReactionNetwork.parse(network) if isinstance(network, str) else network
