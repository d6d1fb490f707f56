"""Results of experiments in continuous space on the terminal."""

from __future__ import annotations

from typing import Any

from rich.table import Table

HELD_OUT = {
    "n_rel_rmse": "N",
    "profile_rel_rmse": "density",
    "g_rmse": "g(r)",
    "var_over_mean_error": "Var N / mean N",
}


def box_tables(metrics: dict[str, Any]) -> list[Table]:
    """Learned constants beside the truth, and errors of all models beside the noise floor."""
    return [*_constants(metrics), _held_out(metrics)]


def _constants(metrics: dict[str, Any]) -> list[Table]:
    if "recovered" not in metrics:
        return []
    table = _table("Learned constants")
    table.add_column("constant", no_wrap=True)
    for name in ("learned", "standard error", "truth"):
        table.add_column(name, justify="right")
    for name, value in metrics["recovered"].items():
        error, truth = metrics["standard_error"][name], metrics["truth"].get(name)
        known = "-" if truth is None else f"{truth:.5g}"
        table.add_row(name, f"{value:.5g}", f"{error:.2g}", known)
    return [table]


def _held_out(metrics: dict[str, Any]) -> Table:
    table = _table("RMSE on held-out initial conditions, of N and density relative")
    table.add_column("model", no_wrap=True)
    for label in HELD_OUT.values():
        table.add_column(label, justify="right")
    for name, errors in metrics["held_out"].items():
        table.add_row(name.replace("_", " "), *(f"{errors[key]:.4f}" for key in HELD_OUT))
        sampled = [errors.get(f"{key}_monte_carlo") for key in HELD_OUT]
        if any(error is not None for error in sampled):
            cells = ("-" if error is None else f"{error:.4f}" for error in sampled)
            table.add_row(f"{name.replace('_', ' ')}, Monte Carlo", *cells)
    return table


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", box=None)
