"""Neighbour estimates of the data, with the bias that rows of a law show taken off."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from kullback.estimators import ksg_joint, ksg_pass
from kullback.estimators.ksg_curve import curve
from kullback.estimators.mixtures.law import Floats, Law, pointwise
from kullback.estimators.neighbour_average import averaging, information_priors

DRAWS = 3  # samples of the law: their noise adds a third to the data's
_FINE = 4  # the k up to which neighbours see the most of what a law may lack


@dataclass(frozen=True)
class Compared:
    """What neighbours say of the data: over `fine` k, with its noise, and extrapolated to no neighbours at all.

    `unresolved` where the data are related more finely than the rows show.
    """

    fine: float
    fine_error: float
    value: float
    standard_error: float
    bias_error: float
    unresolved: bool

    def exceeds(self, information: float, errors: float) -> bool:
        """Whether neighbours see more than this, by so many standard errors."""
        return self.fine - information > errors * self.fine_error


def compared(x: Floats, y: Floats, law: Law, drawn: Floats) -> Compared:
    r"""The law's own information, and what neighbours see in the data beyond what they see in the law's rows.

    $$\hat I_k = I_g + \hat I_k(\text{data}) - \frac1B \sum_b \hat I_k(g_b), \qquad \hat I = \sum_k w_k \hat I_k$$

    `drawn` (B, n, columns) are samples $g_b$ of the law, whose information is the mean over these very rows: what
    chance adds to it, it adds to their neighbour estimates. All columns are put on normal scores. Where the law holds,
    every $\hat I_k$ is unbiased; what is left of a bias where it does not is averaged over priors as for `KSG`.
    """
    width, (samples, n, columns) = x.shape[1], drawn.shape
    chosen = averaging(n, information_priors(columns))
    fine = np.array([k <= _FINE for k in chosen.ks]) / sum(k <= _FINE for k in chosen.ks)
    seen = curve(ksg_joint.scored(np.hstack([x, y]), width), chosen.ks, np.vstack([chosen.weights, fine]))
    made = [ksg_pass.values(ksg_joint.scored(rows, width), chosen.ks) for rows in drawn]
    own = float(pointwise(law, *np.split(drawn.reshape(-1, columns), [width], axis=1)).mean())
    values = own + seen.values - np.mean(made, axis=0)
    shares = chosen.shares(values)
    noise = math.sqrt(1 + 1 / samples)
    none = 0 * shares
    return Compared(
        float(fine @ values),
        noise * seen.error(np.append(none, [1.0, 0.0]), floor=0.3),
        float(shares @ chosen.weights @ values),
        noise * seen.error(np.append(shares, [0.0, 0.0]), floor=0.3),
        chosen.bias_error(values, shares),
        seen.unresolved,
    )
