"""Valid calls of `dynboltz.distributions`."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from bad_arguments import call

from dynboltz.distributions import (
    ClampedStatistics,
    Enumeration,
    LatticeModel,
    Layer,
    PointProcessModel,
    PoissonSolution,
    Surroundings,
    TransferMatrix,
    hidden_layers,
)
from dynboltz.elements import ElementSpace, RadialSpace, UniformSpace
from dynboltz.lattices import Lattice, Term, neighbour_moments
from dynboltz.particles import Box, PointPatterns


def calls() -> dict[str, Any]:
    lattice = Lattice((4,))
    hidden = Layer(("X",), ((0,), (1,)))
    model = LatticeModel.from_names(lattice, ("A",), ("b.A", "J.A.A"))
    deep = LatticeModel.from_names(lattice, ("A",), ("b.A", "W.A.X", "b.X"), (hidden,))
    theta = np.array([0.1, -0.2])
    deep_theta = np.array([0.1, -0.2, 0.3])
    visible = np.array([[1, 0, 1, 1], [0, 0, 1, 0]], np.uint8)
    states = np.stack([visible, visible])
    transfer, enumerated = TransferMatrix(model), Enumeration(model)
    clamped = ClampedStatistics(deep)
    summaries = clamped.summarise(visible)
    (layer,) = hidden_layers(deep)
    entries: dict[str, Any] = {
        "ClampedStatistics": call(model=deep),
        "ClampedStatistics.batch_moments": call(
            clamped, theta=np.stack([deep_theta] * 2), summaries=summaries
        ),
        "ClampedStatistics.check_possible": call(clamped, where="fit", summaries=summaries),
        "ClampedStatistics.log_weight": call(clamped, theta=deep_theta, summary=summaries[0]),
        "ClampedStatistics.moments": call(clamped, theta=deep_theta, summary=summaries[0]),
        "ClampedStatistics.summarise": call(clamped, visible=visible),
        "Enumeration": call(model=model),
        "HiddenLayer": call(
            number=1,
            units=layer.units,
            n_species=1,
            coefficients=layer.coefficients,
            species=layer.species,
            products=layer.products,
            codes=layer.codes,
        ),
        "HiddenLayer.free_energy": call(layer, theta=deep_theta, counts=layer.codes),
        "HiddenLayer.moments": call(
            layer, theta=deep_theta[None], histograms=np.ones((1, len(layer.codes)))
        ),
        "LatticeModel": call(lattice=lattice, layers=model.layers, terms=model.terms),
        "LatticeModel.from_names": call(
            lattice=lattice, species=("A",), names=("b.A", "W.A.X"), hidden=(hidden,)
        ),
        "LatticeModel.statistics": call(deep, states=states),
        "LatticeModel.with_free": call(model, names=("b.A",)),
        "LatticeModel.with_terms": call(model, terms=neighbour_moments(("A",), 1, 2)),
        "Layer": call(species=("X",), stencil=((0,), (1,))),
        "Layer.check": call(hidden, lattice=lattice),
        "Layer.exists": call(hidden, lattice=lattice),
        "Surroundings": call(model=deep, layer=layer),
        "Surroundings.histogram": call(Surroundings(deep, layer), visible=visible),
        "TransferMatrix": call(model=model),
        "TransferMatrix.batch_fisher": call(transfer, thetas=np.stack([theta] * 2)),
        "TransferMatrix.batch_moments": call(transfer, thetas=np.stack([theta] * 2)),
        "TransferMatrix.expected_summary": call(transfer, theta=theta),
        "TransferMatrix.window_log_weights": call(transfer, theta=theta, beyond=0, potentials=None),
        "in_batches": call(_positional=(jnp.sin, np.ones((3, 2)))),
        "hidden_layers": call(model=deep),
        "hidden_probabilities": call(model=deep, theta=deep_theta, states=states),
        "named_term": call(name="W.A.X", layers=deep.layers, dim=1),
        "observed_moments": call(
            model=model, theta=np.stack([theta] * 2), terms=neighbour_moments(("A",), 1, 3)
        ),
        "sample_chain": call(solution=transfer, theta=theta, n_samples=3, seed=3),
    }
    for solution in (transfer, enumerated):
        name = type(solution).__name__
        for method in ("log_partition", "free_energy", "moments", "fisher"):
            entries[f"{name}.{method}"] = call(solution, theta=theta)
    for method in ("end_log_weights", "log_matrix"):
        entries[f"TransferMatrix.{method}"] = call(transfer, theta=theta, potentials=None)
    for method in ("log_weights", "probabilities"):
        entries[f"Enumeration.{method}"] = call(enumerated, theta=theta)
    return entries | _of_particles()


def _of_particles() -> dict[str, Any]:
    box = Box((1.0, 2.0))
    patterns = PointPatterns.from_lists([{"A": [[0.1, 0.2], [0.3, 1.2]]}, {}], ("A",), box)
    single, pair = {"A": UniformSpace(box)}, {("A", "A"): RadialSpace(0.4, 3)}
    model = PointProcessModel(box, ("A",), single, pair)
    poisson = PoissonSolution(PointProcessModel(box, ("A",), {"A": ElementSpace(box, (3, 3))}))
    theta = np.full(len(model.coefficients), 0.1)
    points = np.array([[0.1, 0.2], [0.4, 0.5], [0.9, 1.9]])
    of_poisson = np.full(len(poisson.model.coefficients), 0.1)
    return {
        "PointProcessModel": call(box=box, species=("A",), single=single, pair=pair),
        "PointProcessModel.check_patterns": call(model, patterns=patterns),
        "PointProcessModel.insertions": call(
            model, patterns=patterns, species="A", points=np.stack([points] * 2)
        ),
        "PointProcessModel.statistics": call(model, patterns=patterns),
        "PointProcessModel.values": call(model, theta=theta, name="nu.A", points=points),
        "PoissonSolution": call(model=poisson.model),
        "PoissonSolution.divergence_gradient": call(poisson, theta=of_poisson, data=of_poisson),
        "PoissonSolution.fisher": call(poisson, theta=of_poisson),
        "PoissonSolution.intensity": call(poisson, theta=of_poisson, species="A", points=points),
        "PoissonSolution.log_partition": call(poisson, theta=of_poisson),
        "PoissonSolution.moments": call(poisson, theta=of_poisson),
    }


def others() -> list[Any]:
    plane = Lattice((3, 3))
    box = Box((1.0,))
    model = LatticeModel.from_names(plane, ("A", "B"), ("b.A", "J.A.B"))
    line = PointProcessModel(box, ("A", "C"), {"A": UniformSpace(box), "C": UniformSpace(box)})
    return [
        plane,
        Lattice((50,)),
        Lattice((3,), "closed"),
        box,
        Layer(("Y", "Z"), ((0, 0),)),
        model,
        LatticeModel.from_names(Lattice((50,)), ("A",), ("b.A",)),
        line,
        PointPatterns.from_lists([{"A": [[0.1]]}], ("A", "C"), box),
        UniformSpace(box),
        RadialSpace(3.0, 4),
        Term("Q", neighbour_moments(("Q",), 1, 2)[1].products),
        *neighbour_moments(("C",), 2, 2),
        TransferMatrix(LatticeModel.from_names(Lattice((3,)), ("A", "B"), ("b.A", "b.B", "J.A.B"))),
    ]
