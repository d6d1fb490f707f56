"""The experiment files that ship with the package."""

from ._shipped import shipped_experiments as shipped_experiments
