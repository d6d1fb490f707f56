"""Figures of simulations, learned dynamics and errors."""

from ._dynamics import plot_dynamics as plot_dynamics
from ._errors import plot_error as plot_error
from ._errors import plot_error_ratio as plot_error_ratio
from ._errors import plot_errors as plot_errors
from ._field import plot_field as plot_field
from ._field import plot_vertices as plot_vertices
from ._files import save_figure as save_figure
from ._history import plot_histories as plot_histories
from ._history import plot_history as plot_history
from ._moments import plot_moment as plot_moment
from ._moments import plot_moments as plot_moments
from ._space import plot_initial_moment as plot_initial_moment
from ._space import plot_initial_moments as plot_initial_moments
from ._space import plot_trajectories as plot_trajectories
from ._time_courses import plot_coefficient as plot_coefficient
from ._time_courses import plot_coefficients as plot_coefficients
from ._time_courses import plot_correlation as plot_correlation
from ._write import write_figures as write_figures
