"""Lineage: what a result was made from, inside the result itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dynboltz.store import store_checksum

from ._directory import ResultDirectory
from ._load import AnyExperiment
from ._parts import PARTS
from ._version import version


def lineage(
    experiment: AnyExperiment, directory: ResultDirectory, *parents: Path
) -> dict[str, Any]:
    """Settings, network, seed, version and the checksums of the parents of a result.

    Parameters
    ----------
    experiment
        The settings.
    directory
        Where results lie; parents are named by their path in it.
    parents
        Stores that the result is made from.

    Returns
    -------
    lineage
        `experiment` (text of an experiment file), `network`, `seed`, `version` and `parents`, a
        mapping from names to SHA-256.
    """
    return {
        "experiment": experiment.to_toml(),
        "network": experiment.network.to_text(),
        "seed": experiment.seed,
        "version": version(),
        "parents": {
            parent.relative_to(directory.path).as_posix(): store_checksum(parent)
            for parent in parents
        },
    }


def lineage_of_copy(
    attributes: Mapping[str, Any], directory: ResultDirectory, source: Path
) -> dict[str, Any]:
    """Lineage of a copy of trajectories, whose attributes hold what they were simulated with."""
    kept = ("experiment", "network", "seed", "version")
    return {
        **{key: attributes[key] for key in kept if key in attributes},
        "parents": {source.relative_to(directory.path).as_posix(): store_checksum(source)},
    }


def lineage_of_all(experiment: AnyExperiment, directory: ResultDirectory) -> dict[str, Any]:
    """Lineage of what is made from all trajectories, fits and models of an experiment."""
    stores = [directory.trajectories(part) for part in PARTS]
    stores += [of(name) for name in experiment.plans for of in (directory.fit, directory.model)]
    stores += [directory.law(name) for name in experiment.law_names]
    return lineage(experiment, directory, *stores)
