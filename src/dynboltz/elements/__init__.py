"""Finite elements in the position and in the distance, for functions in continuous space."""

from ._axis import AxisElements as AxisElements
from ._axis import Family as Family
from ._space import ElementSpace as ElementSpace
from ._space import FunctionSpace as FunctionSpace
from ._space import RadialSpace as RadialSpace
from ._space import UniformSpace as UniformSpace
