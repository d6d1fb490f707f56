"""Block Gibbs sampling of lattice models."""

from __future__ import annotations

from typing import Literal, TypeVar, final

import numpy as np
from jaxtyping import Float, Float64, Shaped, UInt8, UInt64

from dynboltz._arguments import checked
from dynboltz._typing import AnyArray
from dynboltz.distributions import LatticeModel
from dynboltz.lattices import check_layers, check_states, streams

from ._codes import make_codes
from ._field_kernels import fill_entries
from ._field_tables import FieldTables, field_tables
from ._kernels import Conditionals, fill_thresholds, sweep_chains
from ._lane_kernels import sweep_fields
from ._local_rule import local_rule
from ._rows import coefficient_rows
from ._tables import GibbsTables, compile_tables, unit_exists

MAX_THRESHOLDS = 1 << 24
Tables = TypeVar("Tables", GibbsTables, FieldTables)


@final
@checked
class GibbsSampler:
    r"""Block Gibbs sampler of a lattice model with any terms and layers.

    A unit of layer $l$ at site $a$ is drawn from its conditional distribution

    $$p(x^{(l)}_a = \alpha \mid \text{rest}) = \frac{e^{f_\alpha}}{1 + \sum_\beta e^{f_\beta}},$$

    where the field $f_\alpha$ is the sum of the coefficients of the products that would hold if
    the unit held $\alpha$. Units are grouped in blocks whose members share no product, so that
    the members are conditionally independent. A sweep updates every block once: the blocks of the
    hidden layers given the visible one, then those of the visible layer given the hidden ones.

    Each chain has its own random stream, so samples do not depend on the number of threads.
    The model decides which kernel draws them. Where the fields of all layers depend on few
    integers, these are added up for many units or many chains at once, and index tables of
    conditional probabilities, rounded to multiples of $2^{-32}$. Other models are sampled unit by
    unit, with tables for the layers where they pay, which alters the speed only.

    Parameters
    ----------
    model
        The model.

    References
    ----------
    Ernst et al. (2019), Sec. III, with the energy (35); Geman and Geman (1984), IEEE Trans.
    Pattern Anal. Mach. Intell. 6, 721.
    """

    def __init__(self, model: LatticeModel) -> None:
        self.model = model
        rules = [local_rule(model, layer) for layer in range(len(model.layers))]
        codes = [make_codes(rule) for rule in rules]
        self._tables = compile_tables(model, rules, codes)
        self._fields = field_tables(model, self._tables, rules, codes)
        self._exists = unit_exists(model)

    @property
    def kernel(self) -> Literal["whole layers", "unit by unit"]:
        """How states are drawn: a whole layer at once by index tables, or each unit by itself."""
        return "unit by unit" if self._fields is None else "whole layers"

    @property
    def block_sizes(self) -> tuple[int, ...]:
        """Number of units of each block, in the order in which they are updated."""
        return tuple(int(stop - first) for _, first, stop, _ in self._tables.blocks)

    @property
    def _axis_entries(self) -> dict[str, int | tuple[str, ...]]:
        return self.model._axis_entries

    def sweep(
        self,
        states: Shaped[AnyArray, "layers chains sites"],
        theta: Float[AnyArray, "*rows coefficients"],
        *,
        seed: int | np.random.SeedSequence,
        n_sweeps: int = 1,
    ) -> UInt8[np.ndarray, "layers chains sites"]:
        """States after some sweeps.

        Parameters
        ----------
        states
            States to start from; left as they are. What hidden layers hold does not matter if
            their units are independent of each other given the visible ones.
        theta
            Coefficients, in the order of the model: one set, or rows for equal groups of
            successive chains.
        seed
            Seed; chain `i` does not depend on how many there are.
        n_sweeps
            Number of sweeps.

        Raises
        ------
        ValueError
            If `states` or `theta` has the wrong shape, if a unit holds an unknown species or does
            not exist, if a coefficient is not finite, or if `n_sweeps` is negative.
        """
        states = self.check_states(states)
        random = streams(seed, states.shape[1])
        records, _ = self.record(states, theta, random, n_sweeps=n_sweeps)
        return np.ascontiguousarray(records[:, -1])

    def sample_hidden(
        self,
        visible: Shaped[AnyArray, "chains sites"],
        theta: Float[AnyArray, "*rows coefficients"],
        *,
        seed: int | np.random.SeedSequence,
        n_sweeps: int = 1,
    ) -> UInt8[np.ndarray, "layers chains sites"]:
        """States whose hidden units are drawn given the visible ones.

        One sweep over the hidden layers gives exact samples if hidden units are independent of
        each other given the visible ones. Otherwise it is the beginning of a Markov chain from
        empty hidden layers, which needs more sweeps.

        Parameters
        ----------
        visible
            Visible states, which are kept.
        theta
            Coefficients, in the order of the model: one set, or rows for equal groups of
            successive chains.
        seed
            Seed.
        n_sweeps
            Number of sweeps over the hidden layers.

        Raises
        ------
        ValueError
            As for `sweep`.
        """
        states = self.with_hidden(visible)
        random = streams(seed, len(visible))
        records, _ = self.record(states, theta, random, n_sweeps=n_sweeps, hidden_only=True)
        return np.ascontiguousarray(records[:, -1])

    def with_hidden(
        self, visible: Shaped[AnyArray, "chains sites"]
    ) -> UInt8[np.ndarray, "layers chains sites"]:
        """States of all layers with the given visible one and empty hidden ones."""
        return with_hidden("GibbsSampler", self.model, visible)

    def record(
        self,
        states: Shaped[AnyArray, "layers chains sites"],
        theta: Float[AnyArray, "*rows coefficients"],
        random: UInt64[np.ndarray, "chains words"],
        *,
        n_sweeps: int,
        n_records: int = 1,
        hidden_only: bool = False,
    ) -> tuple[
        UInt8[np.ndarray, "layers records chains sites"], UInt64[np.ndarray, "chains words"]
    ]:
        """States along chains, and their random streams after the last record.

        Parameters
        ----------
        states
            States to start from; left as they are.
        theta
            Coefficients, in the order of the model: one set, or rows for equal groups of
            successive chains.
        random
            Random stream of each chain; left as it is.
        n_sweeps
            Number of sweeps before each record.
        n_records
            Number of records, not negative.
        hidden_only
            Update the hidden layers only.

        Raises
        ------
        ValueError
            As for `sweep`.
        """
        if n_sweeps < 0:
            raise ValueError(f"GibbsSampler: `n_sweeps` must not be negative, got {n_sweeps}.")
        if n_records < 0:
            raise ValueError(f"GibbsSampler: `n_records` must not be negative, got {n_records}.")
        states = self.check_states(states)
        n_layers, n_chains, n_sites = states.shape
        rows = self.check_theta(theta, n_chains)
        records = np.empty((n_layers, n_records + 1, n_chains, n_sites), dtype=np.uint8)
        records[:, 0] = states
        advanced = random.copy()
        if self._fields is not None:
            tables = _hidden_blocks(self._fields) if hidden_only else self._fields
            self._sweep_fields(tables, records, rows, advanced, n_sweeps)
        else:
            tables = _hidden_blocks(self._tables) if hidden_only else self._tables
            self._sweep_units(tables, records, rows, advanced, n_sweeps)
        return records[:, 1:], advanced

    def check_states(
        self, states: Shaped[AnyArray, "layers chains sites"]
    ) -> UInt8[np.ndarray, "layers chains sites"]:
        """States as bytes.

        Raises
        ------
        TypeError, ValueError
            If they do not belong to the model.
        """
        species, n_sites = self.model.species, self.model.lattice.n_sites
        checked = check_layers("GibbsSampler", states, species, n_sites, batch="chains")
        for number, exists in enumerate(self._exists):
            if not exists.all() and checked[number][:, ~exists].any():
                raise ValueError(
                    f"GibbsSampler: some units of layer {number} are occupied though their stencil "
                    "reaches beyond the closed edge; they do not exist and must be 0."
                )
        return checked

    def check_theta(
        self, theta: Float[AnyArray, "*rows coefficients"], n_chains: int
    ) -> Float64[np.ndarray, "rows coefficients"]:
        """Rows of coefficients; raise `ValueError` if they do not fit the model and the chains."""
        names = self.model.coefficients
        return coefficient_rows("GibbsSampler", theta, f" {names}", len(names), n_chains)

    def _sweep_fields(
        self,
        tables: FieldTables,
        records: UInt8[np.ndarray, "layers records chains sites"],
        rows: Float64[np.ndarray, "rows coefficients"],
        random: UInt64[np.ndarray, "chains words"],
        n_sweeps: int,
    ) -> None:
        """Fill the records, with the alias tables of as many rows at once as memory allows."""
        n_entries = int(tables.code_pointers[-1])
        per_row = records.shape[2] // len(rows)
        batch = max(1, MAX_THRESHOLDS // n_entries)
        for first in range(0, len(rows), batch):
            group = rows[first : first + batch]
            entries = np.empty((len(group), n_entries), dtype=np.uint32)
            fill_entries(group, self._tables, tables, entries)
            chains = slice(first * per_row, (first + len(group)) * per_row)
            sweep_fields(records[:, :, chains], entries, tables, n_sweeps, random[chains])

    def _sweep_units(
        self,
        tables: GibbsTables,
        records: UInt8[np.ndarray, "layers records chains sites"],
        rows: Float64[np.ndarray, "rows coefficients"],
        random: UInt64[np.ndarray, "chains words"],
        n_sweeps: int,
    ) -> None:
        n_chain_sweeps = records.shape[2] * n_sweeps * (records.shape[1] - 1)
        conditionals = self._conditionals(rows, n_chain_sweeps)
        sweep_chains(records, conditionals, tables, n_sweeps, random)

    def _conditionals(
        self, rows: Float64[np.ndarray, "rows coefficients"], n_chain_sweeps: int
    ) -> Conditionals:
        """Tabulate the layers that have no more codes than units to update."""
        pointers = self._tables.threshold_pointers
        n_codes = np.diff(pointers) // self._tables.n_species
        n_updates = self._exists.sum(axis=1) * n_chain_sweeps
        by_code = (n_codes > 0) & (n_codes * len(rows) <= n_updates)
        by_code &= len(rows) * pointers[-1] <= MAX_THRESHOLDS
        thresholds = np.empty((len(rows), pointers[-1] if by_code.any() else 0))
        if by_code.any():
            fill_thresholds(rows, self._tables, by_code, thresholds)
        return Conditionals(rows, by_code, thresholds)


def with_hidden(
    where: str, model: LatticeModel, visible: Shaped[AnyArray, "chains sites"]
) -> UInt8[np.ndarray, "layers chains sites"]:
    """Check visible states given to a public function; put empty hidden layers above them."""
    shape = ("chains", model.lattice.n_sites)
    labels = check_states(where, visible, model.species[0], shape, argument="visible")
    states = np.zeros((len(model.layers), *labels.shape), dtype=np.uint8)
    states[0] = labels
    return states


def _hidden_blocks(tables: Tables) -> Tables:
    return tables._replace(blocks=tables.blocks[tables.blocks[:, 0] > 0])
