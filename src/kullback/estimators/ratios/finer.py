"""Whether nearest neighbours see structure that is finer than a model of the ratio resolves."""

from __future__ import annotations

import math

import numpy as np

from kullback.divergences import kl
from kullback.estimators.ratios.rows import Rows
from kullback.estimators.ratios.scores import Scores, mean
from kullback.estimators.trees import Tree

_ROWS = 2000  # of each sample, at most: enough to see what no smooth model follows
_NEIGHBOURS = 5
_SIGMAS = 5.0  # of the difference; both estimates come from the same rows, so it is rather fewer


def finer(p: Rows, q: Rows, scores: Scores, doubt: float) -> str:
    r"""The reason for distrust where neighbours find far more KL than the model, by more than its doubt explains.

    $$\widehat{\mathrm{KL}} = \frac1n \sum_i d \log \frac{\nu_i}{\rho_i} + \log \frac{m}{n - 1},$$

    with the distances to the fifth neighbours among the rows of q and the other rows of p. Neighbours tend to find too
    little in many dimensions, so that it is no false alarm there. Silent with weights, ties and discrete columns.
    """
    if p.codes is not None or p.weights is not None or q.weights is not None:
        return ""
    first, second = (rows.values[:: 1 + rows.n // _ROWS] for rows in (p, q))
    if min(len(first), len(second)) <= _NEIGHBOURS or not first.shape[1]:
        return ""
    own = Tree(first).neighbours(_NEIGHBOURS)[0][:, -1]
    other = Tree(second).neighbours(_NEIGHBOURS, queries=first)[0][:, -1]
    if min(own.min(), other.min()) <= 0.0:
        return ""
    terms = first.shape[1] * np.log(other / own) + math.log(len(second) / (len(first) - 1))
    by_neighbours, variance = mean(terms, None)
    by_model, error = scores.average(np.asarray(kl.slope(scores.at_p)), np.asarray(kl.tilt(scores.at_q)))
    if by_neighbours - by_model <= _SIGMAS * math.hypot(math.sqrt(variance), error) + 2.0 * doubt:
        return ""
    return (
        f"nearest neighbours find KL {by_neighbours:.3g}, the model only {by_model:.3g}: there is structure finer than "
        "the model resolves, and the value is a lower bound's"
    )
