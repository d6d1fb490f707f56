"""Brownian dynamics of reacting particles."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from jaxtyping import Float64, Int64

from dynboltz._arguments import checked
from dynboltz.lattices import child_seeds, streams
from dynboltz.particles import Box, PointPatterns, random_particles
from dynboltz.reactions import ReactionNetwork

from ._brownian_run import run_brownian
from ._brownian_tables import cell_grid, pair_reaction_table, reaction_radii, single_tables
from ._events import check_events

_ROUNDING = 1e-9
_MOST_STEPS = 1e12


@checked
def simulate_particles(
    network: ReactionNetwork,
    box: Box,
    initial: PointPatterns | Mapping[str, int],
    *,
    diffusion: float | Mapping[str, float],
    reaction_radius: float | Mapping[str, float],
    dt: float,
    times: Float64[np.ndarray, " times"],
    seed: int | np.random.SeedSequence,
    replicas: int | None = None,
    max_particles: int | None = None,
    first_replica: int = 0,
) -> PointPatterns:
    r"""Simulate an ensemble of reacting particles that diffuse in a box.

    Particles of species $\alpha$ diffuse with the constant $D_\alpha$. Reactions are those of Doi:

    - without a reactant, at rate $k$ per volume at a uniform position;
    - with one, at rate $k$ a particle;
    - with two, at rate $k$ for each pair at a distance of at most the reaction radius $\rho$, the
      distance in a periodic box being that of the nearest images.

    One product of two reactants is put in their middle, two products where the reactants were:
    the first at the first reactant, for reactants of one species in random order. Two products of
    fewer reactants are put at $x \pm u / 2$ with $u$ uniform in the ball of radius $\rho$, which is
    in detailed balance with their fusion in a periodic box.

    In a step of length $h$, half the diffusion (normal displacements of variance $D_\alpha h$ along
    each axis), the reactions and the other half follow each other. Reactions with less than two
    reactants are exact in time whatever $h$ is, with the probability $1 - e^{-k h}$ of a particle.
    Every close pair reacts with probability $1 - e^{-\lambda h}$, $\lambda$ the sum of the rates of
    its reactions, in random order and each particle at most once a step. The error is of order
    $h^{3/2}$, since the rate of a pair jumps at the radius, and of order $h$ where products of
    pairs react in pairs themselves.

    The result depends on the seed, not on the number of threads (`numba.set_num_threads`).

    Parameters
    ----------
    network
        Species and reactions with rates $k$: [1/(time volume)] without a reactant, else [1/time].
    box
        The box; its boundary is that of the particles.
    initial
        One pattern a replica, or one for all `replicas` (without a batch), of the network's species
        in the same box; or numbers of particles by species, placed uniformly and independently.
        Particles keep their slots as long as there are no reactions.
    diffusion
        Diffusion constants [length^2/time], for all species or by species.
    reaction_radius
        Radii $\rho$ [length], for all reactions with two reactants or two products, or by reaction,
        such as `{"A + B -> C": 0.1, "C -> A + B": 0.2}`.
    dt
        Longest step $h$ [time]. Each interval between two times is divided into equal steps.
    times
        Times of the records, increasing and not negative; the initial patterns are at time 0.
    seed
        Seed of all replicas.
    replicas
        Number of replicas; needed unless `initial` has one pattern for each.
    max_particles
        Slots of each pattern. By default those of `initial`, which is enough unless a reaction
        makes more particles than it consumes.
    first_replica
        Number of the first replica. An ensemble simulated in blocks that number on is the same as
        one simulated at once.

    Returns
    -------
    patterns
        Batch of shape (replicas, times).

    Raises
    ------
    ValueError
        If a reaction has a probability; if the rates expect more events than can be simulated; if
        the patterns, diffusion constants, radii, times or numbers do not fit one another or are out
        of range; if a replica needs more than `max_particles` slots.

    References
    ----------
    Doi (1976), J. Phys. A 9, 1479; Erban and Chapman (2009), Phys. Biol. 6, 046001.
    """
    _check_network(network)
    _check_numbers(dt, first_replica)
    _check_times(times)
    placement, motion = child_seeds(seed, 2)
    start = _initial(initial, network, box, replicas, placement, first_replica)
    n_slots = _slots(network, start, max_particles)
    _check_events(network, box, n_slots * len(start.labels), float(times[-1]))
    radii = reaction_radii(network, reaction_radius)
    singles, single_radii = single_tables(network, radii)
    pairs = pair_reaction_table(network, radii)
    positions, labels = _padded(start, n_slots)
    out_positions = np.zeros((len(labels), len(times), n_slots, box.dim))
    out_labels = np.zeros((len(labels), len(times), n_slots), dtype=np.uint8)
    reached = np.zeros(len(labels), dtype=np.int64)
    run_brownian(
        positions,
        labels,
        np.count_nonzero(labels, axis=1),
        streams(motion, len(labels), first_replica),
        np.array(box.lengths, dtype=np.float64),
        box.is_periodic,
        _schedule(times, dt, _diffusion(network, diffusion)),
        tuple(singles),
        single_radii,
        tuple(pairs),
        tuple(cell_grid(box, math.sqrt(pairs.reach.max()), n_slots)),
        out_positions,
        out_labels,
        reached,
    )
    _check_reached(reached, times, n_slots, first_replica)
    return PointPatterns(out_positions, out_labels, network.species, box)


def _check_network(network: ReactionNetwork) -> None:
    for reaction in network.reactions:
        if reaction.probability is not None:
            raise ValueError(
                f"simulate_particles: `{reaction}` has a probability p. There are no collisions in "
                "continuous space: give the rate k of each pair within the reaction radius."
            )
    if len(network.species) > 254:
        raise ValueError(
            f"simulate_particles: there may be 254 species, got {len(network.species)}."
        )


def _check_events(network: ReactionNetwork, box: Box, n_particles: int, duration: float) -> None:
    """Creations in the box and reactions of single particles; pairs react once a step at most."""
    rates = {
        n: sum(float(r.rate or 0.0) for r in network.reactions if len(r.reactants) == n)
        for n in (0, 1)
    }
    check_events(
        "simulate_particles",
        (rates[0] * math.prod(box.lengths) + rates[1] * n_particles) * duration,
        "Lower the rate constants k of the reactions, or simulate a shorter time.",
    )


def _check_numbers(dt: float, first_replica: int) -> None:
    if not 0 < dt < math.inf:
        raise ValueError(f"simulate_particles: `dt` must be positive and finite, got {dt}.")
    if first_replica < 0:
        raise ValueError(
            f"simulate_particles: `first_replica` must not be negative, got {first_replica}."
        )


def _check_times(times: Float64[np.ndarray, " times"]) -> None:
    late = times.size and times[0] >= 0 and np.all(np.diff(times) > 0)
    if not late or not np.all(np.isfinite(times)):
        raise ValueError(
            "simulate_particles: `times` must be some finite times that increase from 0 or later, "
            f"got {times}."
        )


def _schedule(
    times: Float64[np.ndarray, " times"], dt: float, diffusion: Float64[np.ndarray, " labels"]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Length of the steps before each time, their number, deviations of half and whole steps."""
    intervals = np.diff(times, prepend=0.0)
    with np.errstate(over="ignore"):
        steps = np.ceil(intervals / dt * (1 - _ROUNDING))
        durations = intervals / np.maximum(steps, 1)
        whole = 2 * diffusion * durations[:, None]
    if np.any(steps > _MOST_STEPS):
        raise ValueError(
            f"simulate_particles: `dt` is too short: the interval {intervals.max():g} takes more "
            f"than {_MOST_STEPS:g} steps of {dt:g}."
        )
    if not np.all(np.isfinite(whole)):
        raise ValueError(
            "simulate_particles: `diffusion` is too large: particles leave the range of floating-"
            f"point numbers within a step, got {diffusion.max():g}."
        )
    return durations, steps.astype(np.int64), np.sqrt(np.stack([whole / 2, whole], axis=1))


def _initial(
    initial: PointPatterns | Mapping[str, int],
    network: ReactionNetwork,
    box: Box,
    replicas: int | None,
    seed: np.random.SeedSequence,
    first_replica: int,
) -> PointPatterns:
    """One pattern for each replica."""
    given = initial.batch if isinstance(initial, PointPatterns) else ()
    if len(given) > 1 or 0 in given or (given and replicas not in (None, *given)):
        raise ValueError(
            "simulate_particles: `initial` must have the batch () or (replicas,), got the batch "
            f"{given} and `replicas` {replicas}."
        )
    if not given and (replicas is None or replicas < 1):
        raise ValueError(
            "simulate_particles: `replicas` must be at least 1 where `initial` has no batch, got "
            f"{replicas}."
        )
    if not isinstance(initial, PointPatterns):
        n_replicas = replicas or 0
        return random_particles(
            box, network.species, initial, n_replicas, seed=seed, first=first_replica
        )
    if initial.species != network.species or initial.box != box:
        raise ValueError(
            f"simulate_particles: `initial` must have the species {', '.join(network.species)} in "
            f"{box}, got {', '.join(initial.species)} in {initial.box}."
        )
    return initial if given else initial[None][np.zeros(replicas or 0, dtype=np.int64)]


def _slots(network: ReactionNetwork, start: PointPatterns, max_particles: int | None) -> int:
    largest = int(start.counts().sum(axis=-1).max())
    grows = [r for r in network.reactions if len(r.products) > len(r.reactants) and r.rate]
    if max_particles is None and grows:
        raise ValueError(
            f"simulate_particles: `{grows[0]}` makes particles; give `max_particles`, the largest "
            f"number that a pattern may have. There are up to {largest} at the beginning."
        )
    slots = start.n_slots if max_particles is None else max_particles
    if slots < largest:
        raise ValueError(
            f"simulate_particles: `max_particles` must be at least {largest}, the largest initial "
            f"number, got {max_particles}."
        )
    return slots


def _padded(start: PointPatterns, n_slots: int) -> tuple[np.ndarray, np.ndarray]:
    """Copies of the positions and labels with `n_slots` slots."""
    kept = min(n_slots, start.n_slots)
    positions = np.zeros((*start.batch, n_slots, start.box.dim))
    labels = np.zeros((*start.batch, n_slots), dtype=np.uint8)
    positions[:, :kept] = start.positions[:, :kept]
    labels[:, :kept] = start.labels[:, :kept]
    return positions, labels


def _diffusion(
    network: ReactionNetwork, diffusion: float | Mapping[str, float]
) -> Float64[np.ndarray, " labels"]:
    """Diffusion constant by label, 0 for none."""
    if not isinstance(diffusion, Mapping):
        diffusion = dict.fromkeys(network.species, diffusion)
    if set(diffusion) != set(network.species):
        raise ValueError(
            "simulate_particles: `diffusion` must name each species once "
            f"({', '.join(network.species)}), got {', '.join(diffusion) or 'none'}."
        )
    for constant in diffusion.values():
        if not 0 <= constant < math.inf:
            raise ValueError(
                "simulate_particles: `diffusion` must be finite and not negative, got "
                f"{dict(diffusion)}."
            )
    return np.array([0.0, *(diffusion[name] for name in network.species)], dtype=np.float64)


def _check_reached(
    reached: Int64[np.ndarray, " replicas"],
    times: Float64[np.ndarray, " times"],
    n_slots: int,
    first_replica: int,
) -> None:
    full = np.flatnonzero(reached < len(times))
    if full.size:
        raise ValueError(
            f"simulate_particles: {full.size} of {len(reached)} replicas needed more than "
            f"`max_particles` = {n_slots} slots, the replica {first_replica + int(full[0])} before "
            f"the time {times[reached[full[0]]]}. Raise `max_particles`, or look for a reaction "
            "without bound."
        )
