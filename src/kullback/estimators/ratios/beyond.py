"""What rests on rows that lie beyond all rows of the other law, where a model of the ratio can but extrapolate."""

from __future__ import annotations

import numpy as np

from kullback.divergences import FDivergence
from kullback.estimators.ratios.scores import Scores

_SHARE = (
    0.35  # of the standard error: with more than this, intervals of unbounded divergences cover too rarely
)


def beyond(d: FDivergence, scores: Scores) -> float:
    r"""The part of the value by which rows of one law outscore every row of the other.

    $$\hat E_p \big[f'(e^{r}) - f'(e^{\top})\big]_+ + \hat E_q \big[g(e^{r}) - g(e^{\bot})\big]_+,
    \qquad g(t) = f(t) - t f'(t)$$

    with ⊤ the largest score at rows of q and ⊥ the least at rows of p. Where tails are heavier than the model's, what
    it finds there is about half of what there is.
    """
    top, bottom = scores.at_q.max(), scores.at_p.min()
    over_p = np.asarray(d.slope(scores.at_p)) - np.asarray(d.slope(np.minimum(scores.at_p, top)))
    over_q = np.asarray(d.tilt(scores.at_q)) - np.asarray(d.tilt(np.maximum(scores.at_q, bottom)))
    return scores.average(over_p, over_q)[0]


def unlimited(d: FDivergence, part: float, error: float) -> str:
    """The reason for distrust where a divergence without an upper limit rests on such rows; empty where not."""
    if d.bounded or part <= _SHARE * error:
        return ""
    return (
        f"rows beyond all rows of the other sample make {part:.2g} of the value, with a standard error of {error:.2g}; "
        f"the model extrapolates there, and {d.name} has no upper limit; use a bounded divergence such as js"
    )
