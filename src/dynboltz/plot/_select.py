"""Choosing what to draw from a dataset of predictions, with messages for what is not there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import xarray as xr


def select_part(ds: xr.Dataset, part: str) -> xr.Dataset:
    """Initial conditions of one part; places that only pad the shorter part are dropped."""
    chosen = select(ds, "part", part)
    return chosen.dropna("initial_condition", how="all", subset=["simulated"])


def select(ds: xr.Dataset, dim: str, name: str) -> xr.Dataset:
    """Select the entry `name` of a dimension of names."""
    allowed = names(ds, dim)
    if name not in allowed:
        raise ValueError(f"There is no {dim} {name!r} in the dataset; it has {', '.join(allowed)}.")
    return ds.sel({dim: name})


def names(ds: xr.Dataset, dim: str) -> list[str]:
    """Names along a dimension, empty if the dataset does not have it."""
    return [str(name) for name in ds[dim].values] if dim in ds.coords else []


def coefficient_names(ds: xr.Dataset) -> list[str]:
    """Names of the coefficients; a baseline without coefficients is refused."""
    if "theta" not in ds:
        raise ValueError(
            "The dataset has no coefficients `theta`, as of a baseline; give the predictions of a "
            "learned model."
        )
    return names(ds, "coefficient")


def shown_coefficients(ds: xr.Dataset, coefficients: Sequence[str] | None) -> list[str]:
    """Return the coefficients to span a space with, one to three, by default the first three."""
    known = coefficient_names(ds)
    if coefficients is None:
        return known[:3]
    unknown = [name for name in coefficients if name not in known]
    if unknown or not 1 <= len(coefficients) <= 3:
        raise ValueError(
            f"`coefficients` must be one to three of {', '.join(known)}, got {list(coefficients)}."
        )
    return list(coefficients)


def order(moment: str) -> int:
    """Number of sites that a moment looks at."""
    return moment.count(".") + 1


def of_order(ds: xr.Dataset, wanted: int) -> list[str]:
    """Names of the moments that look at this many sites."""
    return [name for name in names(ds, "moment") if order(name) == wanted]


def predicted(predictions: Mapping[str, xr.Dataset], part: str) -> dict[str, xr.Dataset]:
    """Models that predict something for a part, unlike fits to each time of the other part."""
    return {
        name: ds
        for name, ds in predictions.items()
        if bool(select_part(ds, part)["moments"].notnull().any())
    }


def known_times(ds: xr.Dataset, part: str) -> xr.Dataset:
    """Leave out the times at which no coefficient is known, if any is at some time."""
    theta = select_part(ds, part)["theta"]
    known = theta.notnull().any([dim for dim in theta.dims if dim != "time"]).values
    return ds.isel(time=known) if known.any() else ds


def learned_times(ds: xr.Dataset) -> xr.Dataset:
    """Leave out the times beyond the training, if the dataset tells where it ended."""
    return up_to(ds, ds.attrs.get("learned_until"))


def up_to(ds: xr.Dataset, end: float | None) -> xr.Dataset:
    """Leave out the times after `end`, if there is one; rounding does not count."""
    return ds if end is None else ds.isel(time=ds["time"].values <= end + 1e-9 * abs(end))


def neighbour_moment(ds: xr.Dataset, moment: str | None) -> str:
    """Return the moment of neighbouring pairs to show, by default the first of order 2."""
    pairs = of_order(ds, 2)
    if moment is None and pairs:
        return pairs[0]
    if moment not in pairs:
        raise ValueError(
            f"`moment` must be a moment of two sites, of which there are {pairs}; got {moment!r}."
        )
    return moment
