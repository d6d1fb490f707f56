"""Mean statistics given visible states: hidden units enter with their probabilities."""

from __future__ import annotations

from typing import final

import numpy as np
from jaxtyping import Float64, Shaped

from dynboltz._arguments import checked
from dynboltz._numbers import check_finite
from dynboltz._typing import AnyArray
from dynboltz.distributions import ClampedStatistics, LatticeModel
from dynboltz.sampling import Chains, GibbsSampler

HIDDEN_SWEEPS = 10
"""Sweeps over hidden layers that are coupled with each other, given the visible one."""


@checked
def clamped_statistics(model: LatticeModel) -> ClampedStatistics | None:
    """Exact averages over the hidden units, or nothing if they are coupled with each other."""
    try:
        return ClampedStatistics(model)
    except ValueError:
        return None


@final
@checked
class HiddenAverage:
    r"""Statistics of visible states, averaged over the hidden units, $\mathrm{E}[s(v, h) \mid v]$.

    Where hidden units are independent of each other given the visible ones the average is exact:
    their probabilities take the place of their states, which removes the noise of drawing them and
    is unbiased in both phases. Where hidden layers are coupled with each other, products of
    probabilities would be biased; there they are drawn.

    Parameters
    ----------
    sampler
        Sampler of the model.
    """

    def __init__(self, sampler: GibbsSampler) -> None:
        self.model = sampler.model
        self.clamped = clamped_statistics(sampler.model)
        self._sampler = sampler

    @property
    def _axis_entries(self) -> dict[str, tuple[str, ...]]:
        return {"coefficients": self.model.coefficients}

    def of_states(
        self,
        theta: Float64[np.ndarray, "rows coefficients"],
        visible: Shaped[AnyArray, "states sites"],
        seed: np.random.SeedSequence,
    ) -> Float64[np.ndarray, "rows coefficients"]:
        """Means over equal groups of successive states, each with its own coefficients.

        Parameters
        ----------
        theta
            Coefficients of each group.
        visible
            The states.
        seed
            Seed of hidden units that have to be drawn.
        """
        if self.clamped is None:
            drawn = self._sampler.sample_hidden(visible, theta, seed=seed, n_sweeps=HIDDEN_SWEEPS)
            return _group_means(self.model.statistics(drawn), len(theta))
        return self.of_summaries(theta, self.summaries(visible, len(theta)))

    def of_chains(
        self, theta: Float64[np.ndarray, "rows coefficients"], chains: Chains
    ) -> Float64[np.ndarray, "rows coefficients"]:
        """Means over equal groups of chains of the model.

        Where hidden units have to be drawn, the chains have done so already.
        """
        if self.clamped is None:
            return _group_means(self.model.statistics(chains.states), len(theta))
        return self.of_summaries(theta, self.summaries(chains.visible, len(theta)))

    def summaries(
        self, visible: Shaped[AnyArray, "states sites"], n_groups: int
    ) -> Float64[np.ndarray, "groups features"]:
        """Mean summaries (`ClampedStatistics.summarise`) of equal groups of successive states."""
        assert self.clamped is not None
        return _group_means(self.clamped.summarise(visible), n_groups)

    def of_summaries(
        self,
        theta: Float64[np.ndarray, "rows coefficients"],
        summaries: Float64[np.ndarray, "rows features"],
    ) -> Float64[np.ndarray, "rows coefficients"]:
        """Averages for summaries of visible states; linear in the summaries."""
        assert self.clamped is not None
        check_finite("HiddenAverage", "`theta`", theta, ("row", "coefficient"))
        check_finite("HiddenAverage", "`summaries`", summaries, ("row", "feature"))
        return self.clamped.batch_moments(theta, summaries)


def _group_means(
    values: Float64[np.ndarray, "states features"], n_groups: int
) -> Float64[np.ndarray, "groups features"]:
    if n_groups < 1 or not len(values) or len(values) % n_groups:
        raise ValueError(
            f"HiddenAverage: the {len(values)} states must be equal groups, one or more states for "
            f"each of the {n_groups} rows of `theta` or `n_groups`."
        )
    return values.reshape(n_groups, -1, values.shape[-1]).mean(axis=1)
