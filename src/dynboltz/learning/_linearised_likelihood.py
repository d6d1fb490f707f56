"""Likelihood around coefficients where it was looked at: all that chains or fits tell about it."""

from __future__ import annotations

import typing
from dataclasses import dataclass
from typing import Any, NamedTuple, final

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from dynboltz._arguments import checked, fitted
from dynboltz._numbers import check_finite
from dynboltz._typing import AnyArray

from ._gauss_newton import Local


@checked
class Linearised(NamedTuple):
    r"""Where the likelihood of every snapshot was looked at, and what was seen.

    Attributes
    ----------
    theta
        Coefficients $\theta_0$.
    difference
        $g$, the derivative of the negative log likelihood there.
    metric
        $G$, its second derivative there.
    """

    theta: Float[AnyArray, "*batch times coefficients"]
    difference: Float[AnyArray, "*batch times coefficients"]
    metric: Float[AnyArray, "*batch times coefficients coefficients"]

    @classmethod
    def around_fits(
        cls,
        theta: Float[np.ndarray, "*batch times coefficients"],
        covariance: Float[np.ndarray, "*batch times coefficients coefficients"],
    ) -> Linearised:
        """What fits of single snapshots say: the likelihood is Gaussian around them.

        Parameters
        ----------
        theta
            Coefficients of the fits.
        covariance
            Covariances of their errors.

        Raises
        ------
        ValueError
            If a number is not finite, or a covariance cannot be inverted.
        """
        where = "Linearised.around_fits"
        check_finite(where, "`theta`", theta)
        check_finite(where, "`covariance`", covariance)
        with np.errstate(all="ignore"):
            try:
                # LAPACK has no half precision.
                metric = np.linalg.inv(covariance.astype(np.result_type(covariance, np.float32)))
            except np.linalg.LinAlgError:
                metric = np.full(covariance.shape, np.nan)
        if not np.all(np.isfinite(metric)):
            raise ValueError(
                f"{where}: `covariance` must be invertible for each snapshot; fits "
                "without information about a coefficient need a prior."
            )
        return cls(theta, np.zeros_like(theta), metric)


@final
@checked
@dataclass(frozen=True)
class LinearisedLikelihood:
    r"""Second-order expansion of the negative log likelihood of each snapshot.

    $$g \cdot (\theta - \theta_0) + \tfrac12 (\theta - \theta_0)^T G\, (\theta - \theta_0),
    \qquad \frac{\partial}{\partial \theta} = g + G\, (\theta - \theta_0)$$

    up to a constant of the data. With `Linearised.around_fits`, a field is learned from fits of
    single snapshots without a sample of the model.
    """

    def __call__(self, theta: Float[Array, "times coefficients"], data: Linearised) -> Local:
        """Look at the coefficients of one initial condition.

        Parameters
        ----------
        theta
            Coefficients.
        data
            Where the likelihood was looked at.
        """
        n = theta.shape
        for name, annotation in typing.get_type_hints(Linearised).items():
            sizes: dict[str, Any] = {"times": n[0], "coefficients": n[1], "*batch": ()}
            part = fitted(
                "LinearisedLikelihood", f"data.{name}", getattr(data, name), annotation, sizes
            )
            check_finite("LinearisedLikelihood", f"`data.{name}`", part, ("time",))
            data = data._replace(**{name: part})
        away = theta - data.theta
        pull = jnp.einsum("tkl,tl->tk", data.metric, away)
        divergence = jnp.sum(away * (data.difference + 0.5 * pull), axis=-1)
        return Local(divergence, jnp.asarray(data.difference) + pull, jnp.asarray(data.metric))
