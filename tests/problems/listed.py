"""Every divergence that a law is held against: the catalogue, what can be made of it, and users' own functions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import kullback as kb
from kullback import FDivergence
from kullback.divergences.combination import Combination
from kullback.divergences.user import UserDivergence

LISTED: tuple[FDivergence, ...] = tuple(kb.catalogue())
SUMS: tuple[FDivergence, ...] = (
    0.3 * kb.kl + 0.7 * kb.reverse_kl,
    2.0 * kb.js + kb.pearson_chi2,
    kb.kl + kb.total_variation,
)


def kink_slope(t: Any) -> Any:
    """Half the sum of both one-sided slopes at the kink, written with operators alone."""
    return 0.75 * ((t > 1) * (0.0 * t + 1.0) - (t < 1) * (0.0 * t + 1.0)) + 0.25


# Written with operators alone, these run on every library; `problems.truth.USERS` knows what they are.
USERS: tuple[FDivergence, ...] = (
    FDivergence.from_generator(lambda t: t * t * t - 1, lambda t: 3 * t * t, name="steep"),
    FDivergence.from_generator(
        lambda t: (t - 1) ** 2 / (4 * t + 4),
        lambda t: (t - 1) * (t + 3) / (4 * (t + 1) ** 2),
        name="halved_le_cam",
    ),
    FDivergence.from_generator(lambda t: 1 / t - 1 + 5 * (t - 1), lambda t: -1 / (t * t) + 5, name="inverse"),
    FDivergence.from_generator(lambda t: 0.75 * abs(t - 1) + 0.25 * (t - 1), kink_slope, name="kink"),
)
NUMPY_USERS: tuple[FDivergence, ...] = (FDivergence.from_generator(lambda t: t * np.log(t), name="numpy_kl"),)

BUILT_IN: tuple[FDivergence, ...] = (*LISTED, *SUMS)
ORIGINALS: tuple[FDivergence, ...] = (*BUILT_IN, *USERS)
SMOOTH: tuple[FDivergence, ...] = tuple(d for d in ORIGINALS if d.curvature_at_one is not None)
# dict.fromkeys: an object that is its own dual, or normalised already, counts once
UNSCALED: tuple[FDivergence, ...] = tuple(dict.fromkeys((*ORIGINALS, *(d.dual for d in ORIGINALS))))
FORMS: tuple[FDivergence, ...] = tuple(dict.fromkeys((*UNSCALED, *(d.normalised() for d in SMOOTH))))


# One of each kind of formula: series, mixture, steep power, kink.
KINDS: tuple[FDivergence, ...] = (kb.kl, kb.js, kb.alpha(-1.5), kb.total_variation)


def compiled(divergences: tuple[FDivergence, ...]) -> list[Any]:
    """As parameters of a test whose time is a compiler's: one of each kind always, the others where time allows."""
    return [d if d in KINDS else pytest.param(d, marks=pytest.mark.slow) for d in divergences]


def leeway(d: FDivergence) -> float:
    """How much more rounding a divergence may show: a user's function is centred and expanded numerically."""
    parts = [part for _, part in d.parts] if isinstance(d, Combination) else [d]
    return 50.0 if any(isinstance(part, UserDivergence) for part in parts) else 1.0
