"""Boltzmann distributions on lattices, as exponential families of terms."""

from __future__ import annotations

import functools
import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np
from jaxtyping import Float64, Shaped

from dynboltz._arguments import checked
from dynboltz._hints import did_you_mean
from dynboltz._typing import AnyArray
from dynboltz.lattices import (
    Factor,
    Lattice,
    Term,
    TermCounter,
    check_layers,
    parse_pattern,
    pattern_images,
    pattern_term,
    run_term,
)

from ._free_terms import free_terms, unit_exists
from ._layer import Layer

_KINDS = {"b": 1, "J": 2, "K": 3}


@final
@checked
@dataclass(frozen=True)
class LatticeModel:
    r"""Boltzmann distribution over the states of a lattice and its hidden layers.

    $$p(x; \theta) = \frac{1}{Z(\theta)} \exp\Big[+\sum_k \theta_k s_k(x)\Big],
    \qquad x = (v, h)$$

    The sufficient statistics $s_k$ are the terms; units are empty (0) or hold one species (1 to
    the number of species of their layer). The model holds no coefficients: `theta` is an argument
    everywhere, in the order of `coefficients`, dimensionless [kT].

    Parameters
    ----------
    lattice
        The lattice.
    layers
        The visible layer, then the hidden layers.
    terms
        One term a coefficient. Terms of all sites tie their coefficient by translation; `with_free`
        has one term, hence one coefficient, for each unit or edge.

    Raises
    ------
    ValueError
        If two terms or two species share a name, if a term does not fit the lattice or the layers
        or is placed where a hidden unit does not exist, or if a hidden layer has no stencil or one
        that does not fit.

    References
    ----------
    Ernst et al. (2019), eqs. (24), (35), with free coefficients (25); the visible chain is
    eq. (37), the chain with one hidden unit a neighbouring pair eq. (39).
    """

    lattice: Lattice
    layers: tuple[Layer, ...]
    terms: tuple[Term, ...]

    def __post_init__(self) -> None:
        names = [term.name for term in self.terms]
        species = [name for layer in self.layers for name in layer.species]
        for kind, labels in (("coefficient", names), ("species", species)):
            doubled = sorted(label for label, times in Counter(labels).items() if times > 1)
            if doubled:
                raise ValueError(f"LatticeModel: {kind} {', '.join(doubled)} is named twice.")
        if not self.layers or not self.terms:
            raise ValueError("LatticeModel needs a visible layer and at least one term.")
        for layer in self.layers[1:]:
            layer.check(self.lattice)
        self.counter  # noqa: B018  checks every term against the lattice and the species
        self._check_placed_terms()

    @classmethod
    def from_names(
        cls,
        lattice: Lattice,
        species: Sequence[str],
        names: Sequence[str],
        hidden: Sequence[Layer] = (),
    ) -> LatticeModel:
        """Build a model from the names of its coefficients.

        `b.A` is a bias, `J.A.B` a coupling of nearest neighbours, `K.A.A.A` one of three sites in
        a row, each along every axis, and `W.A.X` the weight between the species A of a layer and
        the species X of the layer above, by the stencil of that layer. A coupling of other sites
        is named by its species and offsets, `A(0) B(2)` or `A(0,0) A(1,1)`, and holds for all
        reflections and permutations of the axes.

        Parameters
        ----------
        lattice
            The lattice.
        species
            Species of the visible layer.
        names
            Names of the coefficients.
        hidden
            The hidden layers, if any.
        """
        layers = (Layer(tuple(species)), *hidden)
        terms = tuple(named_term(name, layers, lattice.dim) for name in names)
        return cls(lattice, layers, terms)

    @property
    def sign(self) -> int:
        """Sign of the exponent: +1 for lattice energies."""
        return 1

    @functools.cached_property
    def _axis_entries(self) -> dict[str, int | tuple[str, ...]]:
        sites = self.lattice.n_sites
        return {"coefficients": self.coefficients, "sites": sites, "layers": len(self.layers)}

    @property
    def coefficients(self) -> tuple[str, ...]:
        """Names of the coefficients."""
        return tuple(term.name for term in self.terms)

    @property
    def species(self) -> tuple[tuple[str, ...], ...]:
        """Names of the species of each layer."""
        return tuple(layer.species for layer in self.layers)

    @property
    def is_visible(self) -> bool:
        """Whether the model has no hidden layers."""
        return len(self.layers) == 1

    @functools.cached_property
    def counter(self) -> TermCounter:
        """Counter of the terms in states of all layers."""
        return TermCounter(self.lattice, self.species, self.terms)

    def statistics(
        self, states: Shaped[AnyArray, "layers states sites"]
    ) -> Float64[np.ndarray, "states coefficients"]:
        """Sufficient statistics of each state, per visible site.

        Parameters
        ----------
        states
            States of all layers: 0 for an empty unit, `i + 1` for the species `i` of its layer.

        Raises
        ------
        TypeError, ValueError
            If the states do not fit the layers and the lattice.
        """
        n_sites = self.lattice.n_sites
        states = check_layers("LatticeModel.statistics", states, self.species, n_sites)
        return self.counter.count(states) / n_sites

    def with_terms(self, terms: Sequence[Term]) -> LatticeModel:
        """Model with further terms behind its own; one with coefficient 0 is only observed."""
        return replace(self, terms=(*self.terms, *terms))

    def with_free(self, names: Sequence[str]) -> LatticeModel:
        """Model in which some coefficients are free at each place instead of tied by translation.

        A bias becomes one coefficient for each unit, a coupling or weight one for each edge,
        wherever all the units exist, in the place of the tied one. Their names end with the
        coordinates of the units: `b.A[3]`, `W.A.X[3;2]` for the site 3 and the hidden unit 2,
        `J.A.B[0,1;0,2]` on a plane; the units come in the order of their layers and species.

        Parameters
        ----------
        names
            Names of coefficients of the model.

        Raises
        ------
        ValueError
            If the model has no coefficient of a name.
        """
        unknown = sorted(set(names) - set(self.coefficients))
        if unknown:
            raise ValueError(
                f"LatticeModel.with_free: {', '.join(unknown)} is no coefficient of the model, "
                f"which has {', '.join(self.coefficients)}."
            )
        expanded = [
            free_terms(term, self.lattice, self.layers) if term.name in names else (term,)
            for term in self.terms
        ]
        return replace(self, terms=tuple(itertools.chain.from_iterable(expanded)))

    def _check_placed_terms(self) -> None:
        exists = [layer.exists(self.lattice) for layer in self.layers]
        for term in self.terms:
            for factor in itertools.chain.from_iterable(term.products):
                if term.at is None or unit_exists(factor, term.at, self.lattice, exists):
                    continue
                raise ValueError(
                    f"LatticeModel: term {term.name!r}, placed at {term.at}, names a unit of layer "
                    f"{factor.layer} that does not exist, because its stencil reaches beyond the "
                    "closed edge; leave the term out."
                )


@checked
def named_term(name: str, layers: Sequence[Layer], dim: int) -> Term:
    """Term of a coefficient named as in `LatticeModel.from_names`."""
    pattern = parse_pattern(name) if "(" in name else ()
    kind, *species = ("", *(label for _, label in pattern)) if pattern else name.split(".")
    layer_of = {label: number for number, layer in enumerate(layers) for label in layer.species}
    unknown = [label for label in species if label not in layer_of]
    if unknown:
        raise ValueError(
            f"Coefficient {name!r} names the species {unknown[0]!r}; the layers have "
            f"{', '.join(layer_of)}.{did_you_mean(unknown[0], layer_of)}"
        )
    numbers = [layer_of[label] for label in species]
    if pattern and len(set(numbers)) == 1:
        return _on_layer(pattern_term(name, pattern_images(pattern)), numbers[0])
    if kind in _KINDS and len(species) == _KINDS[kind] and len(set(numbers)) == 1:
        return _on_layer(run_term(name, species, dim), numbers[0])
    if kind == "W" and len(species) == 2 and numbers[1] == numbers[0] + 1:
        unit = Factor(species[1], (0,) * dim, numbers[1])
        return Term(
            name,
            tuple(
                (Factor(species[0], offset, numbers[0]), unit)
                for offset in layers[numbers[1]].stencil
            ),
        )
    raise ValueError(
        f"Coefficient {name!r} is not understood. Write b.A (bias), J.A.B (nearest neighbours), "
        "K.A.A.A (three in a row) or A(0) B(2) (species at offsets), all of one layer, or W.A.X "
        "(weight between the species A of a layer and X of the layer above); in Python, any other "
        "term is a `Term` of products."
    )


def _on_layer(term: Term, layer: int) -> Term:
    return Term(
        term.name,
        tuple(tuple(f._replace(layer=layer) for f in product) for product in term.products),
    )
