"""What the user chooses about Gauss-Newton learning with moments of chains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from dynboltz._arguments import checked
from dynboltz._numbers import check_finite


@final
@checked
@dataclass(frozen=True)
class SampledGaussNewtonSettings:
    r"""How the equations of a point process are learned from chains.

    Parameters
    ----------
    steps
        Number of steps that are accepted.
    learning_rate
        Share of a Gauss-Newton step that is taken in the first half of the steps.
    largest_step
        Largest change of the distribution of any snapshot in a step,
        $(\delta\theta^T \mathrm{Cov}(s)\, \delta\theta)^{1/2}$: in standard deviations of what a
        pattern shows. Longer ones could make the chains condense.
    damping
        Smallest Levenberg-Marquardt damping, relative to the diagonal of the normal matrix.
    chains
        Persistent chains of each snapshot, which start from its patterns.
    samples
        Samples of a chain in a step.
    proposals
        Proposals of a chain a sample, for each particle of a mean pattern.
    ridge
        Precision of the prior of the initial coefficients, see `fit_pseudolikelihood`.
    fit_initial
        Whether initial coefficients are learned as well.

    Raises
    ------
    ValueError
        If a value is not positive, or a snapshot has less than 2 samples.
    """

    steps: int = 16
    learning_rate: float = 0.7
    largest_step: float = 2.0
    damping: float = 1e-4
    chains: int = 16
    samples: int = 8
    proposals: float = 2.0
    ridge: float = 0.1
    fit_initial: bool = True

    def __post_init__(self) -> None:
        names = ("steps", "learning_rate", "largest_step", "damping", "chains", "samples")
        for name in (*names, "proposals", "ridge"):
            if not getattr(self, name) > 0:
                raise ValueError(
                    f"SampledGaussNewtonSettings: `{name}` must be positive, got "
                    f"{getattr(self, name)}."
                )
            if name != "largest_step":  # infinite for no limit
                check_finite("SampledGaussNewtonSettings", f"`{name}`", getattr(self, name))
        if self.chains * self.samples < 2:
            raise ValueError(
                "SampledGaussNewtonSettings: `chains` times `samples` must be at least 2."
            )
