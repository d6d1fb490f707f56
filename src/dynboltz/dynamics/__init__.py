"""Differential equations of the coefficients: vector fields, integrators and adjoints."""

from ._action import L2 as L2
from ._action import time_weights as time_weights
from ._adaptive import solve_adaptive as solve_adaptive
from ._base import AbstractVectorField as AbstractVectorField
from ._base import OutsideBoxError as OutsideBoxError
from ._discrete_adjoint import discrete_adjoint as discrete_adjoint
from ._explicit_adjoint import ExplicitAdjoint as ExplicitAdjoint
from ._explicit_adjoint import explicit_adjoint as explicit_adjoint
from ._function_field import FunctionField as FunctionField
from ._hermite import HermiteBasis as HermiteBasis
from ._hermite import HermiteFunction as HermiteFunction
from ._hermite_field import HermiteField as HermiteField
from ._hermite_grid import HermiteGrid as HermiteGrid
from ._hermite_solver import HermiteSolver as HermiteSolver
from ._hermite_solver import Path as Path
from ._integrate import check_solution as check_solution
from ._integrate import integrate as integrate
from ._runge_kutta import solve_fixed as solve_fixed
