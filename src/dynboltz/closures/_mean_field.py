"""The mean-field closure of a lattice: every site independent of all others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, final, get_args

import numpy as np
from jaxtyping import Bool, Float64, Int64
from scipy.integrate import solve_ivp

from dynboltz._arguments import checked
from dynboltz._numbers import check_finite
from dynboltz.lattices import Lattice, Product, Term, TermCounter
from dynboltz.reactions import Reaction, ReactionNetwork

Kernel = Literal["collision", "continuous-time"]

RELATIVE_TOLERANCE = 1e-10
ABSOLUTE_TOLERANCE = 1e-12
"""Of the densities [per site], far below the error of the closure itself."""

MOST_STEPS = 1e9
"""More steps of the collision kernel than that would take days."""
OFF_GRID = 1e-6
"""Largest distance of a recorded time from a whole number of steps, in steps."""


@checked
def mean_field(
    network: ReactionNetwork,
    lattice: Lattice,
    initial_densities: Float64[np.ndarray, "*starts species"],
    times: Float64[np.ndarray, " times"],
    *,
    kernel: Kernel,
    dt: float | None = None,
) -> Float64[np.ndarray, "*starts times species"]:
    r"""Densities if the sites of the lattice were independent and alike.

    With the density $c_\alpha$ of each species per site, $\rho = \sum_\alpha c_\alpha$, and the
    numbers $\nu_{\alpha r}$ of the stoichiometry, $\dot c_\alpha = \sum_r \nu_{\alpha r} v_r$ with
    the events per site

    - $v_r = k_r (1 - \rho)$ without reactant, $v_r = k_r c_A$ with the reactant $A$; for two
      products times the probability $1 - \overline{\rho^{z_i}}$ of an empty site among the $z_i$
      different neighbours of site $i$, averaged over the sites;
    - continuous time: $v_r = \tfrac{z}{2} k_r c_A^2$ for $A + A$ and $v_r = z k_r c_A c_B$ for
      $A + B$, with $z / 2$ the number of bonds a site. Hops do not change the densities, so that
      no hop rate enters;
    - collision kernel: the reactions of two reactants follow the others in each step. Every
      particle tries one hop and meets species $B$ with probability $c_B$: $v_r = p_r c_A^2$ or
      $2 p_r c_A c_B$ per step, where the densities are those of the moment, the collisions being
      spread evenly over the step.

    Parameters
    ----------
    network
        The reactions.
    lattice
        The lattice; its neighbours and bonds enter, nothing else.
    initial_densities
        Densities at time 0 [particles per site], in the order of `network.species`, of one start
        or of several.
    times
        Times of the result [time], not negative and in order; for the collision kernel whole
        numbers of steps.
    kernel
        `"collision"` or `"continuous-time"`: the kernel whose means are approximated.
    dt
        Length of a step of the collision kernel [time]; not for continuous time.

    Returns
    -------
    densities
        Particles per site.

    Raises
    ------
    ValueError
        If densities are negative or add up to more than 1, times are out of order or, for the
        collision kernel, no whole numbers of steps, `dt` does not fit the kernel, or two reactants
        have a rate for the collision kernel or a probability in continuous time.

    References
    ----------
    Ernst et al. (2019), eq. (36), first line, with independent sites.
    """
    _check_kernel(network, kernel, dt)
    _check_densities(initial_densities, network)
    if not np.all(np.isfinite(times)) or np.any(np.diff(times, prepend=0.0) < 0):
        raise ValueError(
            f"mean_field: `times` must be finite, not negative and in order, got {times}."
        )
    local = [r for r in network.reactions if len(r.reactants) < 2]
    pairs = [r for r in network.reactions if len(r.reactants) == 2]
    per_pair = _bonds_per_site(lattice) if dt is None else _mobile_fraction(lattice)
    local_kinetics = _Kinetics.of(network, local, lattice, per_pair)
    pair_kinetics = _Kinetics.of(network, pairs, lattice, per_pair)
    starts = initial_densities.reshape(-1, len(network.species))
    if dt is None:
        found = np.array([_flow(one, times, local_kinetics, pair_kinetics) for one in starts])
    else:
        found = _steps(starts, _whole_steps(times, dt), dt, local_kinetics, pair_kinetics)
    return found.reshape(*initial_densities.shape[:-1], len(times), len(network.species))


@checked
def mean_field_moments(
    densities: Float64[np.ndarray, "times species"],
    terms: Sequence[Term],
    lattice: Lattice,
    species: Sequence[str],
) -> Float64[np.ndarray, "times terms"]:
    r"""Compute moments of independent sites with the given densities.

    $$\mu = \frac{1}{N} \sum_{\text{products } P} n_P \prod_{(\alpha, o) \in P} c_\alpha$$

    with $n_P$ the number of places where the product fits on the $N$ sites of the lattice.

    Parameters
    ----------
    densities
        Particles per site.
    terms
        Terms of the visible layer.
    lattice
        The lattice.
    species
        Names of the species in the order of `densities`.

    Returns
    -------
    moments
        Per site.

    Raises
    ------
    ValueError
        If `densities` has another number of species, or a term does not fit the lattice or names
        a species or layer that is not there.
    """
    TermCounter(lattice, [species], terms)
    if densities.shape[1:] != (len(species),):
        raise ValueError(
            f"mean_field_moments: `densities` must have shape (times, {len(species)}), got "
            f"{densities.shape}."
        )
    check_finite("mean_field_moments", "`densities`", densities, ("time", "species"))
    moments = np.zeros((len(densities), len(terms)))
    for index, term in enumerate(terms):
        for product in term.products:
            columns = [list(species).index(factor.species) for factor in product]
            chances = np.prod(densities[:, columns], axis=1)
            n_places = _placements(product, lattice) if term.at is None else 1
            moments[:, index] += chances * n_places / lattice.n_sites
    return moments


def _placements(product: Product, lattice: Lattice) -> int:
    fits = [lattice.translate(factor.offset) >= 0 for factor in product]
    return int(np.sum(np.all(fits, axis=0)))


def _bonds_per_site(lattice: Lattice) -> float:
    return float(np.mean(np.sum(lattice.neighbours() >= 0, axis=1))) / 2


def _mobile_fraction(lattice: Lattice) -> float:
    """Fraction of the sites from where a particle can try to hop, 1 but for a lone site."""
    return float(np.mean(np.any(lattice.neighbours() >= 0, axis=1)))


def _different_neighbours(lattice: Lattice) -> Int64[np.ndarray, " sites"]:
    return np.array([len({j for j in row if j >= 0}) for row in lattice.neighbours().tolist()])


@final
@dataclass(frozen=True, eq=False)
class _Kinetics:
    """Velocity of the densities by some of the reactions of a network.

    Events are products of two amounts: those of the species, of empty sites, and 1.
    """

    changes: Float64[np.ndarray, "species reactions"]
    constants: Float64[np.ndarray, " reactions"]
    first: Int64[np.ndarray, " reactions"]
    second: Int64[np.ndarray, " reactions"]
    needs_room: Bool[np.ndarray, " reactions"]
    crowds: Int64[np.ndarray, " crowds"]
    crowd_shares: Float64[np.ndarray, " crowds"]

    @classmethod
    def of(
        cls,
        network: ReactionNetwork,
        reactions: list[Reaction],
        lattice: Lattice,
        per_pair: float,
    ) -> _Kinetics:
        """Collect `reactions`; `per_pair` is the number of meetings a site of two of a kind."""
        amounts = [_amounts(reaction, network.species) for reaction in reactions]
        chosen = [network.reactions.index(reaction) for reaction in reactions]
        crowds, n_sites = np.unique(_different_neighbours(lattice), return_counts=True)
        return cls(
            changes=network.stoichiometry[:, chosen].astype(np.float64),
            constants=np.array([_constant(r, per_pair) for r in reactions], dtype=np.float64),
            first=np.array([first for first, _ in amounts], dtype=np.int64),
            second=np.array([second for _, second in amounts], dtype=np.int64),
            needs_room=np.array(
                [len(r.reactants) < 2 and len(r.products) == 2 for r in reactions], dtype=bool
            ),
            crowds=crowds,
            crowd_shares=n_sites / lattice.n_sites,
        )

    def velocity(
        self, densities: Float64[np.ndarray, "*starts species"]
    ) -> Float64[np.ndarray, "*starts species"]:
        occupied = densities.sum(axis=-1, keepdims=True)
        amounts = np.concatenate([densities, 1 - occupied, np.ones_like(occupied)], axis=-1)
        room = 1 - (occupied**self.crowds) @ self.crowd_shares
        events = self.constants * amounts[..., self.first] * amounts[..., self.second]
        return np.where(self.needs_room, room[..., None] * events, events) @ self.changes.T


def _amounts(reaction: Reaction, species: tuple[str, ...]) -> tuple[int, int]:
    """Places of both factors among the amounts: the species, empty sites, 1."""
    empty, unit = len(species), len(species) + 1
    places = [species.index(name) for name in reaction.reactants]
    if not places:
        return empty, unit
    return places[0], places[1] if len(places) == 2 else unit


def _constant(reaction: Reaction, per_pair: float) -> float:
    constant = reaction.rate if reaction.probability is None else reaction.probability
    assert constant is not None
    if len(reaction.reactants) < 2:
        return constant
    orders = len(set(reaction.reactants))
    return constant * per_pair * orders


def _flow(
    initial: Float64[np.ndarray, " species"],
    times: Float64[np.ndarray, " times"],
    *kinetics: _Kinetics,
) -> Float64[np.ndarray, "times species"]:
    """Densities at `times` under the sum of all velocities."""
    if not times.size or times[-1] == 0:
        return np.tile(initial, (times.size, 1))
    distinct, places = np.unique(times, return_inverse=True)
    solution = solve_ivp(
        lambda _, densities: sum(k.velocity(densities) for k in kinetics),
        (0.0, times[-1]),
        initial,
        method="LSODA",
        t_eval=distinct,
        rtol=RELATIVE_TOLERANCE,
        atol=ABSOLUTE_TOLERANCE,
    )
    if not solution.success:
        raise RuntimeError(f"mean_field: the integration failed: {solution.message}")
    return solution.y.T[places]


def _steps(
    initial: Float64[np.ndarray, "starts species"],
    recorded: Int64[np.ndarray, " times"],
    dt: float,
    local: _Kinetics,
    pairs: _Kinetics,
) -> Float64[np.ndarray, "starts times species"]:
    """Densities after `recorded` numbers of steps of the collision kernel."""
    if not local.constants.size:
        return np.array([_flow(one, recorded.astype(np.float64), pairs) for one in initial])
    densities = [initial]
    for _ in range(recorded.max(initial=0)):
        densities.append(_short_flow(_short_flow(densities[-1], dt, local), 1.0, pairs))
    return np.array(densities)[recorded].swapaxes(0, 1)


def _short_flow(
    densities: Float64[np.ndarray, "starts species"], duration: float, kinetics: _Kinetics
) -> Float64[np.ndarray, "starts species"]:
    """Densities after a time in which they hardly change, of all starts together."""
    if not kinetics.constants.size:
        return densities
    solution = solve_ivp(
        lambda _, flat: kinetics.velocity(flat.reshape(densities.shape)).reshape(-1),
        (0.0, duration),
        densities.reshape(-1),
        method="DOP853",  # few long steps of high order
        t_eval=[duration],
        rtol=RELATIVE_TOLERANCE,
        atol=ABSOLUTE_TOLERANCE,
    )
    if not solution.success:
        raise RuntimeError(f"mean_field: the integration failed: {solution.message}")
    return solution.y[:, -1].reshape(densities.shape)


def _whole_steps(times: Float64[np.ndarray, " times"], dt: float) -> Int64[np.ndarray, " times"]:
    with np.errstate(over="ignore", invalid="ignore"):
        steps = np.rint(times / dt)
    if not np.all(steps < MOST_STEPS) or np.any(np.abs(times / dt - steps) > OFF_GRID):
        raise ValueError(
            f"mean_field: the collision kernel records after whole steps of `dt` = {dt}, at most "
            f"{MOST_STEPS:.0e} of them; got the times {times}."
        )
    return steps.astype(np.int64)


def _check_kernel(network: ReactionNetwork, kernel: Kernel, dt: float | None) -> None:
    if kernel not in get_args(Kernel):
        raise ValueError(f"mean_field: `kernel` must be one of {get_args(Kernel)}, got {kernel!r}.")
    if (kernel == "collision") != (dt is not None):
        raise ValueError(
            "mean_field: give `dt`, the length of a step, for the collision kernel and only for "
            f"it; got dt = {dt} with kernel {kernel!r}."
        )
    if dt is not None and not (math.isfinite(dt) and dt > 0):
        raise ValueError(f"mean_field: `dt` must be finite and positive, got {dt}.")
    wanted = "a probability p" if kernel == "collision" else "a rate k"
    for reaction in network.reactions:
        has_probability = reaction.probability is not None
        if len(reaction.reactants) == 2 and has_probability != (kernel == "collision"):
            raise ValueError(
                f"mean_field: with kernel {kernel!r} two reactants have {wanted}; got {reaction}."
            )


def _check_densities(
    densities: Float64[np.ndarray, "*starts species"], network: ReactionNetwork
) -> None:
    if densities.shape[-1:] != (len(network.species),):
        raise ValueError(
            f"mean_field: `initial_densities` must have one entry for each of the species "
            f"{', '.join(network.species)}, got shape {densities.shape}."
        )
    # Densities that are counts over sites add up to 1 within rounding on a full lattice.
    if not np.all((densities >= 0) & (densities.sum(-1, keepdims=True) <= 1 + ABSOLUTE_TOLERANCE)):
        raise ValueError(
            "mean_field: `initial_densities` must be particles per site, not negative and at most "
            f"1 together, got {densities}."
        )
