"""Gibbs sampling of lattice models: chains, contrastive divergence, tempering, moments, log Z."""

from ._annealing import LogPartitionEstimate as LogPartitionEstimate
from ._annealing import anneal_log_partition as anneal_log_partition
from ._chains import Chains as Chains
from ._chains import advance as advance
from ._chains import record as record
from ._chains import start_from_data as start_from_data
from ._chains import start_random as start_random
from ._compare_starts import StartComparison as StartComparison
from ._compare_starts import compare_starts as compare_starts
from ._compare_starts import compare_values as compare_values
from ._contrastive_divergence import Moments as Moments
from ._contrastive_divergence import contrastive_divergence as contrastive_divergence
from ._contrastive_divergence import persistent_moments as persistent_moments
from ._contrastive_divergence import short_run_moments as short_run_moments
from ._estimate import ConvergenceWarning as ConvergenceWarning
from ._estimate import MomentEstimate as MomentEstimate
from ._estimate import estimate_moments as estimate_moments
from ._gibbs import GibbsSampler as GibbsSampler
from ._jax_gibbs import JaxGibbsSampler as JaxGibbsSampler
from ._tempering import Tempering as Tempering
from ._tempering import even_ladder as even_ladder
from ._tempering import temper as temper
