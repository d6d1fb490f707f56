"""Moment equations of reaction networks, derived symbolically."""

from ._abstract_moment import AbstractMoment as AbstractMoment
from ._equations import MomentEquations as MomentEquations
from ._geometry import Geometry as Geometry
from ._lattice_equations import HopRates as HopRates
from ._lattice_equations import LatticeMomentEquations as LatticeMomentEquations
from ._lattice_equations import moment_equations as moment_equations
from ._linear_system import LinearSystem as LinearSystem
from ._moment import Moment as Moment
from ._rate_constants import rate_constants as rate_constants
from ._unclosed import cluster_moments as cluster_moments
from ._unclosed import hidden_stencil as hidden_stencil
from ._unclosed import model_terms as model_terms
from ._unclosed import unclosed_moments as unclosed_moments
from ._well_mixed import RawMoment as RawMoment
from ._well_mixed import well_mixed_equations as well_mixed_equations
