"""Block Gibbs sampling in JAX, for accelerators."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import NamedTuple, final

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Float, Float32, Int32, Int64, Key, Shaped, UInt8

from dynboltz._arguments import checked
from dynboltz._typing import AnyArray
from dynboltz.distributions import LatticeModel

from . import _field_tables as field_tables
from ._codes import make_codes
from ._gibbs import MAX_THRESHOLDS, GibbsSampler
from ._jax_conditionals import code_bounds, draw_by_code, draw_by_products
from ._local_rule import LocalRule, local_rule
from ._tables import GibbsTables, compile_tables


@final
@checked
class JaxGibbsSampler:
    """Block Gibbs sampler that JAX compiles for the device it runs on.

    It draws from the same conditional distributions, block by block in the same order, as
    `GibbsSampler`, in single precision whether JAX is in double precision or not. The model
    decides how: the units of a layer whose fields depend on few integers look them up in a table
    of conditional probabilities; those of other layers add up their fields. All chains advance
    together, so that many of them are what an accelerator needs. On a CPU `GibbsSampler` is the
    faster one.

    Parameters
    ----------
    model
        The model. Samplers of equal models share what is compiled.
    devices
        Devices of JAX over which chains are spread, an equal number on each; all of them on JAX's
        default device if left out. With keys of the implementation `"threefry2x32"`, JAX's
        default, the states drawn do not depend on the devices.
    """

    def __init__(self, model: LatticeModel, *, devices: Sequence[jax.Device] = ()) -> None:
        self.model = model
        self.devices = tuple(devices)
        self._checks = GibbsSampler(model)

    @property
    def _axis_entries(self) -> dict[str, int | tuple[str, ...]]:
        return self.model._axis_entries

    def sweep(
        self,
        states: Shaped[AnyArray, "layers chains sites"],
        theta: Float[AnyArray, "*rows coefficients"],
        *,
        key: Key[Array, ""],
        n_sweeps: int = 1,
    ) -> UInt8[Array, "layers chains sites"]:
        """States after some sweeps.

        Parameters
        ----------
        states
            States to start from. What hidden layers hold does not matter if their units are
            independent of each other given the visible ones.
        theta
            Coefficients, in the order of the model: one set, or rows for equal groups of
            successive chains.
        key
            Random key, `jax.random.key(seed)`; the numbers drawn depend on how many chains there
            are. Its implementation sets the price of random numbers: `"rbg"` is the cheapest one
            on accelerators.
        n_sweeps
            Number of sweeps.

        Raises
        ------
        ValueError
            As for `GibbsSampler.sweep`; or if chains cannot be spread evenly over the devices.
        """
        n_chains = self._checks.check_states(states).shape[1]
        rows = self._checks.check_theta(theta, n_chains)
        if n_sweeps < 0:
            raise ValueError(f"JaxGibbsSampler: `n_sweeps` must not be negative, got {n_sweeps}.")
        coefficients = jnp.asarray(rows, dtype=np.float32)
        by_code = self._by_code(len(rows))
        spread = self._spread(jnp.asarray(states, dtype=np.uint8))
        return _sweep(self.model, by_code, spread, coefficients, key, np.int32(n_sweeps))

    def _spread(
        self, states: UInt8[Array, "layers chains sites"]
    ) -> UInt8[Array, "layers chains sites"]:
        """Put equal numbers of chains on the devices, on which all that is drawn then stays."""
        if not self.devices:
            return states
        if states.shape[1] % len(self.devices):
            raise ValueError(
                f"JaxGibbsSampler: {states.shape[1]} chains cannot be spread evenly over "
                f"{len(self.devices)} devices; use a multiple."
            )
        mesh = Mesh(np.array(self.devices), ("chains",))
        return jax.device_put(states, NamedSharding(mesh, PartitionSpec(None, "chains")))

    def _by_code(self, n_rows: int) -> tuple[bool, ...]:
        """Whether a table of the codes of each layer costs less than it saves, and is not huge."""
        chosen = []
        for number, layer in enumerate(self.model.layers):
            counts = make_codes(local_rule(self.model, number)).counts
            n_units = int(layer.exists(self.model.lattice).sum())
            few = 0 < len(counts) <= field_tables.CODES_PER_UNIT * n_units
            chosen.append(few and len(counts) * counts.shape[1] * n_rows <= MAX_THRESHOLDS)
        return tuple(chosen)


class _Block(NamedTuple):
    """A block of units: its layer, its rows of the cells, its sites, and the rows of partners."""

    layer: int
    start: int
    sites: Int64[np.ndarray, " units"]
    neighbours: Int64[np.ndarray, "units partners"]


@functools.partial(jax.jit, static_argnums=(0, 1))
def _sweep(
    model: LatticeModel,
    by_code: tuple[bool, ...],
    states: UInt8[Array, "layers chains sites"],
    theta: Float32[Array, "rows coefficients"],
    key: Key[Array, ""],
    n_sweeps: Int32[AnyArray, ""],
) -> UInt8[Array, "layers chains sites"]:
    rules = [local_rule(model, layer) for layer in range(len(model.layers))]
    codes = [make_codes(rule) for rule in rules]
    tables = compile_tables(model, rules, codes)
    blocks = _blocks(tables, rules, states.shape[2])
    bounds = [
        code_bounds(c, theta) if chosen else None for c, chosen in zip(codes, by_code, strict=True)
    ]

    def draw(cells: Array, block: _Block, draws: Array) -> Array:
        bound = bounds[block.layer]
        if bound is not None:
            return draw_by_code(cells, block.neighbours, codes[block.layer], bound, draws)
        units = block.sites, block.neighbours
        return draw_by_products(cells, units, rules[block.layer], theta, draws)

    def sweep(number: Array, cells: Array) -> Array:
        keys = jax.random.split(jax.random.fold_in(key, number), len(blocks))
        for place, block in enumerate(blocks):
            shape = (len(block.neighbours), cells.shape[1])
            labels = draw(cells, block, jax.random.bits(keys[place], shape, np.uint32))
            cells = jax.lax.dynamic_update_slice_in_dim(cells, labels, block.start, axis=0)
        return cells

    by_site = jnp.swapaxes(states, 1, 2).reshape(-1, states.shape[1])
    constant = jnp.broadcast_to(jnp.array([[0], [1]], np.uint8), (2, states.shape[1]))
    cells = jnp.concatenate([by_site[tables.units], constant])
    cells = jax.lax.fori_loop(np.int32(0), n_sweeps, sweep, cells)
    after = jnp.zeros_like(by_site).at[tables.units].set(cells[:-2])
    return jnp.swapaxes(after.reshape(states.shape[0], states.shape[2], -1), 1, 2)


def _blocks(tables: GibbsTables, rules: list[LocalRule], n_sites: int) -> list[_Block]:
    """Blocks in terms of rows: units block by block, a row of empty cells and one of ones."""
    n_units, n_cells = tables.units.size, len(rules) * n_sites
    row = np.full(n_cells + 2, n_units)
    row[tables.units] = np.arange(n_units)
    row[n_cells + 1] = n_units + 1
    blocks = []
    for layer, start, stop, first in tables.blocks:
        shape = (int(stop - start), len(rules[layer].partners))
        neighbours = tables.neighbours[first : first + shape[0] * shape[1]].reshape(shape)
        sites = tables.units[start:stop].astype(np.int64) - layer * n_sites
        blocks.append(_Block(int(layer), int(start), sites, row[neighbours]))
    return blocks
