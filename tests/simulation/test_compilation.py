"""How much is compiled before a first simulation starts."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

SCRIPT = """
import numpy as np
from dynboltz.lattices import Lattice
from dynboltz.reactions import ReactionNetwork
from dynboltz.simulation import CollisionKernel, simulate

network = ReactionNetwork.parse("A + A -> 0 ; p = 0.5")
states = np.ones((2, 8), dtype=np.uint8)
simulate(network, Lattice((8,)), states, kernel=CollisionKernel(), n_steps=1, seed=0)
"""


@pytest.mark.slow
def test_parts_of_a_kernel_are_compiled_for_one_set_of_types(tmp_path):
    """Not once for the parallel loop and once more for what numba infers of it."""
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", SCRIPT], env=environment, check=True)
    for function in ("_collision._run_replica", "_records.record", "_counts.count_terms"):
        assert len(list(tmp_path.rglob(f"{function}-*.nbc"))) == 1, function
