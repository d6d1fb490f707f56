"""Valid calls of `dynboltz.laws`."""

from __future__ import annotations

from typing import Any

import numpy as np
from bad_arguments import call

from dynboltz import laws
from dynboltz.distributions import LatticeModel
from dynboltz.lattices import Lattice, neighbour_moments
from dynboltz.reactions import ReactionNetwork

LATTICE = Lattice((50,))
NETWORK = ReactionNetwork.parse("A -> 0 ; k = 1\n0 -> A ; k = 0.5")
TIMES = np.linspace(0, 1, 4)


def replicas(chart: laws.MomentChart) -> list[np.ndarray]:
    """Independent sites that relax, with some noise."""
    rng = np.random.default_rng(1)
    density = 1 / 3 + np.array([0.5, 0.2])[:, None] * np.exp(-1.5 * TIMES)
    moments = np.stack([density, density**2], axis=-1)
    return list(moments[:, None] + 0.01 * rng.normal(size=(2, 3, 4, 2)))


def calls() -> dict[str, Any]:
    terms = neighbour_moments(["A"], 1, max_order=2)
    chart = laws.moment_chart(terms, LATTICE)
    known = laws.known_part(chart, LATTICE, NETWORK)
    learned = laws.learn_law(chart, known, TIMES, replicas(chart))
    machine = LatticeModel.from_names(LATTICE, ["A"], ["b.A", "J.A.A"])
    of_machine = laws.coefficient_chart(machine, terms)
    summaries = [r[..., :2] for r in replicas(chart)]
    fitted = [one.coordinates for one in laws.fit_snapshots(of_machine, summaries)]
    machine_law = laws.learn_law(of_machine, laws.nothing_known(of_machine), TIMES, fitted)
    states = np.random.default_rng(2).integers(0, 2, size=(8, 4, 50)).astype(np.uint8)
    points = np.array([[0.2, 0.1], [0.0, 0.2]])
    visible = states.swapaxes(0, 1)[:2]
    emulated = laws.emulate(of_machine, points, visible, n_samples=2)
    emulator = emulated.emulator
    law, z = learned.law, np.array([0.3, 0.1])
    parts = {name: getattr(chart, name) for name in laws.MomentChart.__dataclass_fields__}
    function, features = law.function, learned.features
    recorded = neighbour_moments(["A"], 1, max_order=3)
    with_triples = [np.concatenate([m, m[..., :1] ** 3], axis=-1) for m in replicas(chart)]
    path = np.array([chart.from_moments(m.mean(axis=0)) for m in replicas(chart)])
    readout = laws.fit_readout(law, path, recorded, LATTICE, with_triples)
    first = [m[:, 0] for m in replicas(chart)]
    return {
        "LearnedLaw": call(
            members=learned.members,
            times=TIMES,
            grid=TIMES,
            features=features,
            n_starts=2,
            n_residuals=6,
        ),
        "CoefficientChart": call(
            model=machine, terms=tuple(terms), floor=np.array(1e-3), emulator=emulator
        ),
        "CoefficientChart.batch_coefficients": call(of_machine, z=z[None]),
        "CoefficientChart.batch_derivatives": call(of_machine, z=z[None]),
        "CoefficientChart.batch_features": call(of_machine, z=z[None]),
        "CoefficientChart.batch_moments": call(of_machine, z=z[None]),
        "CoefficientChart.batch_probabilities": call(of_machine, z=z[None]),
        "CoefficientChart.coefficients": call(of_machine, z=z),
        "CoefficientChart.compared": call(of_machine, replicas=fitted),
        "CoefficientChart.features": call(of_machine, z=z),
        "CoefficientChart.from_coefficients": call(of_machine, theta=z[None]),
        "CoefficientChart.moments": call(of_machine, z=z),
        "CoefficientChart.place": call(of_machine, densities=z[None, :1], theta=z[None]),
        "CoefficientChart.probabilities": call(of_machine, z=z),
        "LearnedLaw.coordinates": call(learned, starts=z[None], times=TIMES),
        "LearnedLaw.with_readout": call(learned, readout=readout),
        "Readout": call(
            chart=readout.chart,
            law=law,
            coefficients=readout.coefficients,
            factor=readout.factor,
        ),
        "Readout.batch_derivatives": call(readout, z=z[None]),
        "Readout.batch_moments": call(readout, z=z[None]),
        "Readout.batch_variances": call(readout, z=z[None]),
        "Readout.moments": call(readout, z=z),
        "Readout.moments_with": call(readout, z=z, coefficients=readout.coefficients),
        "Readout.variances": call(readout, z=z),
        "MomentChart": call(**parts),
        "MomentChart.batch_derivatives": call(chart, z=z[None]),
        "MomentChart.batch_features": call(chart, z=z[None]),
        "MomentChart.batch_moments": call(chart, z=z[None]),
        "MomentChart.batch_probabilities": call(chart, z=z[None]),
        "MomentChart.renamed": call(chart, _kept={"names": {"A": "A"}}),
        "MomentLaw.with_parameters": call(law, parameters=law.function.parameters),
        "MomentLaw": call(
            **{name: getattr(law, name) for name in laws.MomentLaw.__dataclass_fields__}
        ),
        "MomentLaw.untrained": call(
            chart=chart,
            known=known,
            scales=np.ones(1),
            features=features,
            interval=0.3,
            function=function,
        ),
        "MomentLaw.linear_part": call(law, rates=np.asarray(law.rates)),
        "LearnedLaw.knows": call(learned, coordinates=z[None]),
        "LearnedLaw.predict": call(learned, starts=z[None], times=TIMES, bands=True),
        "MomentChart.compared": call(chart, replicas=replicas(chart)),
        "MomentChart.features": call(chart, z=z),
        "MomentChart.from_moments": call(chart, moments=z[None] ** 2),
        "MomentChart.moments": call(chart, z=z),
        "MomentChart.probabilities": call(chart, z=z),
        "MomentChart.uncorrelated": call(chart, densities=z[None, :1], n_sites=50),
        "MomentLaw.solve": call(law, starts=z[None], times=TIMES, n_steps=1, _waits="n_steps"),
        "MomentLaw.step": call(law, z=z, interval=0.1, n_steps=1, _waits="n_steps"),
        "MomentLaw.velocity": call(law, z=z),
        "coefficient_names": call(chart=chart),
        "pair_coefficients": call(chart=chart, moments=z[None] * [1.0, 0.5]),
        "possible_moments": call(chart=chart, moments=z[None] * [1.0, 0.5]),
        "Emulator": call(
            **{name: getattr(emulator, name) for name in laws.Emulator.__dataclass_fields__}
        ),
        "Emulator.biases": call(emulator, z=z),
        "Emulator.moments": call(emulator, z=z),
        "coefficient_chart": call(model=machine, terms=terms, n_replicas=3),
        "emulate": call(
            chart=of_machine,
            theta=points,
            visible=visible,
            counted_on=LATTICE,
            n_samples=2,
            seed=1,
            _waits="n_samples",
        ),
        "fit_snapshots_sampled": call(
            chart=of_machine,
            states=[states],
            reference={"J.A.A": 0.0},
            strength={"J.A.A": 0.1},
            n_chains=2,
            seed=1,
            _waits="n_chains",
        ),
        "fit_snapshots": call(
            chart=of_machine, summaries=summaries, reference={"J.A.A": 0.0}, seed=1
        ),
        "fit_readout": call(
            law=law, path=path, terms=recorded, lattice=LATTICE, replicas=with_triples
        ),
        "followed_terms": call(species=["A"], dim=1, network=NETWORK),
        "is_random_placement": call(chart=chart, lattice=LATTICE, first=first[0]),
        "starting_coordinates": call(chart=chart, lattice=LATTICE, first=first),
        "known_part": call(chart=chart, lattice=LATTICE, network=NETWORK),
        "law_equations": call(law=law),
        "law_dataset": call(learned=learned),
        "learn_law": call(
            chart=chart,
            known=known,
            times=TIMES,
            replicas=replicas(chart),
            starts=np.array([z, z]),
            seed=1,
            report=None,
        ),
        "load_law": call(dataset=laws.law_dataset(learned)),
        "moment_chart": call(terms=terms, lattice=LATTICE, n_replicas=3),
        "nothing_known": call(chart=chart),
        "predict_coefficients": call(learned=machine_law, starts=z[None], times=TIMES),
    }
