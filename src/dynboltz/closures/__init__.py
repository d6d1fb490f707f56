"""Classical moment closures to compare with."""

from ._closure import Closure as Closure
from ._entropic_matching import EntropicMatching as EntropicMatching
from ._entropic_matching import entropic_matching as entropic_matching
from ._lattice_closure import LatticeClosure as LatticeClosure
from ._lattice_closure import lattice_closure as lattice_closure
from ._lattice_factors import LatticeKind as LatticeKind
from ._mean_field import mean_field as mean_field
from ._mean_field import mean_field_moments as mean_field_moments
from ._raw_moments import WellMixedKind as WellMixedKind
from ._sampled_entropic_matching import SampledEntropicMatching as SampledEntropicMatching
from ._sampled_entropic_matching import sampled_entropic_matching as sampled_entropic_matching
from ._solve import ClosurePrediction as ClosurePrediction
from ._well_mixed_closure import WellMixedClosure as WellMixedClosure
from ._well_mixed_closure import well_mixed_closure as well_mixed_closure
