"""Biases and moments as smooth functions of densities and coefficients."""

from __future__ import annotations

from typing import final

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from dynboltz._arguments import checked
from dynboltz._typing import AnyArray


@final
@checked
class Emulator(eqx.Module):
    r"""Functions of the coordinates, made by `emulate`.

    Biases are $b_a = \ln (\rho_a / \rho_0) + f_a(x)$, moments $m_C = n_C e^{f_C(x)} \prod_{a \in C}
    \rho_a$, with the standardised log densities and coefficients $x$ and

    $$f(x) = A_0 + A \cdot x
    + \sum_k e^{-|x - x_k|^2 / 2 l^2} [w_{k0} + w_k \cdot (x - x_k) / l^2].$$

    Attributes
    ----------
    n_densities
        Number of species.
    density_of
        Species of each moment, filled up with the number of species.
    places
        $n_C$ [1/site].
    centre, width
        Mean and width of the features.
    points
        $x_k$.
    affine
        $A$ of each function: those of the biases, then of the moments.
    weights
        $w$ of each function.
    lengths
        $l$ of each function.
    """

    n_densities: int = eqx.field(static=True)
    density_of: tuple[tuple[int, ...], ...] = eqx.field(static=True)
    places: Float[AnyArray, " moments"]
    centre: Float[AnyArray, " coordinates"]
    width: Float[AnyArray, " coordinates"]
    points: Float[AnyArray, "points coordinates"]
    affine: Float[AnyArray, "functions parts"]
    weights: Float[AnyArray, "functions points parts"]
    lengths: Float[AnyArray, " functions"]

    @property
    def _axis_entries(self) -> dict[str, int]:
        return {"coordinates": len(self.centre)}

    def biases(self, z: Float[AnyArray, " coordinates"]) -> Float[Array, " species"]:
        """Visible biases at one point, of positive densities."""
        density = jnp.asarray(z)[: self.n_densities]
        tiny = jnp.finfo(density.dtype).tiny
        empty = jnp.maximum(1 - jnp.sum(density), tiny)
        return jnp.log(density / empty) + self._functions(z)[: self.n_densities]

    def moments(self, z: Float[AnyArray, " coordinates"]) -> Float[Array, " moments"]:
        """Moments per visible site at one point, of positive densities."""
        density = jnp.asarray(z)[: self.n_densities]
        with_one = jnp.concatenate([density, jnp.ones(1, density.dtype)])
        products = jnp.prod(with_one[jnp.asarray(self.density_of)], axis=-1)
        factors = jnp.exp(self._functions(z)[self.n_densities :])
        return jnp.asarray(self.places) * products * factors

    def _functions(self, z: Float[AnyArray, " coordinates"]) -> Float[Array, " functions"]:
        z, n = jnp.asarray(z), self.n_densities
        features = jnp.concatenate([jnp.log(z[:n]), z[n:]])
        x = (features - self.centre) / self.width
        affine, weights = jnp.asarray(self.affine), jnp.asarray(self.weights)
        away = x[None] - jnp.asarray(self.points)
        squares = jnp.asarray(self.lengths)[:, None] ** 2
        kernel = jnp.exp(-jnp.sum(away**2, axis=1)[None] / (2 * squares))
        parts = weights[..., 0] + jnp.einsum("fkc,kc->fk", weights[..., 1:], away) / squares
        return affine[:, 0] + affine[:, 1:] @ x + jnp.sum(kernel * parts, axis=1)
