"""Particles in continuous space: boxes, point patterns, random patterns."""

from ._box import Box as Box
from ._box import Walls as Walls
from ._patterns import PointPatterns as PointPatterns
from ._random_arrivals import random_arrivals as random_arrivals
from ._random_patterns import Distances as Distances
from ._random_patterns import random_hard_core as random_hard_core
from ._random_patterns import random_pairs as random_pairs
from ._random_patterns import random_particles as random_particles
