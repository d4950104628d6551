"""In many dimensions a kernel density estimate is made of single points: from which bandwidth on is it an average?

With n = e^{αd} points in d dimensions the estimate changes its nature at two bandwidths. Above h_CLT its fluctuations
are normal; below it they have heavy tails; below h_G a few points, in the end one, make all of the density. The
bandwidth of least KL(p‖estimate) is below h_CLT: the best estimate is not one that the central limit theorem describes.
Here normal points in 10, 16 and 20 dimensions, fresh points to test on, and the number of kernels that matter there.

Slots: KL(p‖p̂), the truth first. `critical_bandwidths` of `kullback.estimators` has both bandwidths for normal points.
The paper is a calculation for n → ∞ at fixed α; full size here is more points. At this size the best bandwidth lies
between h_G and h_CLT, above its limit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.spatial.distance import cdist
from scipy.special import logsumexp

import kullback as kb
from gallery.entry import Budget, Verdict, at_least, at_most
from kullback.estimators import critical_bandwidths
from kullback.exact import k1

TITLE = "Kernel Density Estimators in Large Dimensions"
REFERENCE = "biroli2024"
RELATION = "core"
DIVERGENCES = ("kl",)
CLAIM = "The bandwidth of least KL is below h_CLT; at 0.6 h_G fewer than 2 kernels matter, at h_CLT several times more."
STATUS = "reproduced"
SEEDS = 3

SCALES = np.linspace(0.6, 2.4, 37)  # bandwidths over h_G; h_CLT is the root of 2 times it
TESTS = 300


@dataclass(frozen=True)
class Case:
    """KL over d and the median number of kernels that matter, at each bandwidth."""

    dimension: int
    low: float
    high: float
    divergence: np.ndarray
    kernels: np.ndarray
    three: tuple[float, float, float]  # kernels at 0.6 h_G, h_G and h_CLT

    @property
    def best(self) -> float:
        """The bandwidth of least divergence, over h_CLT."""
        return float(SCALES[int(np.argmin(self.divergence))] * self.low / self.high)


@dataclass(frozen=True)
class Run:
    """One case for each dimension."""

    cases: tuple[Case, ...]


def run(seed: int, budget: Budget) -> Run:
    """Fresh points, which the estimate has not seen."""
    return _run(seed, budget, fresh=True)


def control(seed: int, budget: Budget) -> Run:
    """Tested on the points that it was made of: the narrowest kernel looks best, and one kernel is enough."""
    return _run(seed, budget, fresh=False)


def _run(seed: int, budget: Budget, *, fresh: bool) -> Run:
    rng = np.random.default_rng(seed)
    sizes = budget.of(
        small=((10, 2000), (16, 4000), (20, 6000)), full=((10, 2000), (16, 20_000), (20, 200_000))
    )
    return Run(tuple(_case(rng, d, n, fresh) for d, n in sizes))


def _case(rng: np.random.Generator, d: int, n: int, fresh: bool) -> Case:
    points = rng.normal(size=(n, d))
    tests = rng.normal(size=(TESTS, d)) if fresh else points[:TESTS]
    squares = cdist(tests, points, "sqeuclidean")
    log_p = -0.5 * (tests**2).sum(axis=1) - 0.5 * d * np.log(2 * np.pi)
    low, high = critical_bandwidths(n, d)

    def at(h: float) -> tuple[float, float]:
        exponent = -0.5 * squares / h**2
        total = np.asarray(logsumexp(exponent, axis=1))
        log_q = total - np.log(n) - 0.5 * d * np.log(2 * np.pi * h * h)
        share = np.exp(exponent - total[:, None])
        divergence = kb.sampled(kb.kl, log_p, log_q, drawn_from="p", estimator=k1).value
        return divergence / d, float(np.median(1 / (share**2).sum(axis=1)))

    divergence, kernels = np.array([at(s * low) for s in SCALES]).T
    three = tuple(at(h)[1] for h in (0.6 * low, low, high))
    return Case(d, low, high, divergence, kernels, (three[0], three[1], three[2]))


def check(runs: Sequence[Run]) -> list[Verdict]:
    """Where the optimum lies, and how many kernels matter at the critical bandwidths."""
    return [
        at_most(
            "best bandwidth over h_CLT, largest", [max(c.best for c in r.cases) for r in runs], 1.0 - 1e-9
        ),
        at_most(
            "kernels that matter at 0.6 h_G, most", [max(c.three[0] for c in r.cases) for r in runs], 2.0
        ),
        at_least(
            "kernels at h_CLT over those at h_G, in 20 dimensions",
            [r.cases[-1].three[2] / r.cases[-1].three[1] for r in runs],
            5.0,
        ),
        at_least(
            "KL of the narrowest over the least, smallest ratio",
            [min(float(c.divergence[0] / c.divergence.min()) for c in r.cases) for r in runs],
            1.5,
        ),
    ]


def figure(run: Run, ax: Any) -> None:
    """KL per dimension against the bandwidth in units of h_G, with both critical bandwidths."""
    for case in run.cases:
        ax.plot(SCALES, case.divergence, label=f"{case.dimension} dimensions")
    for place, name in ((1.0, "h_G"), (2**0.5, "h_CLT")):
        ax.axvline(place, color="#888888", linewidth=0.8)
        ax.text(place + 0.02, ax.get_ylim()[1] * 0.9, name)
    ax.set(xlabel="bandwidth over h_G", ylabel="KL(p‖estimate) / d in nats")
    ax.legend()
