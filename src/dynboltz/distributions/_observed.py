"""Exact moments of any terms in the distributions of a model."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64

from dynboltz._arguments import checked
from dynboltz._numbers import check_finite
from dynboltz.lattices import Term

from ._model import LatticeModel
from ._transfer_matrix import TransferMatrix


@checked
def observed_moments(
    model: LatticeModel, theta: Float64[np.ndarray, "... coefficients"], terms: Sequence[Term]
) -> Float64[np.ndarray, "... terms"]:
    """Exact moments per visible site of any terms, for chains.

    Parameters
    ----------
    model
        The model.
    theta
        Its coefficients.
    terms
        Whose moments; names that are taken by coefficients do no harm.

    Raises
    ------
    ValueError
        If a coefficient is not finite, the model with these terms has no exact solution, as
        `TransferMatrix`, or JAX is in single precision.
    FloatingPointError
        If a moment is not finite, because coefficients are too large for double precision.
    """
    axes = [f"axis {axis}" for axis in range(np.ndim(theta) - 1)]
    check_finite("observed_moments", "`theta`", theta, (*axes, "coefficient"))
    names = set(model.coefficients)
    renamed = [
        dataclasses.replace(t, name=f"moment {t.name}") if t.name in names else t for t in terms
    ]
    solution = TransferMatrix(model.with_terms(renamed))
    flat = np.reshape(theta, (-1, theta.shape[-1]))
    wide = np.concatenate([flat, np.zeros((len(flat), len(terms)))], axis=1)
    moments = solution.batch_moments(wide)[:, theta.shape[-1] :]
    wrong = ~np.isfinite(moments).all(axis=1)
    if wrong.any():
        raise FloatingPointError(
            f"observed_moments: {wrong.sum()} of {len(flat)} rows of `theta` have moments that are "
            f"not finite, first {flat[wrong.argmax()]}; coefficients so large are beyond double "
            "precision. Bound them where they come from, by a prior of the fit (`prior_strength`) "
            "or the box of the vector field."
        )
    return moments.reshape(*theta.shape[:-1], len(terms))
