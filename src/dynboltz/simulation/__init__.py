"""Lattice simulators, the exact master equation of small lattices, initial states."""

from ._initial import from_states as from_states
from ._initial import random_counts as random_counts
from ._kernels import AbstractKernel as AbstractKernel
from ._kernels import CollisionKernel as CollisionKernel
from ._kernels import ContinuousTimeKernel as ContinuousTimeKernel
from ._simulate import Trajectories as Trajectories
from ._simulate import simulate as simulate
