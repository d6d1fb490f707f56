"""Laws of motion of moments: what is known exactly, and a smooth function for the rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float64

from dynboltz._arguments import check_positive, check_range, checked
from dynboltz._typing import AnyArray

from ._charts import Chart
from ._exact import KnownPart

UNROLLED = 2
"""Steps that are written out one by one, which is quicker to run; loops are quicker to compile."""


@final
@checked
class SmoothFunction(eqx.Module):
    r"""Affine function with a layer of smooth steps.

    $$f(x) = L x + b + W_2 \tanh(W_1 x + b_1)$$

    Attributes
    ----------
    parameters
        Entries of $L$, $b$, $W_1$, $b_1$ and $W_2$, one after another.
    n_inputs
        Number of inputs.
    n_outputs
        Number of outputs.
    n_units
        Number of steps.
    """

    parameters: Float[AnyArray, " parameters"]
    n_inputs: int = eqx.field(static=True)
    n_outputs: int = eqx.field(static=True)
    n_units: int = eqx.field(static=True)

    def __check_init__(self) -> None:
        sizes = _sizes(self.n_inputs, self.n_outputs, self.n_units)
        if min(self.n_inputs, self.n_outputs, self.n_units) < 1 or self.parameters.shape != (
            sum(sizes),
        ):
            raise ValueError(
                f"SmoothFunction: `parameters` must have shape ({sum(sizes)},) for "
                f"{self.n_inputs} inputs, {self.n_outputs} outputs and {self.n_units} steps, at "
                f"least one of each; got {self.parameters.shape}."
            )

    @classmethod
    def draw(
        cls, n_inputs: int, n_outputs: int, n_units: int, rng: np.random.Generator
    ) -> SmoothFunction:
        """Nearly zero, with steps in random directions."""
        sizes = _sizes(n_inputs, n_outputs, n_units)
        # Steps of a width of about one standard deviation of the inputs, somewhere among them;
        # their outputs begin small, so that a law begins as its known part.
        scales = (0.0, 0.0, 1 / np.sqrt(n_inputs), 0.7, 1e-2)
        parts = [s * rng.normal(size=n) for s, n in zip(scales, sizes, strict=True)]
        return cls(np.concatenate(parts), n_inputs, n_outputs, n_units)

    @property
    def groups(self) -> np.ndarray:
        """Number of the array that each parameter belongs to; each has a prior of its own."""
        return np.repeat(np.arange(5), _sizes(self.n_inputs, self.n_outputs, self.n_units))

    def __call__(self, x: Float[AnyArray, " inputs"]) -> Float[Array, " outputs"]:
        """Values at one point."""
        linear, constant, _, _, outer = self._parts
        return (
            linear.reshape(self.n_outputs, self.n_inputs) @ x
            + constant
            + outer.reshape(self.n_outputs, self.n_units) @ self.steps(x)
        )

    def steps(self, x: Float[AnyArray, " inputs"]) -> Float[Array, " units"]:
        """Values of the steps, from -1 to 1."""
        _, _, inner, offsets, _ = self._parts
        return jnp.tanh(inner.reshape(self.n_units, self.n_inputs) @ x + offsets)

    def arrays(self, parameters: Float64[np.ndarray, " parameters"]) -> list[np.ndarray]:
        """$L$, $b$, $W_1$, $b_1$ and $W_2$ of some parameters."""
        ends = np.cumsum(_sizes(self.n_inputs, self.n_outputs, self.n_units))[:-1]
        linear, constant, inner, offsets, outer = np.split(parameters, ends)
        return [
            linear.reshape(self.n_outputs, self.n_inputs),
            constant,
            inner.reshape(self.n_units, self.n_inputs),
            offsets,
            outer.reshape(self.n_outputs, self.n_units),
        ]

    @property
    def _parts(self) -> list[Array]:
        sizes = _sizes(self.n_inputs, self.n_outputs, self.n_units)
        return jnp.split(jnp.asarray(self.parameters), np.cumsum(sizes)[:-1])


def _sizes(n_inputs: int, n_outputs: int, n_units: int) -> tuple[int, ...]:
    return (n_outputs * n_inputs, n_outputs, n_units * n_inputs, n_units, n_outputs * n_units)


@final
@checked
class MomentLaw(eqx.Module):
    r"""Autonomous differential equations of densities and correlation factors.

    $$\dot\rho_a = c_a + \sum_C (M_{aC} + R_{aC}) P_C(z) + \rho_a s_a f_a(x(z)), \qquad
    \dot g_C = s_C f_C(x(z))$$

    with the known $c$ and $M$, learned rates $R$, the standardised features $x$ of the coordinates
    $z = (\rho, g)$, and a learned smooth function $f$. Neither $R$ nor $f$ has a part in the
    equations of densities that are known completely. Factors that leave the range of the training
    by more than a standard deviation are pulled back at the rate `pull`, so that no trajectory
    runs away where nothing is known.

    Attributes
    ----------
    chart
        Coordinates.
    matrix
        $M$ [1/time] of the known part of the equations of the densities.
    constant
        $c$ [1/time] of the same.
    open
        Places of the densities with a learned part.
    scales
        $s$ [1/time]: sizes of the learned velocities.
    centre, width
        Mean and standard deviation of the features along the training trajectories.
    lower
        Standardised factors below which they are pulled back.
    upper
        Those above which they are.
    pull
        Rate of that [1/time].
    function
        The learned function.
    rate_places
        Density and moment of each learned rate; the number of moments stands for a constant.
    rate_scales
        Units of the learned rates [1/time].
    rates
        The learned rates in these units.
    """

    chart: Chart
    matrix: Float[AnyArray, "densities compared"]
    constant: Float[AnyArray, " densities"]
    open: tuple[int, ...] = eqx.field(static=True)
    scales: Float[AnyArray, " learned"]
    centre: Float[AnyArray, " coordinates"]
    width: Float[AnyArray, " coordinates"]
    lower: Float[AnyArray, " factors"]
    upper: Float[AnyArray, " factors"]
    pull: Float[AnyArray, ""]
    function: SmoothFunction
    rate_places: tuple[tuple[int, int], ...] = eqx.field(static=True)
    rate_scales: Float[AnyArray, " rates"]
    rates: Float[AnyArray, " rates"]

    @property
    def _axis_entries(self) -> dict[str, Any]:
        return self.chart._axis_entries

    @classmethod
    def untrained(
        cls,
        chart: Chart,
        known: KnownPart,
        scales: Float64[np.ndarray, " learned"],
        features: Float64[np.ndarray, "points coordinates"],
        interval: float,
        function: SmoothFunction,
        rate_places: Sequence[tuple[int, int]] = (),
        rate_scales: Float64[np.ndarray, " rates"] | None = None,
    ) -> MomentLaw:
        """Law whose function and rates are still to be learned, of records an `interval` apart."""
        check_positive("MomentLaw.untrained", "interval", interval)
        width = features.std(axis=0)
        width = np.maximum(np.where(width > 0, width, 1.0), chart.narrowest)
        factors = ((features - features.mean(axis=0)) / width)[:, len(chart.densities) :]
        return cls(
            chart,
            known.matrix,
            known.constant,
            tuple(i for i, is_open in enumerate(known.open) if is_open),
            scales,
            features.mean(axis=0),
            width,
            factors.min(axis=0) - 1,
            factors.max(axis=0) + 1,
            np.array(1 / interval),
            function,
            tuple(rate_places),
            np.ones(len(rate_places)) if rate_scales is None else rate_scales,
            np.zeros(len(rate_places)),
        )

    @property
    def parameters(self) -> Float[Array, " parameters"]:
        """All that is learned: parameters of the function, then the rates."""
        return jnp.concatenate([jnp.asarray(self.function.parameters), jnp.asarray(self.rates)])

    @property
    def groups(self) -> np.ndarray:
        """Number of the array that each parameter belongs to; each has a prior of its own."""
        own = self.function.groups
        return np.concatenate([own, np.full(len(self.rate_places), own[-1] + 1)])

    def with_parameters(self, parameters: Float[AnyArray, " parameters"]) -> MomentLaw:
        """The law with other parameters."""
        n = self.function.parameters.shape[0]
        parts = parameters[:n], parameters[n:]
        return eqx.tree_at(lambda law: (law.function.parameters, law.rates), self, parts)

    def linear_part(
        self, rates: Float64[np.ndarray, " rates"] | None = None
    ) -> Float64[np.ndarray, "densities _"]:
        """$M + R$ and, in the last column, $c$ with its rates; of other rates if given."""
        found = np.column_stack([np.asarray(self.matrix), np.asarray(self.constant)])
        rates = np.asarray(self.rates) if rates is None else rates
        rows, columns = np.array(self.rate_places, dtype=np.int64).reshape(-1, 2).T
        np.add.at(found, (rows, columns), np.asarray(self.rate_scales) * rates)
        return found

    def velocity(self, z: Float[AnyArray, " coordinates"]) -> Float[Array, " coordinates"]:
        """Time derivatives of the coordinates at one point [1/time]."""
        n = len(self.chart.densities)
        parts = jnp.append(self.chart.probabilities(z), 1.0)
        density = jnp.column_stack([self.matrix, self.constant]) @ parts
        if self.rate_places:
            rows, columns = np.array(self.rate_places).T
            rates = jnp.asarray(self.rates) * self.rate_scales
            density = density.at[rows].add(rates * parts[columns])
        x = (self.chart.features(z) - self.centre) / self.width
        learned = self.scales * self.function(x)
        if self.open:
            at = jnp.asarray(self.open)
            density = density.at[at].add(learned[: len(self.open)] * z[at])
        inside = jnp.clip(x[n:], self.lower, self.upper)
        factors = learned[len(self.open) :] + self.pull * self.width[n:] * (inside - x[n:])
        return jnp.concatenate([density, factors])

    def step(
        self,
        z: Float[AnyArray, " coordinates"],
        interval: Float[AnyArray, ""] | float,
        n_steps: int,
    ) -> Float[Array, " coordinates"]:
        """Coordinates after an interval, by Runge-Kutta steps of fourth order."""
        check_range("MomentLaw.step", "n_steps", n_steps, 1)
        z, h = jnp.asarray(z), interval / n_steps

        def advance(z: Array, _: None = None) -> tuple[Array, None]:
            one = self.velocity(z)
            two = self.velocity(z + h / 2 * one)
            three = self.velocity(z + h / 2 * two)
            four = self.velocity(z + h * three)
            return z + h / 6 * (one + 2 * two + 2 * three + four), None

        if n_steps > UNROLLED:
            return jax.lax.scan(advance, z, length=n_steps)[0]
        for _ in range(n_steps):
            z, _ = advance(z)
        return z

    def solve(
        self,
        starts: Float[AnyArray, "starts coordinates"],
        times: Float[AnyArray, " times"],
        n_steps: int,
    ) -> Float[Array, "starts times coordinates"]:
        """Coordinates at increasing times from those at the first one.

        Parameters
        ----------
        starts
            Coordinates at the first time.
        times
            Times [time].
        n_steps
            Runge-Kutta steps between two times.
        """
        check_range("MomentLaw.solve", "n_steps", n_steps, 1)
        return _solve(self, jnp.asarray(starts), jnp.diff(jnp.asarray(times)), n_steps)


@eqx.filter_jit
def _solve(law: MomentLaw, starts: Array, intervals: Array, n_steps: int) -> Array:
    def advance(z: Array, interval: Array) -> tuple[Array, Array]:
        z = jax.vmap(lambda one: law.step(one, interval, n_steps))(z)
        return z, z

    _, path = jax.lax.scan(advance, starts, intervals)
    return jnp.concatenate([starts[None], path]).swapaxes(0, 1)
