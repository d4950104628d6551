"""The estimates of mutual information over a grid of k, with errors, and whether the rows resolve what they tell."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kullback.estimators import ksg_pass
from kullback.estimators.ksg_pass import Joint
from kullback.estimators.neighbour_weights import corrected, information_excess, jackknife
from kullback.estimators.trees import ScorePair

Floats = NDArray[np.float64]

_NEAR, _FAR, _FALL = 1, 5, 1.5  # the estimate at one neighbour over that at five
_SURE = 2.5  # standard errors


@dataclass(frozen=True)
class Curve:
    """Estimates `values` (K,) at `ks`, and the jackknife's covariance `spread` (c, c) of `combinations` (c, K) of them.

    `inside` is the median over rows of the smaller margin count at the k nearest 5.
    """

    n: int
    ks: tuple[int, ...]
    values: Floats
    combinations: Floats
    spread: Floats
    inside: float

    def error(self, shares: Floats, *, floor: float = 0.4) -> float:
        """The standard error of the combinations in these shares, without the jackknife's excess."""
        w = shares @ self.combinations
        excess = information_excess().matrix(self.ks)
        return math.sqrt(corrected(float(shares @ self.spread @ shares), w, excess, self.n, floor=floor))

    @property
    def unresolved(self) -> bool:
        """Whether five neighbours see less than two thirds of what one does: then one does not see all either."""
        if not {_NEAR, _FAR} <= set(self.ks):
            return False
        last = np.eye(len(self.combinations))[-1]
        return float(self.combinations[-1] @ self.values) > _SURE * self.error(last, floor=0.3)


def curve(joint: Joint | ScorePair, ks: tuple[int, ...], combinations: Floats) -> Curve:
    """The estimates at all k, and the errors of `combinations` (c, K), to which the fall from 1 to 5 is added."""
    at = np.array(ks)
    fall = (at == _NEAR) - _FALL * (at == _FAR)
    all_of_them = np.vstack([combinations, fall])
    found = ksg_pass.run(joint, ks, all_of_them)
    return Curve(joint.n, ks, found.values, all_of_them, jackknife(found.deleted), found.inside)
