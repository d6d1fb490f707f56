"""Closures of the raw moments of particle numbers in a well-mixed system."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final, get_args

import numpy as np
from jaxtyping import Float64, Shaped

from dynboltz._arguments import checked
from dynboltz._numbers import check_finite
from dynboltz.moments import MomentEquations, RawMoment, rate_constants, well_mixed_equations
from dynboltz.reactions import ReactionNetwork

from ._closed_moments import Affine, ClosedMoments
from ._closure import Closure
from ._raw_moments import Powers, WellMixedKind, closed_raw_moment
from ._requirements import NumberRequirements


@final
@checked
@dataclass(frozen=True, eq=False)
class WellMixedClosure(Closure[RawMoment]):
    """Closed equations of raw moments; made by `well_mixed_closure`."""

    def estimate_initial(
        self, numbers: Shaped[np.ndarray, "samples species"]
    ) -> Float64[np.ndarray, "samples moments"]:
        """Products of powers of particle numbers; their mean over samples is an initial value.

        Raises
        ------
        ValueError
            If there is another number of species, or a number is negative, not finite or so large
            that its powers are not.
        """
        species = self.equations.network.species
        if numbers.shape[1] != len(species):
            raise ValueError(
                f"WellMixedClosure.estimate_initial: `numbers` must have a column for each of "
                f"{', '.join(species)}, got shape {numbers.shape}."
            )
        if numbers.dtype.kind not in "iuf":
            raise TypeError(
                "WellMixedClosure.estimate_initial: `numbers` must hold real numbers, got an array "
                f"of {numbers.dtype}."
            )
        exponents = np.array([_powers(moment, species) for moment in self.moments])
        with np.errstate(over="ignore", invalid="ignore"):
            found = np.prod(numbers.astype(np.float64)[:, None] ** exponents, axis=2)
        if np.any(numbers < 0) or not np.all(np.isfinite(found)):
            raise ValueError(
                "WellMixedClosure.estimate_initial: `numbers` must be finite, not negative, and "
                f"have finite powers; got from {numbers.min()} to {numbers.max()}."
            )
        return found


@checked
def well_mixed_closure(
    network: ReactionNetwork,
    order: int,
    closure: WellMixedKind,
    rates: Mapping[str, float] | None = None,
) -> WellMixedClosure:
    r"""Close the equations of all raw moments of particle numbers up to an order.

    Moments above the order follow from those up to it:

    - `"zero"`: central moments above the order are zero;
    - `"normal"`: cumulants above the order are zero;
    - `"poisson"`: cumulants above the order are those of independent Poisson numbers, the mean
      for powers of one species and zero for products of different ones;
    - `"log-normal"`: all moments above the order are those of the log-normal distribution with the
      same means and second moments;
    - `"derivative-matching"`: each is a product of powers of all moments up to the order, the
      exponents chosen such that the derivatives agree at a fixed initial state; at order 2 the
      same as log-normal.

    Parameters
    ----------
    network
        The reactions, with the propensities of `well_mixed_equations`.
    order
        Highest order that is followed, at least 1; at least 2 for `"log-normal"`.
    closure
        Its name.
    rates
        Values of the rate constants `k1`, `k2`, ... [1/time]; those of the network if left out.

    Raises
    ------
    ValueError
        If the closure is unknown or not defined at the order, or a value of a rate constant is
        missing or not finite.

    References
    ----------
    Schnoerr, Sanguinetti and Grima (2015), J. Chem. Phys. 143, 185101; Singh and Hespanha (2006),
    Proc. 45th IEEE CDC, 2063.
    """
    if closure not in get_args(WellMixedKind):
        raise ValueError(
            f"well_mixed_closure: `closure` must be one of {get_args(WellMixedKind)}, got "
            f"{closure!r}."
        )
    least = 2 if closure == "log-normal" else 1
    if order < least:
        raise ValueError(
            f"well_mixed_closure: `order` must be at least {least} for the closure {closure!r}, "
            f"got {order}."
        )
    equations = well_mixed_equations(network, order)
    for name, rate in (rates or {}).items():
        check_finite("well_mixed_closure", f"`rates`, {name}", np.asarray(rate))
    system = equations.numeric(rate_constants(network) if rates is None else rates)
    species = network.species
    velocity = ClosedMoments.of(
        [closed_raw_moment(_powers(m, species), order, closure) for m in equations.unclosed],
        [_powers(moment, species) for moment in equations.moments],
        _itself,
        system,
    )
    return WellMixedClosure(closure, equations, velocity, _requirements(equations, order))


def _powers(moment: RawMoment, species: tuple[str, ...]) -> Powers:
    powers = dict(moment.powers)
    return tuple(powers.get(name, 0) for name in species)


def _itself(powers: Powers) -> Affine:
    return {powers: 1}


def _requirements(equations: MomentEquations[RawMoment], order: int) -> NumberRequirements:
    species = equations.network.species
    places = {_powers(moment, species): place for place, moment in enumerate(equations.moments)}
    units = np.eye(len(species), dtype=np.int64)
    means = np.array([places[tuple(row)] for row in units.tolist()], dtype=np.int64)
    squares = [places[tuple(row)] for row in (2 * units).tolist() if order > 1]
    names = tuple(f"moment {moment}" for moment in equations.moments)
    names += tuple(f"variance of {name}" for name in species[: len(squares)])
    return NumberRequirements(names, means, np.array(squares, dtype=np.int64))
