"""Estimates at several k averaged over what their bias may be: the curve over k says which of several priors it is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from kullback.estimators.neighbour_weights import BiasPrior, grid

Floats = NDArray[np.float64]
Priors = tuple[tuple[float, BiasPrior], ...]


@dataclass(frozen=True)
class Averaging:
    """The combinations over a grid of k that belong to several priors of the bias, and what tells which prior holds.

    `weights` (M, K) has one combination a prior, `bias` (M,) the standard deviations of the bias that they leave.
    The log-probability of a prior given a curve T is `offsets` − T'·`forms`·T / 2, up to a constant.
    """

    ks: tuple[int, ...]
    weights: Floats
    bias: Floats
    forms: Floats
    offsets: Floats

    def shares(self, values: Floats) -> Floats:
        """The probabilities of the priors given the estimates over the grid, (M,)."""
        logs = self.offsets - 0.5 * np.einsum("mkl,k,l->m", self.forms, values, values)
        shares = np.exp(logs - logs.max())
        return shares / shares.sum()

    def bias_error(self, values: Floats, shares: Floats) -> float:
        """The standard deviation of the bias that is left: within the priors, and between what they say."""
        said = self.weights @ values
        return math.sqrt(float(shares @ (self.bias**2 + (said - shares @ said) ** 2)))


def alone(k: int) -> Averaging:
    """The estimate at one k, as it is: no bias is removed and none is guessed."""
    return Averaging((k,), np.ones((1, 1)), np.zeros(1), np.zeros((1, 1, 1)), np.zeros(1))


@lru_cache(maxsize=64)
def averaging(n: int, priors: Priors) -> Averaging:
    r"""The best linear unbiased combination under each prior, and the priors' marginal likelihood of the curve.

    $$w_m = \frac{G_m^{-1} 1}{1^\top G_m^{-1} 1}, \qquad
    p(m \mid T) \propto \frac{\pi_m}{\sqrt{|C G_m C^\top|}} \exp\big(-\tfrac12 (CT)^\top (C G_m C^\top)^{-1} CT\big)$$

    $G_m$ is the covariance of noise and bias of a prior, C takes the difference of each estimate from that at the
    smallest k, which does not know the value itself. `priors` are $\pi_m$, up to a factor, each with its prior.
    Source: [hoeting1999].

    >>> found = averaging(500, ((1.0, BiasPrior((0.5, 1.0), (0.5, 2.0), 1.0)),))
    >>> round(float(found.weights[0, 0]), 2), round(float(found.bias[0]), 4)
    (0.2, 0.0235)
    """
    ks = grid(n)
    size = len(ks)
    contrasts = np.eye(size)[1:] - np.eye(size)[:1]
    weights, bias, forms, offsets = [], [], [], []
    for share, prior in priors:
        noise, spread = prior.covariances(ks, n)
        total = noise + spread.T @ spread
        raw = np.linalg.solve(total, np.ones(size))
        weights.append(raw / raw.sum())
        bias.append(float(np.linalg.norm(spread @ weights[-1])))
        seen = contrasts @ total @ contrasts.T
        forms.append(contrasts.T @ np.linalg.solve(seen, contrasts))
        offsets.append(math.log(share) - 0.5 * float(np.linalg.slogdet(seen)[1]))
    found = (np.array(weights), np.array(bias), np.array(forms), np.array(offsets))
    for array in found:
        array.setflags(write=False)  # the cache hands out these very arrays
    return Averaging(ks, *found)


def information_priors(dimension: int) -> Priors:
    """For the mutual information of `dimension` columns of x and y together, on normal scores.

    Up to three columns: little bias, that of edges and kinks, and that of curves, which grows with a higher power of k;
    beyond: little, much that falls with the rows, and much that falls with them slowly. Set by the score of intervals
    at 500 and 2000 rows, on laws of other families than those of the published benchmark.
    """
    if dimension <= 2:
        return (
            (1.0, BiasPrior((1 / 2, 1.0), (0.2, 0.8), 3.4)),
            (3.8, BiasPrior((1 / 2, 1.0), (0.85, 1.1), 3.4)),
            (2.5, BiasPrior((1.0, 2.0), (3.6, 160.0), 3.4)),
        )
    if dimension == 3:
        return (
            (1.0, BiasPrior((1 / 3, 2 / 3), (0.4, 0.3), 1.0)),
            (0.3, BiasPrior((1 / 3, 2 / 3), (0.3, 1.5), 1.0)),
            (0.5, BiasPrior((2 / 3, 4 / 3), (1.5, 20.0), 1.0)),
        )
    return (
        (1.0, BiasPrior((1 / 3, 2 / 3), (0.3, 0.05), 1.0)),
        (0.12, BiasPrior((1 / 3, 2 / 3), (0.1, 0.9), 1.0)),
        (0.04, BiasPrior((1 / 6, 1 / 3), (0.56, 4.5), 1.0)),
    )
