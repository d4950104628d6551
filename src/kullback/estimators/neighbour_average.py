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


def resolved(n: int) -> float:
    """The largest information that n rows tell: beyond it the five nearest rows reach across the strip they lie in."""
    return 0.5 * math.log(n / 5)


def quarters(information: float, n: int) -> int:
    """A rough information in quarters of a nat, so that what is cached serves many samples: from 0 to what n rows tell.

    >>> quarters(0.4, 500), quarters(-0.1, 500), quarters(5.0, 500)
    (2, 0, 9)
    """
    return max(0, min(round(4 * information), math.floor(4 * resolved(n))))


@lru_cache(maxsize=256)
def averaging(n: int, priors: Priors, steps: int = 0, *, within: int | None = None) -> Averaging:
    r"""The best linear unbiased combination under each prior, and the priors' marginal likelihood of the curve.

    $$w_m = \frac{G_m^{-1} 1}{1^\top G_m^{-1} 1}, \qquad
    p(m \mid T) \propto \frac{\pi_m}{\sqrt{|C G_m C^\top|}} \exp\big(-\tfrac12 (CT)^\top (C G_m C^\top)^{-1} CT\big)$$

    $G_m$ is the covariance of noise and bias of a prior, C takes the difference of each estimate from that at the
    smallest k, which does not know the value itself. `priors` are $\pi_m$, up to a factor, each with its prior.

    A pair with information I fills a strip of width $e^{-I}$ among its ranks. The square that holds k neighbours has
    $k e^I / n$ times the area of one as wide as the strip, and bias grows with how far it reaches across: biases are
    those of $n e^{-I}$ rows, with I in `steps` of a quarter nat, and the noise is that of n. Where neighbours are
    searched for `within` fewer rows, as of a class, biases are those of so many. Source: [hoeting1999].

    >>> found = averaging(500, ((1.0, BiasPrior((0.5, 1.0), (0.5, 2.0), 1.0)),))
    >>> round(float(found.weights[0, 0]), 2), round(float(found.bias[0]), 4)
    (0.2, 0.0235)
    """
    rows = within or n
    ks = grid(rows)
    size = len(ks)
    contrasts = np.eye(size)[1:] - np.eye(size)[:1]
    weights, bias, forms, offsets = [], [], [], []
    for share, prior in priors:
        spread = prior.biases(ks, rows * math.exp(-steps / 4))
        total = prior.noises(ks, n) + spread.T @ spread
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

    Two columns, at the rows that their information leaves: the bias of edges where it grows straight on with k and
    where it slows down, and that of curves, which grows with a higher power of k. Three: little, that of edges and
    kinks, that of curves; beyond: little, much that falls with the rows, and much that falls with them slowly. Set by
    the score of intervals at 500 and 2000 rows, on laws of other families than those of the published benchmark.
    """
    if dimension <= 2:
        return (
            (1.0, BiasPrior((1 / 2, 1.0), (0.6, 8.5), 2.4)),
            (1.6, BiasPrior((1 / 2, 1.0), (0.58, 0.83), 2.4)),
            (3.0, BiasPrior((1.0, 2.0), (0.65, 260.0), 2.4)),
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


def conditional_priors(dimension: int) -> Priors:
    """For the information of x and y given z, `dimension` columns of all three together, less what z foretells.

    Little that hardly changes with k, the bias of curves, and that of edges and of strips narrower than the rows
    resolve: in three columns it grows with the root of k, as in the plane of x and y; in more it is much at every k.
    Set by the score of intervals at 500 and 2000 rows.
    """
    if dimension <= 3:
        return (
            (1.0, BiasPrior((1 / 5, 1.0), (0.3, 0.1), 1.5)),
            (0.25, BiasPrior((6 / 5, 12 / 5), (7.0, 0.0), 1.5)),
            (0.5, BiasPrior((1 / 2, 1.0), (3.0, 1.5), 1.5)),
        )
    return (
        (1.0, BiasPrior((0.15, 1.0), (0.2, 0.1), 0.9)),
        (0.2, BiasPrior((4 / 5, 8 / 5), (2.2, 9.0), 0.9)),
        (1.0, BiasPrior((0.15, 0.9), (3.3, 1.0), 0.9)),
    )
