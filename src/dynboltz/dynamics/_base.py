"""What every right-hand side of the coefficients' differential equations provides."""

from __future__ import annotations

import abc

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float

from dynboltz._arguments import checked
from dynboltz._digits import against


class OutsideBoxError(ValueError):
    """Coefficients lie where their vector field is not defined.

    The message names the coefficient, its value, the allowed range and what to do.
    """


class AbstractVectorField(eqx.Module):
    r"""Autonomous right-hand side $d\theta/dt = F(\theta; u)$ of the coefficients.

    The parameters $u$ are the inexact arrays among the leaves of the PyTree. See Ernst et al.
    (2019), eqs. (26) and (27).

    Attributes
    ----------
    coefficients
        Names of the entries of $\theta$, in order.
    """

    coefficients: eqx.AbstractVar[tuple[str, ...]]

    @property
    def _axis_entries(self) -> dict[str, tuple[str, ...]]:
        return {"coefficients": self.coefficients}

    @abc.abstractmethod
    def __call__(self, theta: Float[Array, " coefficients"]) -> Float[Array, " coefficients"]:
        r"""Time derivative $d\theta/dt$ [1/time] at one point; use `jax.vmap` for several."""

    @abc.abstractmethod
    def limits(
        self,
    ) -> tuple[Float[np.ndarray, " coefficients"], Float[np.ndarray, " coefficients"]]:
        """Lowest and highest allowed value of each coefficient, infinite where there is none."""


@checked
def unlimited(
    field: AbstractVectorField,
) -> tuple[Float[np.ndarray, " coefficients"], Float[np.ndarray, " coefficients"]]:
    """Infinite limits, for a field that is defined everywhere."""
    infinite = np.full(len(field.coefficients), np.inf)
    return -infinite, infinite


def outside_limits(
    field: AbstractVectorField, theta: Float[np.ndarray, "*points coefficients"]
) -> np.ndarray:
    """Which entries of `theta` are beyond the limits of `field`, compared in their own dtype."""
    lower, upper = field.limits()
    bounded = np.isfinite(lower) | np.isfinite(upper)
    inside = (theta >= lower.astype(theta.dtype)) & (theta <= upper.astype(theta.dtype))
    return bounded & ~inside


def outside_message(field: AbstractVectorField, coefficient: int, value: float) -> str:
    """Describe the entry of `theta` that is beyond the limits, and the way out."""
    lower, upper = field.limits()
    low, high = float(lower[coefficient]), float(upper[coefficient])
    shown = against(value, low if value < low else high, 6)
    return (
        f"coefficient `{field.coefficients[coefficient]}` = {shown} lies outside the box "
        f"[{_short(low)}, {_short(high)}] of the vector field. Enlarge "
        '`lower`/`upper` of its HermiteGrid, or choose outside="clamp" or outside="linear".'
    )


def _short(limit: float) -> str:
    """All digits of a limit, without the `.0` of whole numbers."""
    return repr(limit).removesuffix(".0")


def check_inside(
    field: AbstractVectorField, theta: Float[np.ndarray, "*points coefficients"], where: str
) -> None:
    """Raise `OutsideBoxError` for the first entry of `theta` beyond the limits of `field`."""
    wrong = np.argwhere(outside_limits(field, theta))
    if len(wrong):
        index = tuple(wrong[0])
        message = outside_message(field, int(index[-1]), float(theta[index]))
        raise OutsideBoxError(f"{where}: {message}")
