"""When averages over chains count as converged: every limit, with its reason, in one place."""

MAX_R_HAT = 1.01
"""R-hat below which chains agree, for every estimate. Vehtari et al. (2021), Bayesian Anal. 16,
667, find that chains which have not mixed often pass the older limit of 1.1."""

MIN_EFFECTIVE_SAMPLES = 400
"""Effective sample size from which on R-hat and standard errors are known well enough themselves;
from the same source, for the usual number of chains."""

MAX_DISTANCE = 4.0
"""Standard errors by which two estimates of the same number may differ. Many are compared, a few
moments at many times, so that a smaller limit would be passed by chance now and then."""

MIN_SAMPLES_A_CHAIN = 10.0
"""Effective samples of one chain below which it has not become independent of its start. That is
no question of precision: chains too few for `MIN_EFFECTIVE_SAMPLES` may well forget theirs."""

MIN_WEIGHTS = 10.0
"""Effective number of weights of annealed chains below which their spread does not tell the error:
the largest weights, which decide, are then rare."""
