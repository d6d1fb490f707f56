"""Labelled results on disk: trajectories, models, predictions; readers of foreign data."""

from ._create import create_trajectories as create_trajectories
from ._create import write_trajectories as write_trajectories
from ._dataset import read_dataset as read_dataset
from ._dataset import write_dataset as write_dataset
from ._errors import StoreError as StoreError
from ._foreign_files import read_netcdf as read_netcdf
from ._foreign_files import read_npz as read_npz
from ._json import read_json as read_json
from ._json import write_json as write_json
from ._lattice_gillespie import read_lattice_gillespie as read_lattice_gillespie
from ._layout import trajectories_dataset as trajectories_dataset
from ._netcdf import export_netcdf as export_netcdf
from ._open import open_trajectories as open_trajectories
from ._trajectory_store import TrajectoryStore as TrajectoryStore
from ._trajectory_store import resume_trajectories as resume_trajectories
