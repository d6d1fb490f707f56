"""Boltzmann distributions on lattices and in continuous space: models, solutions, samples."""

from ._batches import in_batches as in_batches
from ._chain_sampler import sample_chain as sample_chain
from ._clamped import ClampedStatistics as ClampedStatistics
from ._enumeration import Enumeration as Enumeration
from ._hidden import HiddenLayer as HiddenLayer
from ._hidden import Surroundings as Surroundings
from ._hidden import hidden_layers as hidden_layers
from ._hidden_probabilities import hidden_probabilities as hidden_probabilities
from ._layer import Layer as Layer
from ._model import LatticeModel as LatticeModel
from ._model import named_term as named_term
from ._observed import observed_moments as observed_moments
from ._point_kernels import PointTables as PointTables
from ._point_kernels import fill_squared_distances as fill_squared_distances
from ._point_kernels import n_occupied as n_occupied
from ._point_kernels import pair_energy as pair_energy
from ._point_kernels import single_energy as single_energy
from ._point_process import PairSpace as PairSpace
from ._point_process import PointProcessModel as PointProcessModel
from ._poisson import PoissonSolution as PoissonSolution
from ._solution import AbstractSolution as AbstractSolution
from ._transfer_matrix import TransferMatrix as TransferMatrix
