"""Learned laws of motion of moments: known equations of densities, and a smooth function."""

from ._chart import MomentChart as MomentChart
from ._chart import moment_chart as moment_chart
from ._exact import KnownPart as KnownPart
from ._exact import known_part as known_part
from ._exact import nothing_known as nothing_known
from ._law import MomentLaw as MomentLaw
from ._learn import learn_law as learn_law
from ._learned import LawPrediction as LawPrediction
from ._learned import LearnedLaw as LearnedLaw
from ._stored import law_dataset as law_dataset
from ._stored import load_law as load_law
