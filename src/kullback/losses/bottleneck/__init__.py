"""The information bottleneck: codes that tell of the target and little else, by networks and exactly."""

from kullback.losses.bottleneck.categorical import (
    categorical_bottleneck,
    categorical_information,
    code_entropy,
)
from kullback.losses.bottleneck.gaussian import GaussianPoint, gaussian_bottleneck
from kullback.losses.bottleneck.kernels import (
    cauchy_schwarz,
    cauchy_schwarz_bottleneck,
    cauchy_schwarz_information,
    conditional_cauchy_schwarz,
    median_width,
)
from kullback.losses.bottleneck.pairs import (
    information_lower,
    information_upper,
    nonlinear_bottleneck,
)
from kullback.losses.bottleneck.plane import Curve, Point, information_bottleneck, sweep
from kullback.losses.bottleneck.prior import variational_bottleneck
from kullback.losses.bottleneck.rate import RatePoint, rate_distortion

__all__ = [
    "Curve",
    "GaussianPoint",
    "Point",
    "RatePoint",
    "categorical_bottleneck",
    "categorical_information",
    "cauchy_schwarz",
    "cauchy_schwarz_bottleneck",
    "cauchy_schwarz_information",
    "code_entropy",
    "conditional_cauchy_schwarz",
    "gaussian_bottleneck",
    "information_bottleneck",
    "information_lower",
    "information_upper",
    "median_width",
    "nonlinear_bottleneck",
    "rate_distortion",
    "sweep",
    "variational_bottleneck",
]
