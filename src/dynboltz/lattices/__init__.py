"""Lattices and the statistics of their states, shared by simulation and distributions."""

from ._counts import BLOCK as BLOCK
from ._counts import WORD as WORD
from ._counts import CountTables as CountTables
from ._counts import TermCounter as TermCounter
from ._counts import count_terms as count_terms
from ._counts import fill_rows as fill_rows
from ._counts import make_workspace as make_workspace
from ._counts import pack_state as pack_state
from ._inlined import inlined as inlined
from ._inlined import uncounted as uncounted
from ._lattice import Boundary as Boundary
from ._lattice import Lattice as Lattice
from ._normal import normal as normal
from ._random import advance as advance
from ._random import bounded as bounded
from ._random import child_seeds as child_seeds
from ._random import exponential as exponential
from ._random import next_uint64 as next_uint64
from ._random import numbered_seed as numbered_seed
from ._random import streams as streams
from ._random import uniform as uniform
from ._term import Factor as Factor
from ._term import Product as Product
from ._term import Term as Term
from ._term import neighbour_moments as neighbour_moments
from ._term import run_term as run_term
