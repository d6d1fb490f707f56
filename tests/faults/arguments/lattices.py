"""Valid calls of `dynboltz.lattices`."""

from __future__ import annotations

from typing import Any

import numpy as np
from bad_arguments import call

from dynboltz.lattices import Factor, Lattice, TermCounter, neighbour_moments

PATTERN = (((0, 0), "A"), ((0, 1), "B"))


def calls() -> dict[str, Any]:
    lattice = Lattice((3, 4))
    terms = neighbour_moments(("A", "B"), 2, 2)
    counter = TermCounter(lattice, (("A", "B"),), terms)
    states = np.zeros((1, 2, 12), np.uint8)
    states[0, 0, 3] = 2
    seed = np.random.SeedSequence(1)
    return {
        "Factor.seen_from": call(Factor("A", (0, 1)), at=(1, 1)),
        "Lattice": call(shape=(3, 4), boundary="closed"),
        "Lattice.site": call(lattice, coordinates=(1, 2)),
        "Lattice.translate": call(lattice, offset=(0, 1)),
        "Term": call(name="J", products=((Factor("A", (0, 0)), Factor("B", (0, 1))),), at=None),
        "TermCounter": call(lattice=lattice, species=(("A", "B"),), terms=terms),
        "TermCounter.count": call(counter, states=states),
        "anchored": call(pattern=PATTERN, periods=(3, 4)),
        "check_layers": call(
            where="f",
            states=states,
            species=(("A", "B"),),
            n_sites=12,
            batch="states",
            argument="states",
        ),
        "check_states": call(
            where="f",
            states=states[0],
            species=("A", "B"),
            shape=("states", 12),
            argument="states",
        ),
        "check_pattern": call(pattern=PATTERN),
        "child_seeds": call(seed=3, n=2, _waits="n"),
        "neighbour_moments": call(species=("A", "B"), dim=2, max_order=3, _waits="max_order"),
        "numbered_generators": call(seed=3, n=2, first=1),
        "numbered_seed": call(seed=seed, number=2),
        "parse_pattern": call(text="A(0,0) B(0,1)"),
        "pattern_images": call(pattern=PATTERN, periods=(3, 4)),
        "pattern_term": call(name="K", patterns=(PATTERN,)),
        "pattern_text": call(pattern=PATTERN),
        "run_term": call(name="J", species=("A", "B"), dim=2),
        "streams": call(seed=3, n=2, first=1),
        "wrap": call(site=(1, 5), periods=(3, 4)),
    }


def others() -> list[Any]:
    return [Lattice((4,)), Lattice((2, 2, 2), "closed"), *neighbour_moments(("C",), 1, 2)]
