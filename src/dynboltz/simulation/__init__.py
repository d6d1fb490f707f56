"""Simulators on lattices and in continuous space, exact master equations, initial states."""

from ._brownian import simulate_particles as simulate_particles
from ._initial import from_states as from_states
from ._initial import random_counts as random_counts
from ._kernels import AbstractKernel as AbstractKernel
from ._kernels import CollisionKernel as CollisionKernel
from ._kernels import ContinuousTimeKernel as ContinuousTimeKernel
from ._master_equation import CollisionStep as CollisionStep
from ._master_equation import collision_step as collision_step
from ._master_equation import continuous_time_generator as continuous_time_generator
from ._master_equation import enumerate_states as enumerate_states
from ._master_equation import evolve as evolve
from ._simulate import Trajectories as Trajectories
from ._simulate import simulate as simulate
