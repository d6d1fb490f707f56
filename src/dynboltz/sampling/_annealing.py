"""Log partition functions by annealed importance sampling in both directions."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Float64
from scipy import optimize, special

from dynboltz._arguments import checked
from dynboltz._digits import against
from dynboltz._typing import AnyArray
from dynboltz.distributions import LatticeModel
from dynboltz.lattices import Factor, Term, child_seeds

from ._chains import Chains, advance, start_random, start_spread
from ._estimate import ConvergenceWarning, check_numbers
from ._gibbs import GibbsSampler
from ._limits import MAX_DISTANCE, MIN_WEIGHTS
from ._tables import unit_exists

N_MEANS = 10
"""States of each chain that the mean occupation of the base is taken from."""
ROUNDING = 1e-9
"""Of sums of log weights, relative to ln Z; independent units have no other error."""
MAX_DIFFERENCE = 2.5
"""Standard errors of the difference of means from two kinds of start. Small, since to take forward
chains alone for no reason only makes the error somewhat larger."""
MAX_SCALINGS = 100
SCALED = 1e-6
"""Relative error of a mean occupation of the base, far below that of the means themselves."""


class LogPartitionEstimate(NamedTuple):
    r"""Estimate of $\ln Z$ of a whole lattice.

    Attributes
    ----------
    value
        The estimate, from both directions together or, where chains at the coefficients of the
        model remember their start, from the forward one alone.
    standard_error
        Standard error of the value. If the two directions differ by more than their own errors
        allow, half of the excess is part of it.
    effective_sample_size
        Number of chains of equal weight that would be as precise, in the direction with fewer.
    forward
        Estimate from the chains that come from independent units; too low on average.
    reverse
        Estimate from the chains that come from states of the model; too high on average, if these
        states are distributed as the model says.
    """

    value: float
    standard_error: float
    effective_sample_size: float
    forward: float
    reverse: float


@checked
def anneal_log_partition(
    sampler: GibbsSampler,
    theta: Float[AnyArray, " coefficients"],
    *,
    n_chains: int = 100,
    n_temperatures: int = 1000,
    n_sweeps: int = 1,
    base: Literal["means", "biases"] | Float[AnyArray, " coefficients"] = "means",
    seed: int | np.random.SeedSequence,
) -> LogPartitionEstimate:
    r"""Estimate the log partition function by annealed importance sampling in both directions.

    Independent units with the coefficients $\theta_0$, whose $\ln Z$ is known, and the model are
    joined by $\theta_\beta = \theta_0 + \beta (\theta - \theta_0)$ with $\beta$ in equal steps.
    Forward chains start from independent units and end at $\theta$; each collects the log weight
    $w = \sum_\beta (\theta_{\beta + \Delta} - \theta_\beta) \cdot s(x_\beta)$, with $s$ summed
    over the lattice, and $\langle e^w \rangle = Z(\theta) / Z(\theta_0)$. Reverse chains start
    from states of the model and go back, with log weights $-w$. Both together give $\ln Z$ by the
    acceptance ratio of Bennett.

    The states that reverse chains start from are the ends of chains at $\theta$ itself, as long as
    the annealing, from lattices that are empty, full of each species, and drawn at random. Where
    these do not mix, as in two phases of a lattice, reverse chains do not start from the
    distribution of the model. The forward estimate, which needs no such start, is then the value,
    and the reverse one only says whether forward chains have missed a phase: if the two differ, the
    error grows, and a warning is given. Phases that no chain has seen, forward or reverse, are
    missing from the estimate without a sign.

    Parameters
    ----------
    sampler
        Sampler of the model.
    theta
        Coefficients, in the order of the model.
    n_chains
        Number of chains in each direction, at least 2.
    n_temperatures
        Number of steps, at least 1.
    n_sweeps
        Number of sweeps a step, at least 1.
    base
        The independent units: `"means"` for units with the mean occupation that the chains at
        $\theta$ find for each species, besides biases of single places; `"biases"` for the biases
        of $\theta$ alone, which may describe another phase than the model has; or coefficients of
        the model that are 0 except for biases.
    seed
        Seed.

    Warns
    -----
    ConvergenceWarning
        If the two directions differ by more than four standard errors, or if in one of them a few
        chains have all the weight.

    Raises
    ------
    ValueError
        If a number is too small, or `base` does not fit; otherwise as for `GibbsSampler.sweep`.

    References
    ----------
    Neal (2001), Stat. Comput. 11, 125; Bennett (1976), J. Comput. Phys. 22, 245; Shirts et al.
    (2003), Phys. Rev. Lett. 91, 140601, for the error.
    """
    check_numbers(
        "anneal_log_partition",
        n_chains=(n_chains, 2),
        n_temperatures=(n_temperatures, 1),
        n_sweeps=(n_sweeps, 1),
    )
    model = sampler.model
    end = sampler.check_theta(theta, 1)[0]
    for_target, for_base = child_seeds(seed, 2)
    length = max(1, n_temperatures * n_sweeps // (2 * N_MEANS))
    chains = start_spread(model, n_chains, seed=for_target)
    occupation, means, chains = _run_at_end(sampler, chains, end, length)
    # A species needs a bias to have a mean of its own, whether the model gives it one or not.
    wide = GibbsSampler(model.with_terms(_base_biases(model)))
    start = _base(model, end, base, occupation)
    end = np.append(end, np.zeros(len(start) - len(end)))
    path = np.linspace(start, end, n_temperatures + 1)
    independent = start_random(wide.model, n_chains, seed=for_base)
    forward = _log_weights(wide, advance(wide, independent, start, 1), path, n_sweeps)
    reverse = _log_weights(wide, chains, path[::-1], n_sweeps)
    forgotten = _start_is_forgotten(means, len(model.layers[0].species) + 2)
    base_log_z = _independent_log_partition(wide.model, start)
    estimate = _combine(base_log_z, forward, reverse, both=forgotten)
    _warn_unless_both_agree(estimate, forward, reverse)
    return estimate


def _run_at_end(
    sampler: GibbsSampler, chains: Chains, theta: Float64[np.ndarray, " coefficients"], length: int
) -> tuple[
    list[Float64[np.ndarray, " _labels"]], Float64[np.ndarray, "chains coefficients"], Chains
]:
    """Fraction of the units of each layer with each label, means of each chain, and their ends.

    The second half of the chains counts, `N_MEANS` states `length` sweeps apart.
    """
    exists = unit_exists(sampler.model)
    chains = advance(sampler, chains, theta, N_MEANS * length)
    # Half an occurrence each, so that what was never seen remains possible.
    counts = [np.full(len(layer.species) + 1, 0.5) for layer in sampler.model.layers]
    means = np.zeros((len(chains), theta.size))
    for _ in range(N_MEANS):
        chains = advance(sampler, chains, theta, length)
        means += sampler.model.statistics(chains.states) / N_MEANS
        for number, (states, units) in enumerate(zip(chains.states, exists, strict=True)):
            found = states[:, units].ravel()
            counts[number] += np.bincount(found, minlength=counts[number].size)
    return [count / count.sum() for count in counts], means, chains


def _start_is_forgotten(means: Float64[np.ndarray, "chains coefficients"], n_kinds: int) -> bool:
    """Whether chains of all kinds of start, which take turns, have the same means.

    With less than three chains of a kind nobody can tell.
    """
    if len(means) < 3 * n_kinds:
        return False
    kinds = [means[kind::n_kinds] for kind in range(n_kinds)]
    centres = np.array([kind.mean(axis=0) for kind in kinds])
    errors = np.array([kind.var(axis=0, ddof=1) / len(kind) for kind in kinds])
    difference = np.abs(centres[:, None] - centres)
    return bool(np.all(difference <= MAX_DIFFERENCE * np.sqrt(errors[:, None] + errors)))


def _base_biases(model: LatticeModel) -> list[Term]:
    """A bias for each species of each layer, besides those that the model has."""
    origin = (0,) * model.lattice.dim
    return [
        Term(f"base of {name}", ((Factor(name, origin, number),),))
        for number, layer in enumerate(model.layers)
        for name in layer.species
    ]


def _base(
    model: LatticeModel,
    theta: Float64[np.ndarray, " coefficients"],
    base: Literal["means", "biases"] | Float[AnyArray, " coefficients"],
    occupation: list[Float64[np.ndarray, " _labels"]],
) -> Float64[np.ndarray, " wide_coefficients"]:
    """Coefficients of the independent units, those of the further biases last."""
    n_more = sum(len(layer.species) for layer in model.layers)
    is_bias = np.array([all(len(product) == 1 for product in t.products) for t in model.terms])
    biases = np.append(np.where(is_bias, theta, 0.0), np.zeros(n_more))
    if not isinstance(base, str):
        return np.append(_check_base(model, base, is_bias), np.zeros(n_more))
    if base not in ("means", "biases"):
        raise ValueError(
            'anneal_log_partition: `base` must be "means", "biases" or coefficients of independent '
            f"units, got {base!r}."
        )
    if base == "biases" or not np.any(theta[~is_bias]):
        return biases  # of a model without couplings they are the model itself
    placed = np.array([term.at is not None for term in model.terms])
    start = np.append(np.where(is_bias & placed, theta, 0.0), np.zeros(n_more))
    start[len(theta) :] = _matching_biases(model, start[: len(theta)], occupation)
    return start


def _check_base(
    model: LatticeModel,
    base: Float[AnyArray, " coefficients"],
    is_bias: Bool[np.ndarray, " coefficients"],
) -> Float64[np.ndarray, " coefficients"]:
    values = np.asarray(base, dtype=np.float64)
    if values.shape != is_bias.shape or not np.all(np.isfinite(values)) or np.any(values[~is_bias]):
        raise ValueError(
            f"anneal_log_partition: `base` must hold {is_bias.size} finite coefficients "
            f"{model.coefficients} that are 0 except for biases, got {base}."
        )
    return values


def _matching_biases(
    model: LatticeModel,
    placed: Float64[np.ndarray, " coefficients"],
    occupation: list[Float64[np.ndarray, " _labels"]],
) -> Float64[np.ndarray, " species"]:
    """Biases, tied by translation, that give independent units a mean occupation.

    Iterative scaling; it is exact at once without biases of single places.
    """
    found = []
    for wanted, fields in zip(occupation, _fields(model, placed), strict=True):
        biases = np.zeros(wanted.size)
        for _ in range(MAX_SCALINGS):
            share = special.softmax(fields + biases[:, None], axis=0).mean(axis=1)
            biases += np.log(wanted / share)
            if np.max(np.abs(share / wanted - 1)) < SCALED:
                break
        found.append(biases[1:] - biases[0])
    return np.concatenate(found)


def _log_weights(
    sampler: GibbsSampler,
    chains: Chains,
    path: Float64[np.ndarray, "steps coefficients"],
    n_sweeps: int,
) -> Float64[np.ndarray, " chains"]:
    """Log weights of chains that follow a path from samples of its first coefficients."""
    log_weights = np.zeros(len(chains))
    for number in range(1, len(path)):
        step = path[number] - path[number - 1]
        log_weights += sampler.model.counter.count(chains.states) @ step
        if number < len(path) - 1:
            chains = advance(sampler, chains, path[number], n_sweeps)
    return log_weights


def _combine(
    base: float,
    forward: Float64[np.ndarray, " chains"],
    reverse: Float64[np.ndarray, " chains"],
    *,
    both: bool,
) -> LogPartitionEstimate:
    r"""Estimate and error from the log weights of as many chains in each direction.

    Bennett's estimate, or the forward one if the starts of reverse chains are not distributed as
    the model says (`both` is false) and forward weights are not concentrated in a few chains.

    $c = \ln Z(\theta) - \ln Z(\theta_0)$ solves $\sum f(w - c) = \sum f(c - w')$ over the forward
    log weights $w$ and the reverse ones $-w'$, with $f(x) = 1 / (1 + e^{-x})$.
    """
    there, back = _log_mean(forward), -_log_mean(reverse)
    # The difference of the two sums changes its sign between the extreme log weights.
    ends = np.append(forward, -reverse)
    low, high = float(ends.min()) - 1.0, float(ends.max()) + 1.0
    found = optimize.root_scalar(
        lambda c: _excess(c, forward, reverse), bracket=(low, high), method="brentq", xtol=1e-12
    )
    solved = float(found.root)
    error = math.hypot(
        _relative_error(special.expit(forward - solved)),
        _relative_error(special.expit(reverse + solved)),
    )
    sizes = _effective_number(forward), _effective_number(reverse)
    if not both and sizes[0] >= MIN_WEIGHTS:
        solved, error = there, _relative_error_of_log(forward)
    gap, noise = there - back, math.hypot(*map(_relative_error_of_log, (forward, reverse)))
    widened = np.sqrt(error**2 + max(0.0, gap**2 - noise**2) / 4)
    return LogPartitionEstimate(
        float(base + solved), float(widened), min(sizes), float(base + there), float(base + back)
    )


def _excess(
    c: float, forward: Float64[np.ndarray, " chains"], reverse: Float64[np.ndarray, " chains"]
) -> float:
    return float(special.expit(forward - c).sum() - special.expit(reverse + c).sum())


def _log_mean(log_weights: Float64[np.ndarray, " chains"]) -> float:
    """Log of the mean weight."""
    return float(np.logaddexp.reduce(log_weights) - np.log(log_weights.size))


def _relative_error(values: Float64[np.ndarray, " chains"]) -> float:
    """Standard error of a mean, relative to the mean."""
    return float(np.std(values, ddof=1) / np.mean(values) / np.sqrt(values.size))


def _relative_error_of_log(log_weights: Float64[np.ndarray, " chains"]) -> float:
    """Standard error of `_log_mean`, by the delta method."""
    return _relative_error(np.exp(log_weights - log_weights.max()))


def _effective_number(log_weights: Float64[np.ndarray, " chains"]) -> float:
    weights = np.exp(log_weights - log_weights.max())
    return float(np.sum(weights) ** 2 / np.sum(weights**2))


def _warn_unless_both_agree(
    estimate: LogPartitionEstimate,
    forward: Float64[np.ndarray, " chains"],
    reverse: Float64[np.ndarray, " chains"],
) -> None:
    noise = math.hypot(*map(_relative_error_of_log, (forward, reverse)))
    gap = abs(estimate.forward - estimate.reverse)
    limit = MAX_DISTANCE * noise + ROUNDING * abs(estimate.value)
    fewest = min(MIN_WEIGHTS, forward.size / 2)
    if gap <= limit and estimate.effective_sample_size >= fewest:
        return
    if gap > limit:
        allowed = against(limit, gap)
        what = (
            f"chains from independent units give ln Z = {estimate.forward:.6g}, chains from states "
            f"of the model {estimate.reverse:.6g}, which differ by {against(gap, float(allowed))} "
            f"(allowed: {allowed}, {MAX_DISTANCE:g} standard errors). The model has phases that do "
            "not mix, or the annealing is too fast; the true value is probably between the two"
        )
    else:
        size = estimate.effective_sample_size
        what = (
            f"a few of the {forward.size} chains have all the weight: their effective number is "
            f"{against(size, fewest)} (allowed: at least {fewest:g}), so that the error of ln Z is "
            "not known well"
        )
    warnings.warn(
        f"anneal_log_partition: {what}. Raise `n_temperatures` or `n_sweeps`, or give a `base` "
        "that is nearer to the model.",
        ConvergenceWarning,
        stacklevel=3,
    )


def _independent_log_partition(
    model: LatticeModel, theta: Float64[np.ndarray, " coefficients"]
) -> float:
    """Log partition function of units that only have biases."""
    logs = [np.logaddexp.reduce(fields, axis=0) for fields in _fields(model, theta)]
    return float(sum(np.sum(log) for log in logs))


def _fields(
    model: LatticeModel, theta: Float64[np.ndarray, " coefficients"]
) -> Iterator[Float64[np.ndarray, "labels units"]]:
    """Sum of the biases of each label in each unit that exists, layer by layer."""
    for number, (layer, exists) in enumerate(zip(model.layers, unit_exists(model), strict=True)):
        fields = np.zeros((len(layer.species) + 1, model.lattice.n_sites))
        for coefficient, term in zip(theta, model.terms, strict=True):
            for product in term.products:
                if len(product) == 1 and product[0].layer == number:
                    species = layer.species.index(product[0].species) + 1
                    fields[species] += coefficient * _times_counted(model, product[0], term.at)
        yield fields[:, exists]


def _times_counted(
    model: LatticeModel, factor: Factor, at: tuple[int, ...] | None
) -> Float64[np.ndarray, " sites"]:
    """How often a product of this factor alone, at one site or at all of them, names each site."""
    lattice = model.lattice
    sites = (
        lattice.translate(factor.offset)
        if at is None
        else np.array([lattice.site(factor.seen_from(at))])
    )
    return np.bincount(sites[sites >= 0], minlength=lattice.n_sites).astype(np.float64)
