"""The command line: parse, call one function of the workflow, tell the result.

Rooms that take seconds to import are imported by the commands that need them.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated, Any

import typer

from dynboltz.experiments import find_experiment, find_results, shipped_experiments

from ._checks import check_file, check_model
from ._doctor import doctor
from ._ensembles import Scheduler, Workers, chosen_workers, merge, sweep
from ._equations import EquationsCommand, equations
from ._export import export
from ._group import ReportingGroup
from ._import_network import import_network
from ._interpret import interpret
from ._signals import INTERRUPTED, TERMINATED, end_now, end_on_signals
from ._surroundings import prepare

app = typer.Typer(
    name="dynboltz",
    cls=ReportingGroup,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Learn reduced models of spatial reaction-diffusion systems.",
)

ExperimentArgument = Annotated[
    str,
    typer.Argument(
        metavar="EXPERIMENT",
        help="Experiment file (TOML), result directory, or a name from `dynboltz experiments`.",
    ),
]
DirectoryArgument = Annotated[Path, typer.Argument(metavar="DIR", help="Result directory.")]
SourceArgument = Annotated[
    Path,
    typer.Argument(
        metavar="DIR|FILE", help="Result directory, or a model's file from `dynboltz export`."
    ),
]
ModelOfSource = Annotated[
    str | None,
    typer.Argument(metavar="[MODEL]", help="Name of a learned model in DIR.", show_default=False),
]
Out = Annotated[
    Path | None, typer.Option("--out", help="Result directory, by default NAME-results here.")
]
Preset = Annotated[str | None, typer.Option("--preset", help="Preset of the experiment file.")]
Seed = Annotated[int | None, typer.Option("--seed", min=0, help="Seed instead of the file's.")]
Threads = Annotated[
    int | None, typer.Option("--threads", min=1, help="Threads of simulation and sampling.")
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a setting; repeat for more."),
]
Overwrite = Annotated[
    bool,
    typer.Option("--overwrite", help="Replace results in DIR that depend on other settings."),
]
OverwriteFile = Annotated[
    bool, typer.Option("--overwrite", help="Replace the file of --out if it is there already.")
]
Initial = Annotated[
    str | None,
    typer.Option(
        "--initial",
        metavar="b.A=0.1,...",
        help="Every coefficient of the model at time 0; by default those of the first test "
        "initial condition. Of a law of moments, coefficients of the distribution to start from.",
    ),
]
Density = Annotated[
    list[str] | None,
    typer.Option(
        "--density",
        metavar="S=0.5,I=0.1",
        help="Particles per site of each species, placed at random; repeat for more starts. "
        "For laws of moments.",
    ),
]
State = Annotated[
    Path | None,
    typer.Option("--state", help="States that are one start together, .npz or .nc."),
]
ONLY_LAWS = (
    "--density, --state, --starts and --theta are for laws of moments; a model with terms starts "
    "from coefficients, --initial."
)

app.command(cls=EquationsCommand)(equations)
app.command()(doctor)
app.command()(export)
app.command("import-network")(import_network)
app.command()(interpret)
app.command()(merge)
app.command()(sweep)


def main() -> None:
    """Run the command line; compiled code is kept in the user's cache directory."""
    prepare()
    # Zarr reads chunks side by side; after an error at one, the others are given up.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    end_on_signals()
    try:
        app()
    except SystemExit as end:
        if end.code in (INTERRUPTED, TERMINATED):
            end_now(end.code)
        raise


def _show_version(wanted: bool) -> bool:
    if wanted:
        from importlib import metadata  # noqa: PLC0415

        typer.echo(f"dynboltz {metadata.version('dynboltz')}")
        raise typer.Exit
    return wanted


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=_show_version, help="Show the version."),
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show where an error arose (before the command).")
    ] = False,
) -> None:
    """Learn reduced models of spatial reaction-diffusion systems."""


def _set_threads(threads: int | None) -> None:
    import numba  # noqa: PLC0415

    most = numba.config.NUMBA_NUM_THREADS  # pyright: ignore[reportPrivateImportUsage]
    if threads is not None and threads > most:
        raise ValueError(f"--threads: must be at most {most} on this machine, got {threads}.")
    numba.set_num_threads(threads or most)


def _load(
    name: str, preset: str | None, overrides: list[str] | None, seed: int | None, out: Path | None
) -> tuple[Any, Path]:
    """Load an experiment and choose its result directory."""
    from dynboltz.workflow import load_experiment  # noqa: PLC0415

    experiment = load_experiment(name, preset=preset, overrides=overrides or (), seed=seed)
    if out is None and (Path(name) / "experiment.toml").is_file():
        out = Path(name)
    return experiment, out or Path(f"{experiment.name}-results")


@app.command()
def run(
    experiment: ExperimentArgument,
    *,
    out: Out = None,
    preset: Preset = None,
    seed: Seed = None,
    threads: Threads = None,
    overrides: Overrides = None,
    overwrite: Overwrite = False,
) -> None:
    """Simulate, fit, train, evaluate and report an experiment."""
    find_experiment(experiment)
    from dynboltz import workflow  # noqa: PLC0415

    from ._show import progress_display, show_metrics  # noqa: PLC0415

    _set_threads(threads)
    loaded, directory = _load(experiment, preset, overrides, seed, out)
    with progress_display(directory) as progress:
        metrics = workflow.run(loaded, directory, overwrite=overwrite, progress=progress)
    show_metrics(metrics)
    typer.echo(f"Report: {directory / 'report.html'}")


@app.command()
def simulate(
    experiment: ExperimentArgument,
    *,
    out: Out = None,
    preset: Preset = None,
    seed: Seed = None,
    threads: Threads = None,
    overrides: Overrides = None,
    overwrite: Overwrite = False,
    scheduler: Scheduler = None,
    workers: Workers = None,
    shard: Annotated[
        str | None,
        typer.Option(
            "--shard", metavar="I/N", help="Only every N-th block, from the I-th; see `merge`."
        ),
    ] = None,
) -> None:
    """Simulate the trajectories of an experiment.

    With --workers or --scheduler, processes of a Dask cluster simulate; with --shard only a share
    of the blocks is simulated, for batch systems. The bytes are always the same.
    """
    find_experiment(experiment)
    from dynboltz import workflow  # noqa: PLC0415

    from ._show import progress_display  # noqa: PLC0415

    _set_threads(threads)
    share = workflow.Shard(1, 1) if shard is None else workflow.Shard.parse(shard)
    loaded, path = _load(experiment, preset, overrides, seed, out)
    directory = workflow.claim(loaded, path, overwrite=overwrite)
    with chosen_workers(scheduler, workers) as found, progress_display(path) as progress:
        workflow.simulate(
            loaded, directory, overwrite=overwrite, progress=progress, workers=found, shard=share
        )
    typer.echo(f"Trajectories: {path / 'trajectories'}")


@app.command()
def fit(directory: DirectoryArgument, threads: Threads = None) -> None:
    """Fit coefficients to snapshots of the simulated trajectories."""
    _stage("fit", directory, threads)
    fits = directory / "fits"
    typer.echo(f"Fits: {fits if fits.is_dir() else 'none are needed'}")


@app.command()
def train(directory: DirectoryArgument, threads: Threads = None) -> None:
    """Learn the differential equations of the coefficients, and laws of moments."""
    _stage("train", directory, threads)
    folders = [directory / name for name in ("models", "laws")]
    typer.echo(f"Models: {', '.join(str(folder) for folder in folders if folder.is_dir())}")


@app.command()
def evaluate(directory: DirectoryArgument, threads: Threads = None) -> None:
    """Compare the learned models with the simulations."""
    metrics = _stage("evaluate", directory, threads)
    from ._show import show_metrics  # noqa: PLC0415

    show_metrics(metrics)
    typer.echo(f"Metrics: {directory / 'metrics.json'}")


def _stage(name: str, path: Path, threads: int | None) -> Any:
    find_results(path)
    from dynboltz import workflow  # noqa: PLC0415

    from ._show import progress_display  # noqa: PLC0415

    _set_threads(threads)
    directory = workflow.ResultDirectory(path)
    experiment = directory.load_experiment()
    with progress_display(path) as progress:
        return getattr(workflow, name)(experiment, directory, progress=progress)


@app.command()
def report(directory: DirectoryArgument) -> None:
    """Draw the figures and write the report."""
    find_results(directory)
    from dynboltz import workflow  # noqa: PLC0415

    path = workflow.report(workflow.ResultDirectory(directory))
    typer.echo(f"Report: {path}")


@app.command()
def predict(
    directory: SourceArgument,
    model: ModelOfSource = None,
    *,
    density: Density = None,
    state: State = None,
    starts: Annotated[
        Path | None,
        typer.Option(
            "--starts", help="Table of many starts, .csv: one column of densities for each species."
        ),
    ] = None,
    initial: Initial = None,
    times: Annotated[
        str | None,
        typer.Option(
            "--times",
            metavar="T,T,... or START:STOP:STEP",
            help="Times, beginning with the first one of the simulations (0, unless data begin "
            "later); by default all of theirs.",
        ),
    ] = None,
    theta: Annotated[
        bool,
        typer.Option(
            "--theta",
            help="Also the coefficients of the distributions with these moments, which are fitted "
            "at each time. For laws of moments; models with terms always print theirs.",
        ),
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--out", help="Write a .csv or .nc file instead of a table.")
    ] = None,
    overwrite: OverwriteFile = False,
) -> None:
    """Predict over time from a start of your own.

    A law of moments (`family = "auto"`) starts from densities, states, a table of starts or
    coefficients, and predicts moments with bands of 90 %. A model with terms starts from
    coefficients (--initial) and predicts coefficients and moments: exact ones on chains, others
    from short runs, with errors.
    Without a start a model with terms starts as the first initial condition of the test set, a law
    as the first one of the training set.
    """
    check_model(directory, model)
    if out is not None:
        check_file(out, (".csv", ".nc"), overwrite=overwrite)
    from ._predict_law import find_law, law_prediction, write_law_prediction  # noqa: PLC0415

    is_law, model = find_law(directory, model)
    if is_law:
        found = law_prediction(
            directory, model, density or [], state, starts, initial, times, theta=theta
        )
        write_law_prediction(found, out)
        return
    if density or state is not None or starts is not None or theta:
        raise ValueError(ONLY_LAWS)
    from ._predict import (  # noqa: PLC0415
        coefficient_law,
        predict_by_law,
        predict_table,
        write_prediction,
    )

    law = coefficient_law(directory, model)
    if law is not None:
        table = predict_by_law(directory, law, initial, times)
    else:
        table = predict_table(directory, model, initial, times)
    if out is None:
        typer.echo(table.to_csv(), nl=False)
    else:
        write_prediction(table, out)
        typer.echo(f"Prediction: {out}")


@app.command()
def sample(
    directory: SourceArgument,
    model: ModelOfSource = None,
    *,
    time: Annotated[float, typer.Option("--time", min=0.0, help="Time of the samples.")],
    density: Density = None,
    state: State = None,
    initial: Initial = None,
    out: Annotated[Path, typer.Option("--out", help="File to write, .npz or .nc.")] = Path(
        "samples.npz"
    ),
    n_samples: Annotated[
        int, typer.Option("-n", "--samples", min=1, help="Number of samples.")
    ] = 100,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed.")] = 0,
    threads: Threads = None,
    overwrite: OverwriteFile = False,
) -> None:
    """Draw lattice states of a model at one time.

    Chains are sampled exactly; other lattices by Gibbs sampling from random units, as long as the
    experiment's `evaluation.long_sweeps`. A law of moments (`family = "auto"`) starts from
    densities, states or coefficients; its states are drawn from the Boltzmann distribution with
    the moments that it predicts.
    """
    check_model(directory, model)
    check_file(out, (".npz", ".nc"), overwrite=overwrite)
    from ._predict_law import find_law  # noqa: PLC0415

    _set_threads(threads)
    is_law, model = find_law(directory, model)
    if is_law:
        from ._sample_law import write_law_samples  # noqa: PLC0415

        write_law_samples(
            directory,
            model,
            density=density or [],
            state=state,
            initial=initial,
            time=time,
            n_samples=n_samples,
            seed=seed,
            out=out,
        )
    elif density or state is not None:
        raise ValueError(ONLY_LAWS)
    else:
        from ._sample import write_samples  # noqa: PLC0415

        write_samples(
            directory, model, initial=initial, time=time, n_samples=n_samples, seed=seed, out=out
        )
    typer.echo(f"Samples: {out}")


@app.command()
def experiments() -> None:
    """List the experiments that ship with the package."""
    import tomllib  # noqa: PLC0415

    for name, path in shipped_experiments().items():
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        presets = ", ".join(content.get("presets", {})) or "none"
        typer.echo(f"{name}: {content['title']} (presets: {presets})\n  {path}")
