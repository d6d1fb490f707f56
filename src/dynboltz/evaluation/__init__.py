"""Errors of predicted moments against simulations, next to the sampling noise."""

from ._baseline import mean_field_prediction as mean_field_prediction
from ._ensemble import EnsembleMoments as EnsembleMoments
from ._ensemble import ensemble_moments as ensemble_moments
from ._equilibrium import EquilibriumMoments as EquilibriumMoments
from ._equilibrium import equilibrium_moments as equilibrium_moments
from ._errors import ErrorSummary as ErrorSummary
from ._errors import error_summary as error_summary
from ._errors import noise_floor as noise_floor
from ._errors import root_mean_square_error as root_mean_square_error
from ._jackknife import jackknife as jackknife
from ._pair_counts import independent_pairs as independent_pairs
from ._pair_counts import pair_counts as pair_counts
from ._pair_counts import species_pairs as species_pairs
from ._pair_counts import uniform_pair_share as uniform_pair_share
from ._relative import relative_rms as relative_rms
from ._relative import relative_summary as relative_summary
from ._sampled import ShortRunMoments as ShortRunMoments
from ._sampled import reaches as reaches
from ._sampled import sample_until as sample_until
from ._sampled import sampled_prediction as sampled_prediction
from ._squared_errors import cross_fitted_square as cross_fitted_square
from ._squared_errors import half_means as half_means
from ._squared_errors import halves_of as halves_of
from ._squared_errors import root_mean_square as root_mean_square
from ._squared_errors import squared_error as squared_error
