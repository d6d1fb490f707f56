"""The command `dynboltz interpret`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from ._checks import check_model
from ._help import flowing

HELP = """
Write the learned equations of a model as sums of few known functions, to be read.

For each coefficient, d/dt theta_k is fitted by a sparse sum of candidates at the points where
predicted trajectories of the training initial conditions go. The number of terms is chosen by
cross-validation over initial conditions. Nothing is said about other points.

Kinds of candidates, for --candidates, separated by commas:

reactions: what hops and each reaction would do by entropic matching; the weights are effective
rates, beside those of the simulator. For visible models of periodic chains and the continuous-time
kernel; left out, with a line that says why, elsewhere, as in two and three dimensions.

constant, linear, quadratic, exponentials: 1, the coefficients, their products, and e to each.

Example: dynboltz interpret annihilation-results visible --candidates reactions,constant,linear

prints equations, weights with standard errors over initial conditions, the share of the right-hand
side that the terms miss on held-out initial conditions, the distance from entropic matching, and
how far solutions of the printed equations stay from those of the model. If much is missed, offer
more candidates; if terms are said to be collinear, offer fewer.

Of a law of moments (family = "auto") what is known exactly is printed, and where learned functions
f(...) of all moments enter; these are not made of candidates.
"""


def interpret(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Result directory.")],
    model: Annotated[
        str | None,
        typer.Argument(metavar="[MODEL]", help="Name of a learned model, by default all of them."),
    ] = None,
    *,
    candidates: Annotated[
        str, typer.Option("--candidates", metavar="KIND,...", help="Kinds of candidates.")
    ] = "reactions,constant,linear",
    max_terms: Annotated[
        int | None, typer.Option("--max-terms", min=1, help="Most terms of an equation.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    as_latex: Annotated[bool, typer.Option("--latex", help="Print LaTeX.")] = False,
) -> None:
    """Write the learned equations of a model as sums of few known functions."""
    if as_latex and as_json:
        raise ValueError("--latex, --json: give one of them.")
    if model is not None:
        check_model(directory, model)
    from dynboltz.workflow import (  # noqa: PLC0415
        Experiment,
        ResultDirectory,
        check_kinds,
        law_equations_of,
    )
    from dynboltz.workflow import interpret as interpret_model  # noqa: PLC0415

    from ._show import progress_display  # noqa: PLC0415

    kinds = [kind.strip() for kind in candidates.split(",") if kind.strip()]
    check_kinds(kinds)
    results = ResultDirectory(directory)
    experiment = results.load_experiment()
    if not isinstance(experiment, Experiment):
        raise ValueError(
            f"{directory}: is of particles in a box, whose learned functions the report shows; "
            "`interpret` is for lattices."
        )
    found: list[Any] = []
    names = [model] if model is not None else [*experiment.plans, *experiment.laws]
    laws = {
        name: law_equations_of(experiment, results, name)
        for name in names
        if name in experiment.laws
    }
    with progress_display(directory) as progress:
        for name in (name for name in names if name not in laws):
            found.append(
                interpret_model(
                    experiment, results, name, kinds=kinds, max_terms=max_terms, progress=progress
                )
            )
    for one in found:
        for note in one.notes:
            typer.echo(f"{one.model}: {note}", err=True)
        if as_latex:
            known = one.projection.known_text()
            typer.echo(f"% {one.model}\n{one.projection.to_latex()}\n% {known}")
        elif not as_json:
            typer.echo(f"{one.model}, at {_points(one)}:")
            typer.echo(one.projection.to_text())
            typer.echo(_solutions(one))
    if as_json:
        records = [one.to_record() for one in found]
        records += [{"model": name, "law": list(lines)} for name, lines in laws.items()]
        typer.echo(json.dumps(records, indent=2, ensure_ascii=False))
        return
    for name, lines in laws.items():
        typer.echo(f"{'% ' * as_latex}{name}, a law of moments per site; f(...) are learned:")
        for line in lines:
            typer.echo(f"{'% ' * as_latex}  {line}")


interpret.__doc__ = flowing(HELP)


def _points(one: Any) -> str:
    projection = one.projection
    return f"{projection.n_points} points of {projection.n_trajectories} initial conditions"


def _solutions(one: Any) -> str:
    lines = ["Solutions of these equations from those of the model (share of the displacement):"]
    for part, errors in one.errors.items():
        text = "some diverge; do not integrate them" if errors is None else errors.to_text()
        lines.append(f"  {part}: {text}")
    return "\n".join(lines)
