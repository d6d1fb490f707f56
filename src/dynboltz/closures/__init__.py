"""Classical moment closures to compare with."""

from ._mean_field import mean_field as mean_field
from ._mean_field import mean_field_moments as mean_field_moments
