"""Finding experiment files."""

from __future__ import annotations

from pathlib import Path

from dynboltz._contents import contents_of
from dynboltz._hints import did_you_mean

from ._shipped import shipped_experiments


def find_experiment(experiment: Path | str) -> Path:
    """File of an experiment.

    Parameters
    ----------
    experiment
        A TOML file, a result directory, or the name of a shipped experiment.

    Raises
    ------
    FileNotFoundError
        If it is none of these.
    """
    path = Path(experiment)
    shipped = shipped_experiments()
    wanted = (
        f"Give a TOML file, a result directory, or one of the shipped experiments: "
        f"{', '.join(shipped)}."
    )
    if path.is_dir() and (path / "experiment.toml").is_file():
        return path / "experiment.toml"
    if path.is_file():
        return path
    if str(experiment) in shipped:
        return shipped[str(experiment)]
    if path.exists():
        raise FileNotFoundError(
            f"{experiment}: is {contents_of(path)}, without `experiment.toml`. {wanted}"
        )
    near = did_you_mean(str(experiment), shipped)
    raise FileNotFoundError(f"{experiment}: there is no such experiment file.{near} {wanted}")


def find_results(directory: Path | str) -> Path:
    """File of the experiment that a result directory belongs to.

    Raises
    ------
    FileNotFoundError
        If the directory holds no results.
    """
    if not Path(directory).exists():
        raise FileNotFoundError(
            f"{directory}: there is no such file or directory. Results come from `dynboltz run "
            "EXPERIMENT --out DIR`."
        )
    path = Path(directory) / "experiment.toml"
    if not Path(directory).is_dir():
        raise FileNotFoundError(
            f"{directory}: is {contents_of(Path(directory))}, where a result directory is "
            "expected, as `dynboltz run EXPERIMENT --out DIR` makes it."
        )
    if not path.is_file():
        raise FileNotFoundError(
            f"{directory}: holds no results of dynboltz, since it has no `experiment.toml`. Start "
            f"with `dynboltz run EXPERIMENT --out {directory}`."
        )
    return path
