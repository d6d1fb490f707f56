"""The experiment files that ship with the package, and finding any experiment file."""

from ._find import find_experiment as find_experiment
from ._find import find_results as find_results
from ._shipped import shipped_experiments as shipped_experiments
