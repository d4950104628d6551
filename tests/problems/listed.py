"""Every divergence that a law is held against: the catalogue, and what can be made of it."""

from __future__ import annotations

import kullback as kb
from kullback import FDivergence

LISTED: tuple[FDivergence, ...] = tuple(kb.catalogue())
SUMS: tuple[FDivergence, ...] = (0.3 * kb.kl + 0.7 * kb.reverse_kl, 2.0 * kb.js + kb.pearson_chi2)
SMOOTH: tuple[FDivergence, ...] = tuple(d for d in (*LISTED, *SUMS) if d.curvature_at_one is not None)
# dict.fromkeys: an object that is its own dual, or normalised already, counts once
FORMS: tuple[FDivergence, ...] = tuple(
    dict.fromkeys((*LISTED, *SUMS, *(d.dual for d in (*LISTED, *SUMS)), *(d.normalised() for d in SMOOTH)))
)
