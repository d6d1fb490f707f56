"""Figures as text inside a page."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import NamedTuple

from dynboltz.store import StoreError

from ._captions import Caption, caption

TYPES = {".png": "image/png", ".svg": "image/svg+xml"}
ORDER = (
    "patterns",
    "fig4a",
    "fig4b",
    "fig4d",
    "fig1e",
    "profiles",
    "functions",
    "numbers",
    "pair-correlations",
    "pair-functions",
    "predicted",
    "fig8a",
    "beyond",
    "transfer",
    "fig3c",
    "rmse-all",
    "rmse-over",
    "fig8b",
    "fig2",
    "fig3a",
    "fig6",
    "fig7",
    "fig3b",
    "fig5b",
    "training",
    "action",
)
"""The simulations come first, then the results, then what was learned."""


class EmbeddedFigure(NamedTuple):
    """A figure and its caption."""

    uri: str
    caption: Caption


def embedded_figures(folder: Path, models: list[str]) -> list[EmbeddedFigure]:
    """Read the figures of a folder, of each the smaller one of its files.

    Parameters
    ----------
    folder
        Where `write_figures` wrote; without it there are no figures.
    models
        Names of the models, whose figures follow each other in this order.
    """
    found = {path.stem for path in folder.glob("*.*") if path.suffix in TYPES}
    stems = sorted(found, key=lambda stem: _place(stem, models))
    return [EmbeddedFigure(_uri(_smaller(folder, stem)), caption(stem)) for stem in stems]


def _place(stem: str, models: list[str]) -> tuple[int, int, str]:
    kinds = [place for place, start in enumerate(ORDER) if stem.startswith(start)]
    model = stem.partition("-")[2]
    of_model = models.index(model) if model in models else len(models)
    return (kinds[0] if kinds else len(ORDER), of_model, stem)


def _smaller(folder: Path, stem: str) -> Path:
    files = [path for path in (folder / f"{stem}{kind}" for kind in TYPES) if path.exists()]
    return min(files, key=lambda path: path.stat().st_size)


def _uri(path: Path) -> str:
    """Data URI; an image cannot run scripts or clash with names of the page."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise StoreError(path, f"cannot be read: {error.strerror or error}.") from error
    return f"data:{TYPES[path.suffix]};base64,{base64.b64encode(data).decode()}"
