"""The command `dynboltz equations`."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from dynboltz._contents import KINDS, contents_of
from dynboltz._hints import did_you_mean
from dynboltz._text import decode_text

from ._help import flowing

HELP = """
Derive the moment equations of a reaction network on a lattice.

NETWORK is text, one reaction a line; a file of such text; an experiment file (TOML); or a name
from `dynboltz experiments`.

A moment is the probability that sites hold species: A(0) B(1) is an A beside a B, A(0,0) A(1,1)
are two on a diagonal of a plane. It is the same everywhere on the infinite lattice, and for all
reflections and permutations of the axes.

Particles hop to each empty neighbour at rate D; k1, k2, ... are the rates of the reactions in
their order, per empty site, particle or neighbouring pair. Numbers in NETWORK do not enter.

Example: dynboltz equations "A + A -> 0 ; k = 1" --moments "A(0)" "A(0) A(1)"

prints d/dt A(0) = -2*k1 A(0) A(1) and so on, then the moments on the right that have no equation,
and the terms of a model that carries all of them, ready for an experiment file.
"""


class EquationsCommand(TyperCommand):
    """A command whose option `--moments` takes all arguments up to the next option."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Repeat the option before each of its values."""
        repeated: list[str] = []
        inside = False
        for argument in args:
            if inside and not argument.startswith("-"):
                if repeated[-1] != "--moments":
                    repeated.append("--moments")
            else:
                inside = argument == "--moments"
            repeated.append(argument)
        return super().parse_args(ctx, repeated)


def equations(
    network: Annotated[str, typer.Argument(metavar="NETWORK", help="Reactions, or their file.")],
    *,
    dim: Annotated[int, typer.Option("--dim", min=1, max=3, help="Axes of the lattice.")] = 1,
    moments: Annotated[
        list[str] | None,
        typer.Option(
            "--moments",
            metavar="MOMENT...",
            help="Moments to derive, each in quotes; by default the density of each species.",
        ),
    ] = None,
    order: Annotated[
        int | None,
        typer.Option(
            "--order",
            min=1,
            help="In place of --moments: all clusters of up to so many neighbouring sites; with "
            "--well-mixed, all moments up to this order.",
        ),
    ] = None,
    well_mixed: Annotated[
        bool,
        typer.Option(
            "--well-mixed", help="No lattice: moments of particle numbers, by mass action."
        ),
    ] = False,
    hop_rates: Annotated[
        bool, typer.Option("--hop-rates", help="A hop rate D_A, D_B, ... for each species.")
    ] = False,
    as_latex: Annotated[bool, typer.Option("--latex", help="Print LaTeX.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Derive the moment equations of a reaction network on a lattice."""
    if as_latex and as_json:
        raise ValueError("--latex, --json: give one of them.")
    if moments and (order is not None or well_mixed):
        other = "--well-mixed" if well_mixed else "--order"
        raise ValueError(f"--moments, {other}: give one of them; --order chooses all moments.")
    from dynboltz.moments import (  # noqa: PLC0415
        cluster_moments,
        moment_equations,
        well_mixed_equations,
    )

    read = _read_network(network)
    if well_mixed:
        derived: Any = well_mixed_equations(read, order or 1)
    else:
        wanted = (
            _checked(moments, dim) if moments else cluster_moments(read.species, order or 1, dim)
        )
        rates = "by-species" if hop_rates else "common"
        derived = moment_equations(read, wanted, hop_rates=rates)
    if as_json:
        typer.echo(json.dumps(derived.to_records(), indent=2, ensure_ascii=False))
    elif as_latex:
        typer.echo(derived.to_latex())
    else:
        typer.echo(derived.to_text())
        typer.echo(_explanation(derived, on_lattice=not well_mixed))


equations.__doc__ = flowing(HELP)


def _checked(texts: list[str], dim: int) -> list[Any]:
    from dynboltz.moments import Moment  # noqa: PLC0415

    moments = [Moment.parse(text) for text in texts]
    for text, moment in zip(texts, moments, strict=True):
        axes = len(moment.places[0][0])
        if axes != dim:
            raise ValueError(
                f"--moments: the lattice has --dim {dim}, but {text!r} has offsets along {axes}; "
                f"give --dim {axes}, or offsets such as "
                f"{text.partition('(')[0]}({','.join('0' * dim)})."
            )
    return moments


def _explanation(derived: Any, *, on_lattice: bool) -> str:
    """What the symbols mean, what is not closed, and what would carry it."""
    from dynboltz.moments import model_terms  # noqa: PLC0415
    from dynboltz.reactions import equation_text  # noqa: PLC0415

    lines = ["", "Rates:"]
    if on_lattice:
        hops = (name for name in derived.rate_names if name.startswith("D"))
        lines += [f"  {name}: hops to each empty neighbour" for name in hops]
    for number, reaction in enumerate(derived.network.reactions, start=1):
        lines.append(f"  k{number}: {equation_text(reaction.reactants, reaction.products)}")
    lines += ["Moments without an equation:"]
    lines += [f"  {moment}" for moment in derived.unclosed] or ["  none"]
    if on_lattice:
        names = ", ".join(json.dumps(name) for name in model_terms(derived.known))
        lines += ["A visible model that carries all these moments:", f"  terms = [{names}]"]
    return "\n".join(lines)


def _read_network(source: str) -> Any:
    """Network of a text, a file of text, an experiment file, or a shipped experiment."""
    from dynboltz.experiments import shipped_experiments  # noqa: PLC0415
    from dynboltz.reactions import ReactionNetwork  # noqa: PLC0415

    if "->" in source:
        return ReactionNetwork.parse(source)
    path = shipped_experiments().get(source, Path(source))
    if not path.is_file():
        raise ValueError(
            f"{source}: is neither a file nor text with reactions, such as 'A + A -> 0 ; k = 1', "
            f"nor one of the shipped experiments, {', '.join(shipped_experiments())}."
            f"{did_you_mean(source, shipped_experiments())}"
        )
    found = contents_of(path)
    if found in KINDS:
        raise ValueError(f"{path}: is {found}, where text with reactions is expected.")
    try:
        text, species = decode_text(path.read_bytes()), None
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    if path.suffix == ".toml":
        content = _toml(path, text)
        text, species = content.get("network"), content.get("species")
        if not isinstance(text, str):
            raise ValueError(f"{path}: has no text `network`; write the reactions there.")
    try:
        return ReactionNetwork.parse(text, species)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _toml(path: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path}: is no TOML: {error}") from None
