"""Chains of finite range, solved by the transfer matrix."""

from __future__ import annotations

import functools
import math
from typing import Any, final

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float64

from dynboltz._arguments import checked
from dynboltz._memory import check_size
from dynboltz._numbers import check_precision
from dynboltz._typing import AnyArray

from ._batches import in_batches
from ._hidden import HiddenLayer, hidden_layers
from ._log_power import NEVER, log_power
from ._model import LatticeModel
from ._solution import AbstractSolution, digits

MAX_WINDOWS = 1 << 16
MATRICES = 22
"""That moments at one row of coefficients take: powers, what they are made of, and derivatives.

Found from what JAX asked for with 1331 states and 100 sites."""


@final
@checked
class TransferMatrix(AbstractSolution):
    r"""Exact solution of a chain of finite range; hidden units are summed out exactly.

    Every term and every hidden unit belongs to the window of $w$ consecutive sites that begins at
    its leftmost visible site; the weight of a window is $e^{\phi(x_a, \ldots, x_{a+w-1})}$. With
    $T$ the matrix of these weights between consecutive $(w-1)$-tuples, $Z = \mathrm{tr}\, T^N$ on
    a ring. On a closed chain the last $w - 1$ windows reach beyond the end; they lack the hidden
    units that would, and $Z = 1^T T^{N-w+1} t$ with their weights $t$.

    Solutions of equal models are equal, and share what is compiled for them. Coefficients may have
    any size; while JAX traces them, as in a function of the caller that is compiled or
    differentiated, log weights of windows should differ by less than about $200 / (w - 1)$.

    Parameters
    ----------
    model
        A model on a chain, whose hidden units are coupled with visible ones only.

    Raises
    ------
    ValueError
        If the lattice is not a chain, if a term belongs to one place, if the chain is shorter than
        a window, if hidden units are coupled with each other, if a window has more than 65536
        states, or if the matrix is larger than the memory; by the methods, if JAX is in single
        precision, or if coefficients are so large that nothing is left of differences between
        states.
    """

    def __init__(self, model: LatticeModel) -> None:
        if model.lattice.dim != 1:
            raise ValueError(
                f"TransferMatrix: the lattice must be a chain, got shape {model.lattice.shape}; "
                "use sampled moments, or Enumeration for a very small lattice."
            )
        placed = [term.name for term in model.terms if term.at is not None]
        if placed:
            raise ValueError(
                f"TransferMatrix: the coefficients must be tied by translation, but {placed[0]!r} "
                "belongs to one place; use Enumeration for a small model, or sampled moments."
            )
        self.model = model
        hidden = hidden_layers(model)
        self.window = _window(model, hidden)
        self.n_labels = len(model.layers[0].species) + 1
        if model.lattice.n_sites < self.window:
            raise ValueError(
                f"TransferMatrix: a chain of {model.lattice.n_sites} sites is shorter than the "
                f"range of {self.window} sites of its terms."
            )
        if float(self.n_labels) ** self.window > MAX_WINDOWS:
            raise ValueError(
                f"TransferMatrix: windows of {self.window} sites have "
                f"{self.n_labels}^{self.window} states, more than {MAX_WINDOWS}; use sampled "
                "moments for this model."
            )
        n_tuples = self.n_labels ** (self.window - 1)
        check_size(
            f"TransferMatrix: a matrix between {n_tuples} states of {self.window - 1} sites, its "
            "power and its derivative",
            3 * 8 * n_tuples**2,
            "use sampled moments for this model, or terms of shorter range",
        )
        windows = digits(self.n_labels - 1, self.window)
        self._visible = _visible_counts(model, hidden, windows)
        self._hidden = [_hidden_codes(model, layer, windows) for layer in hidden]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TransferMatrix) and other.model == self.model

    def __hash__(self) -> int:
        return hash((TransferMatrix, self.model))

    def window_log_weights(
        self,
        theta: Float[AnyArray, " coefficients"],
        beyond: int = 0,
        potentials: tuple[Float[Array, " codes"], ...] | None = None,
    ) -> Float[Array, " windows"]:
        r"""Log weights $\phi$ of all states of a window, the first site slowest.

        Parameters
        ----------
        theta
            Coefficients.
        beyond
            Number of sites of the window beyond the end of a closed chain; hidden units that would
            reach there do not exist. The states given for these sites must be empty to be
            meaningful.
        potentials
            Further log weights of the surroundings of the units of each hidden layer, by code.
        """
        check_precision("TransferMatrix")
        theta = _at_least_single(theta)
        total = jnp.asarray(self._visible, theta.dtype) @ theta
        for number, (layer, width, codes) in enumerate(self._hidden):
            if width + beyond <= self.window:
                total += layer.free_energy(theta, layer.codes[codes])
                if potentials is not None:
                    total += potentials[number][codes]
        return total

    def log_matrix(
        self,
        theta: Float[AnyArray, " coefficients"],
        potentials: tuple[Float[Array, " codes"], ...] | None = None,
    ) -> Float[Array, "tuples tuples"]:
        """Log of the transfer matrix between consecutive tuples of `window - 1` sites.

        Tuples that cannot follow each other have `NEVER` in place of minus infinity.
        """
        return transfer_matrix(self.window_log_weights(theta, potentials=potentials), self.n_labels)

    def end_log_weights(
        self,
        theta: Float[AnyArray, " coefficients"],
        potentials: tuple[Float[Array, " codes"], ...] | None = None,
    ) -> Float[Array, " tuples"]:
        """Log weights of the last `window - 1` sites of a closed chain."""
        theta = _at_least_single(theta)
        total = jnp.zeros(self.n_labels ** (self.window - 1), theta.dtype)
        for beyond in range(1, self.window):
            weights = self.window_log_weights(theta, beyond, potentials)
            inside = weights[:: self.n_labels**beyond]
            total += jnp.tile(inside, self.n_labels ** (beyond - 1))
        return total

    def log_partition(self, theta: Float[AnyArray, " coefficients"]) -> Float[Array, ""]:
        r"""Log partition function $\ln Z(\theta)$ of the whole chain."""
        theta = _at_least_single(theta)
        return self._log_partition(theta, None, by_logarithms=self._vanishes(theta))

    def moments(self, theta: Float[AnyArray, " coefficients"]) -> Float[Array, " coefficients"]:
        r"""Moments $\tilde\mu_k = \langle s_k \rangle$ per visible site."""
        theta = _at_least_single(theta)
        return _moments(self, theta, self._vanishes(theta))

    def fisher(
        self, theta: Float[AnyArray, " coefficients"]
    ) -> Float[Array, "coefficients coefficients"]:
        r"""Fisher metric $G_{kl} = \mathrm{Cov}(s_k, s_l)$ per visible site."""
        theta = _at_least_single(theta)
        return _fisher(self, theta, self._vanishes(theta))

    def batch_moments(
        self, thetas: Float[np.ndarray, "rows coefficients"]
    ) -> Float[np.ndarray, "rows coefficients"]:
        """Moments at many coefficients."""
        thetas = _at_least_single(thetas)
        by_logarithms = self._vanishes(thetas)
        return in_batches(
            lambda rows: _batch_moments(self, rows, by_logarithms),
            thetas,
            bytes_per_row=self._bytes_per_row,
        )

    def batch_fisher(
        self, thetas: Float[np.ndarray, "rows coefficients"]
    ) -> Float[np.ndarray, "rows coefficients coefficients"]:
        """Fisher metric at many coefficients."""
        thetas = _at_least_single(thetas)
        by_logarithms = self._vanishes(thetas)
        return in_batches(
            lambda rows: _batch_fisher(self, rows, by_logarithms),
            thetas,
            bytes_per_row=self._bytes_per_row * (1 + thetas.shape[1]),
        )

    @property
    def _bytes_per_row(self) -> float:
        """Memory for the moments at one row of coefficients: matrices on the way and back."""
        return MATRICES * 8.0 * float(self.n_labels) ** (2 * (self.window - 1))

    def expected_summary(
        self, theta: Float[AnyArray, " coefficients"]
    ) -> Float[Array, " features"]:
        """Expectation of the summary that `ClampedStatistics` makes of a visible state."""
        theta = _at_least_single(theta)
        hidden_terms = {index for layer, _, _ in self._hidden for index in layer.coefficients}
        visible = [k for k in range(len(theta)) if k not in hidden_terms]
        none = tuple(jnp.zeros(len(layer.codes), theta.dtype) for layer, _, _ in self._hidden)
        moments, histograms = jax.grad(self._log_partition, argnums=(0, 1))(
            theta, none, by_logarithms=self._vanishes(theta)
        )
        features = jnp.concatenate([moments[np.array(visible, dtype=int)], *histograms])
        return features / self.model.lattice.n_sites

    def _log_partition(self, theta, potentials, *, by_logarithms):
        log_matrix = self.log_matrix(theta, potentials)
        power, end = self.model.lattice.n_sites, None
        if self.model.lattice.boundary == "closed":
            power, end = power - self.window + 1, self.end_log_weights(theta, potentials)
        return log_power(log_matrix, power, end, by_logarithms=by_logarithms)

    def _vanishes(self, theta: Float[AnyArray, "*rows coefficients"]) -> bool:
        r"""Whether products of scaled matrices may lose what decides, for any of the coefficients.

        Let the log weights of windows differ by at most $R$. Any path of the chain differs from
        the best one by at most $2 (w - 1) R$ if it need only begin and end elsewhere, and by
        $(w - 1) R$ more at a closed end. While JAX traces, nothing is known of the coefficients,
        and products must do.
        """
        if isinstance(theta, jax.core.Tracer):
            return False
        span = (np.abs(theta) @ self._largest_counts + self._hidden_span).max(initial=0.0)
        if span * self.model.lattice.n_sites > -NEVER / 1e5:
            raise ValueError(
                f"TransferMatrix: the coefficients `theta` = {theta} are too large to tell the "
                "weights of states apart in floating-point numbers."
            )
        log_smallest = math.log(np.finfo(jnp.asarray(theta).dtype).tiny)
        return bool(3 * (self.window - 1) * span > -log_smallest)

    @functools.cached_property
    def _largest_counts(self) -> Float64[np.ndarray, " coefficients"]:
        """How often a window or its hidden units can name each term."""
        counts = self._visible.max(axis=0)
        for layer, _, _ in self._hidden:
            counts[list(layer.coefficients)] = layer.codes.max(axis=0)
        return counts

    @property
    def _hidden_span(self) -> float:
        """What a choice between states adds to the log weights of the hidden units of a window."""
        return math.fsum(math.log(1 + layer.n_species) for layer, _, _ in self._hidden)


def _at_least_single(theta: Any) -> Any:
    """Coefficients in single precision in place of half: `NEVER` is beyond half precision."""
    if jnp.finfo(theta.dtype).bits < 32:
        return theta.astype(jnp.float32)
    return theta


@functools.partial(jax.jit, static_argnums=(0, 2))
def _moments(solution, theta, by_logarithms):
    return jax.grad(_free_energy, argnums=1)(solution, theta, by_logarithms)


@functools.partial(jax.jit, static_argnums=(0, 2))
def _fisher(solution, theta, by_logarithms):
    return jax.hessian(_free_energy, argnums=1)(solution, theta, by_logarithms)


def _free_energy(solution, theta, by_logarithms):
    log_z = solution._log_partition(theta, None, by_logarithms=by_logarithms)
    return log_z / solution.model.lattice.n_sites


@functools.partial(jax.jit, static_argnums=(0, 2))
def _batch_moments(solution, thetas, by_logarithms):
    return jax.vmap(lambda theta: _moments(solution, theta, by_logarithms))(thetas)


@functools.partial(jax.jit, static_argnums=(0, 2))
def _batch_fisher(solution, thetas, by_logarithms):
    return jax.vmap(lambda theta: _fisher(solution, theta, by_logarithms))(thetas)


def transfer_matrix(
    weights: Float[Array, " windows"], n_labels: int
) -> Float[Array, "tuples tuples"]:
    """Arrange log weights as a matrix from the first sites of a window to its last ones."""
    n_tuples = weights.size // n_labels
    rows = jnp.arange(weights.size) // n_labels
    columns = jnp.arange(weights.size) % n_tuples
    return jnp.full((n_tuples, n_tuples), NEVER, weights.dtype).at[rows, columns].set(weights)


def _window(model: LatticeModel, hidden: tuple[HiddenLayer, ...]) -> int:
    widths = [2]
    for layer in hidden:
        widths.append(_extent(model.layers[layer.number].stencil))
    for term in model.terms:
        for product in term.products:
            widths.append(_extent(tuple(f.offset for f in product if f.layer == 0)))
    return max(widths)


def _extent(offsets: tuple[tuple[int, ...], ...]) -> int:
    places = [offset[0] for offset in offsets] or [0]
    return max(places) - min(places) + 1


def _visible_counts(
    model: LatticeModel, hidden: tuple[HiddenLayer, ...], windows: np.ndarray
) -> np.ndarray:
    """Number of products of each visible term that begin at the first site of each window."""
    hidden_terms = {index for layer in hidden for index in layer.coefficients}
    labels = {name: i + 1 for i, name in enumerate(model.layers[0].species)}
    counts = np.zeros((len(windows), len(model.terms)))
    for index, term in enumerate(model.terms):
        if index in hidden_terms:
            continue
        for product in term.products:
            first = min(f.offset[0] for f in product)
            holds = [windows[:, f.offset[0] - first] == labels[f.species] for f in product]
            counts[:, index] += np.all(holds, axis=0)
    return counts


def _hidden_codes(
    model: LatticeModel, layer: HiddenLayer, windows: np.ndarray
) -> tuple[HiddenLayer, int, np.ndarray]:
    """Code of the hidden unit that begins at the first site of each window, and its width."""
    stencil = model.layers[layer.number].stencil
    first = min(offset[0] for offset in stencil)
    labels = {name: i + 1 for i, name in enumerate(model.layers[0].species)}
    counts = np.zeros((len(windows), len(layer.products)), dtype=np.int64)
    for t, products in enumerate(layer.products):
        for product in products:
            holds = [windows[:, f.offset[0] - first] == labels[f.species] for f in product]
            counts[:, t] += np.all(holds, axis=0) if holds else 1
    codes = np.argmax(np.all(counts[:, None] == layer.codes, axis=2), axis=1)
    return layer, _extent(stencil), codes
