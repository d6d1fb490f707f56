"""Standard errors of anything that is made of means over replicas."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float64

from dynboltz._arguments import checked
from dynboltz._numbers import check_finite


@checked
def jackknife(
    statistic: Callable[..., np.ndarray], *samples: Float64[np.ndarray, "replicas ..."]
) -> tuple[np.ndarray, np.ndarray]:
    r"""Value of a function of means over replicas, and its standard error.

    $$\mathrm{SE}^2 = \frac{R - 1}{R} \sum_i (f_{(i)} - \bar f)^2$$

    with $f_{(i)}$ the value without replica $i$.

    Parameters
    ----------
    statistic
        Maps means of all samples, each without its first axis, to a value; also applied to many
        means at once, along a first axis.
    samples
        What is averaged, the replicas along the first axis.

    Returns
    -------
    value, standard_error
        Both of the shape of the value.

    Raises
    ------
    ValueError
        If there are fewer than two replicas, or a sample is not finite.
    """
    n = len(samples[0])
    if n < 2:
        raise ValueError(f"jackknife: needs two or more replicas, got {n}.")
    for number, sample in enumerate(samples):
        check_finite("jackknife", f"`samples[{number}]`", sample, ("replica",))
    whole = [sample.mean(axis=0) for sample in samples]
    without = [(n * mean - sample) / (n - 1) for mean, sample in zip(whole, samples, strict=True)]
    parts = statistic(*without)
    squares = np.sum((parts - parts.mean(axis=0)) ** 2, axis=0)
    return np.asarray(statistic(*whole)), np.asarray(np.sqrt(squares * (n - 1) / n))
