"""Experiments in continuous space: particles in a box, and functionals of their densities."""

from ._experiment import BoxExperiment as BoxExperiment
from ._experiment import FunctionalPlan as FunctionalPlan
