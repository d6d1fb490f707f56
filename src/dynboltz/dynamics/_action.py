"""Parts of the action: the integral over time, and its regularisation."""

from __future__ import annotations

import math
from typing import Literal, final, get_args

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from dynboltz._arguments import checked, is_traced
from dynboltz._typing import AnyArray

Rule = Literal["left", "trapezoid"]
Window = tuple[int | Int[Array, ""], int | Int[Array, ""]]


@checked
def time_weights(
    times: Float[AnyArray, " times"], rule: Rule = "left", *, window: Window | None = None
) -> Float[AnyArray, " times"]:
    r"""Quadrature weights $w_n$ with $\int dt\, g(t) \approx \sum_n w_n g(t_n)$.

    They turn the divergences at the data's times into the action, Ernst et al. (2019), eq. (28),
    and a difference of moments into the cotangents of `discrete_adjoint`. NumPy arrays give NumPy
    arrays, JAX arrays give JAX arrays; so does `L2`.

    Parameters
    ----------
    times
        Increasing times [time].
    rule
        `"left"`: the value at the start of each interval counts, as in Euler's method.
        `"trapezoid"`: the mean of both ends.
    window
        First and last index of the times between which to integrate, eq. (41); all by default.

    Returns
    -------
    weights
        In the unit of `times`, zero outside the window.

    Raises
    ------
    ValueError
        If `rule` is unknown, or a time is not finite.
    """
    if rule not in get_args(Rule):
        raise ValueError(f"time_weights: `rule` must be one of {get_args(Rule)}, got {rule!r}.")
    if not is_traced(times) and not np.all(np.isfinite(times)):
        raise ValueError(f"time_weights: `times` must be finite, got {times}.")
    xp = times.__array_namespace__()
    intervals = times[1:] - times[:-1]
    if window is not None:
        index = xp.arange(len(intervals))
        inside = (index >= window[0]) & (index < window[1])
        intervals = xp.where(inside, intervals, xp.zeros_like(intervals))
    none = xp.zeros_like(times[:1])
    left = xp.concat([intervals, none])
    return left if rule == "left" else 0.5 * (left + xp.concat([none, intervals]))


@final
@checked
class L2(eqx.Module):
    r"""Penalty $\lambda_r \int dt \sum_k (\theta_k(t) - \bar\theta_k(t))^2$ of the action.

    See Ernst et al. (2019), eqs. (32) and (33).

    Parameters
    ----------
    strength
        $\lambda_r$, not negative.
    target
        $\bar\theta$: one value for all, one for each coefficient, or also one for each time.

    Raises
    ------
    ValueError
        If `strength` is negative or not finite, or, when it is used, `target` does not fit.
    """

    strength: float = eqx.field(static=True)
    target: Float[AnyArray, " ..."]

    def __check_init__(self) -> None:
        if not 0 <= self.strength < math.inf:
            raise ValueError(
                f"L2: `strength` must not be negative, and finite, got {self.strength}."
            )

    def penalty(
        self,
        theta: Float[AnyArray, "*batch times coefficients"],
        weights: Float[AnyArray, " times"],
    ) -> Float[Array, "*batch"]:
        r"""Penalty of a solution.

        Parameters
        ----------
        theta
            The solution.
        weights
            Quadrature weights of its times [time], see `time_weights`.

        Returns
        -------
        penalty
            $\lambda_r \sum_n w_n |\theta(t_n) - \bar\theta(t_n)|^2$ of each initial condition.
        """
        return self.strength * jnp.sum(jnp.square(self._deviation(theta)), axis=-1) @ weights

    def gradient(
        self, theta: Float[AnyArray, "*batch times coefficients"]
    ) -> Float[AnyArray, "*batch times coefficients"]:
        r"""Derivative of the integrand, $2 \lambda_r (\theta - \bar\theta)$.

        Parameters
        ----------
        theta
            The solution.

        Returns
        -------
        gradient
            To be added to the difference of moments.
        """
        return 2 * self.strength * self._deviation(theta)

    def _deviation(self, theta: AnyArray) -> AnyArray:
        shape = tuple(np.shape(self.target))
        fits = all(
            own in (1, other) for own, other in zip(shape[::-1], theta.shape[::-1], strict=False)
        )
        if len(shape) > theta.ndim or not fits:
            raise ValueError(
                f"L2: `target` must be one value, one for each coefficient or also for each time, "
                f"got shape {shape} for `theta` of shape {theta.shape}."
            )
        return theta - theta.__array_namespace__().broadcast_to(self.target, theta.shape)
