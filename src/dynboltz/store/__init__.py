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
from ._particle_layout import load_patterns as load_patterns
from ._particle_layout import particles_dataset as particles_dataset
from ._particle_store import ParticleStore as ParticleStore
from ._particle_store import create_particles as create_particles
from ._particle_store import open_particles as open_particles
from ._particle_store import resume_particles as resume_particles
from ._particle_store import write_particles as write_particles
from ._readdy import read_readdy as read_readdy
from ._smoldyn import read_smoldyn as read_smoldyn
from ._trajectory_store import TrajectoryStore as TrajectoryStore
from ._trajectory_store import resume_trajectories as resume_trajectories
