"""Which moments the lower ones depend on, and the terms of a model that would carry them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from dynboltz._arguments import checked
from dynboltz.lattices import Offset, pattern_images
from dynboltz.reactions import ReactionNetwork

from ._geometry import Geometry
from ._lattice_equations import moment_equations
from ._moment import Moment

_KINDS = {1: "b", 2: "J", 3: "K"}
"""Names of terms of consecutive sites, by their number."""


@checked
def cluster_moments(species: Sequence[str], order: int, dim: int = 1) -> tuple[Moment, ...]:
    """Moments of all clusters of up to `order` neighbouring sites, lower orders first.

    Clusters are connected through nearest neighbours; images of each other are taken once.

    Parameters
    ----------
    species
        Names of the species.
    order
        Largest number of sites, at least 1.
    dim
        Number of axes of the lattice.

    Raises
    ------
    ValueError
        If `order` is less than 1, or `dim` is not 1, 2 or 3.
    """
    if order < 1:
        raise ValueError(f"cluster_moments: `order` must be at least 1, got {order}.")
    geometry = Geometry.of(dim, None, symmetric=True)
    shapes: set[frozenset[Offset]] = {frozenset({(0,) * dim})}
    found: set[Moment] = set()
    for size in range(1, order + 1):
        for shape in shapes:
            for labels in itertools.product(species, repeat=size):
                places = zip(sorted(shape), labels, strict=True)
                found.add(Moment(geometry.canonical(places)))
        shapes = set().union(*(_grown(shape, geometry) for shape in shapes))
    return tuple(sorted(found, key=lambda moment: moment.sort_key))


@checked
def unclosed_moments(network: ReactionNetwork, order: int, dim: int = 1) -> tuple[Moment, ...]:
    """Moments that the time derivatives of clusters of up to `order` sites depend on besides.

    Parameters
    ----------
    network
        The reactions.
    order
        Largest number of sites of the clusters, as `cluster_moments` takes it.
    dim
        Number of axes of the lattice.

    Returns
    -------
    moments
        Those on the right-hand sides of the equations of `cluster_moments` that are not among
        them, lower orders first: of more sites, and of sites further apart.

    Raises
    ------
    ValueError
        If `order` is less than 1, or `dim` is not 1, 2 or 3.
    """
    return moment_equations(network, cluster_moments(network.species, order, dim)).unclosed


@checked
def model_terms(moments: Sequence[Moment]) -> tuple[str, ...]:
    """Names of the terms of a visible model that carries some moments.

    The names go into `terms` of an experiment file and into `LatticeModel.from_names`: `b.A`,
    `J.A.B` and `K.A.B.C` for sites in a row, else the pattern itself, `A(0) A(2)`.

    Parameters
    ----------
    moments
        The moments, such as `equations.known`. Those that are images of each other share a term.
    """
    return tuple(dict.fromkeys(_term_name(moment) for moment in moments))


@checked
def hidden_stencil(moments: Sequence[Moment]) -> tuple[Offset, ...]:
    """Stencil of a hidden layer whose units each see all sites of any of the moments.

    It is the smallest cube of sites that holds each moment and its images, for `stencil` of a
    layer in an experiment file; `W.A.X` and `b.X` are then the terms of a hidden species `X`.

    Parameters
    ----------
    moments
        At least one moment, all on lattices of the same number of axes.

    Raises
    ------
    ValueError
        If there is no moment.
    """
    offsets = [offset for moment in moments for offset, _ in _canonical(moment).places]
    if not offsets:
        raise ValueError("hidden_stencil: give at least one moment.")
    reach = max(max(offset) for offset in offsets) + 1
    return tuple(itertools.product(range(reach), repeat=len(offsets[0])))


def _grown(shape: frozenset[Offset], geometry: Geometry) -> set[frozenset[Offset]]:
    """Shapes with one more site next to a site of this one."""
    reached = {geometry.shift(site, step) for site in shape for step in geometry.neighbours()}
    grown = ({*shape, site} for site in reached - shape)
    unlabelled = (geometry.canonical((site, "") for site in sites) for sites in grown)
    return {frozenset(site for site, _ in pattern) for pattern in unlabelled}


def _canonical(moment: Moment) -> Moment:
    return Moment(pattern_images(moment.places)[0])


def _term_name(moment: Moment) -> str:
    canonical = _canonical(moment)
    offsets = [offset for offset, _ in canonical.places]
    row = [(*(0,) * (len(offset) - 1), place) for place, offset in enumerate(offsets)]
    if offsets == row and canonical.order in _KINDS:
        return ".".join((_KINDS[canonical.order], *canonical.species))
    return str(canonical)
