"""Learned laws of motion of moments: known equations of densities, and a smooth function."""

from ._chart import MomentChart as MomentChart
from ._chart import moment_chart as moment_chart
from ._coefficient_chart import CoefficientChart as CoefficientChart
from ._coefficient_chart import coefficient_chart as coefficient_chart
from ._coefficients import coefficient_names as coefficient_names
from ._coefficients import pair_coefficients as pair_coefficients
from ._coefficients import possible_moments as possible_moments
from ._equations import law_equations as law_equations
from ._exact import KnownPart as KnownPart
from ._exact import known_part as known_part
from ._exact import nothing_known as nothing_known
from ._law import MomentLaw as MomentLaw
from ._learn import LearningStep as LearningStep
from ._learn import learn_law as learn_law
from ._learned import LawPrediction as LawPrediction
from ._learned import LearnedLaw as LearnedLaw
from ._predicted_coefficients import predict_coefficients as predict_coefficients
from ._readout import Readout as Readout
from ._readout import fit_readout as fit_readout
from ._snapshots import FittedSnapshots as FittedSnapshots
from ._snapshots import fit_snapshots as fit_snapshots
from ._starts import followed_terms as followed_terms
from ._starts import is_random_placement as is_random_placement
from ._starts import starting_coordinates as starting_coordinates
from ._stored import law_dataset as law_dataset
from ._stored import load_law as load_law
