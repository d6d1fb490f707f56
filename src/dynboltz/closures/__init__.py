"""Classical moment closures to compare with."""

from ._entropic_matching import EntropicMatching as EntropicMatching
from ._entropic_matching import entropic_matching as entropic_matching
from ._mean_field import mean_field as mean_field
from ._mean_field import mean_field_moments as mean_field_moments
from ._sampled_entropic_matching import SampledEntropicMatching as SampledEntropicMatching
from ._sampled_entropic_matching import sampled_entropic_matching as sampled_entropic_matching
