"""Names of coefficients and moments as mathematics on an axis."""

from __future__ import annotations

import re

import xarray as xr

_SAFE = re.compile(r"[A-Za-z][A-Za-z0-9]*")


def coefficient_symbol(name: str) -> str:
    """Symbol of a coefficient: `W.A.X` as $W_{AX}$; other names stay as they are."""
    kind, *species = name.split(".")
    if not species or not all(map(_SAFE.fullmatch, (kind, *species))):
        return plain(name)
    subscript = r"\,".join(species)
    return rf"${kind}_{{\mathrm{{{subscript}}}}}$"


def coefficient_label(name: str) -> str:
    """Symbol of a coefficient, which has no dimension."""
    return f"{coefficient_symbol(name)} [-]"


def moment_symbol(name: str) -> str:
    """Symbol of a moment: `A.A` as ⟨A A⟩."""
    return f"⟨{plain(' '.join(name.split('.')))}⟩"


def moment_label(name: str) -> str:
    """Symbol of a moment with its unit."""
    return f"{moment_symbol(name)} [per site]"


def time_unit(ds: xr.Dataset) -> str:
    """Unit of the times of a dataset, `-` if they are dimensionless."""
    unit = str(ds["time"].attrs.get("units", "1"))
    return "-" if unit == "1" else plain(unit)


def at_time(time: float, unit: str) -> str:
    """One time as a title."""
    return f"$t$ = {time:g}" + ("" if unit == "-" else f" {unit}")


def time_label(ds: xr.Dataset) -> str:
    """Label of the time axis."""
    return f"time $t$ [{time_unit(ds)}]"


def plain(text: str) -> str:
    """Text that matplotlib shows literally."""
    return text.replace("$", r"\$")


def title(name: str) -> str:
    """Name of a model in a legend or title."""
    return plain(name.replace("_", " "))
