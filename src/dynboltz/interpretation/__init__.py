"""Readable equations: learned right-hand sides as sums of few known functions."""

from ._candidate import Candidate as Candidate
from ._dictionary import constant as constant
from ._dictionary import exponentials as exponentials
from ._dictionary import linear as linear
from ._dictionary import monomials as monomials
from ._equation import ProjectedEquation as ProjectedEquation
from ._equation import WeightedTerm as WeightedTerm
from ._project import project as project
from ._projected_field import ProjectedField as ProjectedField
from ._projection import Projection as Projection
from ._reaction_fields import reaction_fields as reaction_fields
from ._trajectory_errors import TrajectoryErrors as TrajectoryErrors
from ._trajectory_errors import trajectory_errors as trajectory_errors
