"""Reduced models of spatial reaction-diffusion systems with learned dynamics.

`dynboltz.fit` learns a model from trajectories in one call, `dynboltz.load` reads it again. Behind
them each concept has a package of its own, to be imported by name; importing `dynboltz` loads none
of them:

- `dynboltz.reactions`: species, reactions, their text syntax, stoichiometry;
- `dynboltz.moments`: moment equations, derived symbolically;
- `dynboltz.lattices`: lattices, and the terms that count what their states contain;
- `dynboltz.simulation`: stochastic simulators, exact master equations, initial states;
- `dynboltz.store`: trajectories and models on disk, readers of foreign data;
- `dynboltz.distributions`: Boltzmann distributions on lattices and their exact solutions;
- `dynboltz.sampling`: Gibbs sampling and its diagnostics;
- `dynboltz.dynamics`: vector fields, integrators and adjoints;
- `dynboltz.laws`: laws of motion of moments, learned without settings;
- `dynboltz.learning`: coefficients of snapshots, and the differential equations that move them;
- `dynboltz.closures`: classical moment closures to compare with;
- `dynboltz.evaluation`: errors next to the sampling noise;
- `dynboltz.workflow`: experiments from a file to a report;
- `dynboltz.plot`, `dynboltz.report`, `dynboltz.cli`: figures, the report page, the command line;
- `dynboltz.experiments`: the experiment files that ship with the package.
"""

from importlib import import_module, metadata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._fit import FittedModel as FittedModel
    from ._fit import fit as fit
    from ._fit import load as load

__version__ = metadata.version("dynboltz")

__all__ = ["FittedModel", "__version__", "fit", "load"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module("dynboltz._fit"), name)
    raise AttributeError(f"module 'dynboltz' has no attribute {name!r}")
