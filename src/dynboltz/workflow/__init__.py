"""Experiments from a file to a report: settings, stages, result directories."""

from ._directory import ResultDirectory as ResultDirectory
from ._directory import claim as claim
from ._errors import ExperimentError as ExperimentError
from ._evaluate import initial_of_test as initial_of_test
from ._experiment import Experiment as Experiment
from ._experiment import ReducedModelPlan as ReducedModelPlan
from ._interpret import Interpretation as Interpretation
from ._interpret import check_kinds as check_kinds
from ._interpret import interpret as interpret
from ._load import load_experiment as load_experiment
from ._merge import merge as merge
from ._progress import Progress as Progress
from ._run import run as run
from ._sampled_models import short_runs as short_runs
from ._shard import Shard as Shard
from ._stages import evaluate as evaluate
from ._stages import fit as fit
from ._stages import report as report
from ._stages import simulate as simulate
from ._stages import train as train
from ._sweep import sweep as sweep
from ._train import load_model as load_model
from ._visited import unvisited as unvisited
from ._workers import DaskWorkers as DaskWorkers
from ._workers import dask_workers as dask_workers
from .continuous import BoxExperiment as BoxExperiment
