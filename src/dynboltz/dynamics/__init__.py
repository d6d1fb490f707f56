"""Differential equations of the coefficients: vector fields, integrators and adjoints."""

from ._base import AbstractVectorField as AbstractVectorField
from ._base import OutsideBoxError as OutsideBoxError
from ._function_field import FunctionField as FunctionField
from ._hermite import HermiteBasis as HermiteBasis
from ._hermite import HermiteFunction as HermiteFunction
from ._hermite_field import HermiteField as HermiteField
from ._hermite_grid import HermiteGrid as HermiteGrid
