"""Moment equations of reaction networks, derived symbolically."""

from ._equations import MomentEquations as MomentEquations
from ._lattice_equations import LatticeMomentEquations as LatticeMomentEquations
from ._lattice_equations import moment_equations as moment_equations
from ._linear_system import LinearSystem as LinearSystem
from ._moment import Moment as Moment
from ._rate_constants import rate_constants as rate_constants
