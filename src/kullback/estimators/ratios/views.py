"""Which divergences an estimated density ratio serves: f-divergences, and what is a monotone map of one."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from scipy.optimize import minimize_scalar

from kullback.divergences import FDivergence, Noun, alpha, bhattacharyya, chernoff, kl

_WITHIN = 1e-3  # how close to 0 and 1, where its affinity is 1 anyway, the order of a Chernoff information is sought


LogMean = tuple[float, float]  # and its standard error


@dataclass(frozen=True)
class View:
    r"""An f-divergence itself, or the Rényi divergence that its affinity $E_q t^a$ makes, times a factor.

    Two averages give the affinity, $E_p t^{a - 1}$ over rows of p and $E_q t^a$ over rows of q, and

    $$R_a = \frac{a}{a - 1} \log E_p\, t^{a - 1} - \log E_q\, t^a$$

    is right at the true ratio, a lower bound at any other, and the same for a ratio that is off by a factor. It is
    finite for any scores, where the logarithm of their sum $1 + a (a - 1) D_a$ need not be. Source: [birrell2021].
    """

    inner: FDivergence
    order: float | None = None  # None is the f-divergence itself
    factor: float = 1.0

    def of_logs(self, at_p: LogMean, at_q: LogMean) -> tuple[float, float]:
        """The divergence and its standard error, from the logarithms of both averages."""
        assert self.order is not None
        share = self.order / (self.order - 1.0)
        value = share * at_p[0] - at_q[0]
        return self.factor * value, self.factor * math.hypot(share * at_p[1], at_q[1])

    def pace(self, value: float) -> float:
        """How fast the divergence grows with the f-divergence, where the former has this value."""
        if self.order is None:
            return 1.0
        return self.factor * self.order * math.exp((1.0 - self.order) * value / self.factor)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a caller should know about the way."""
        return () if self.order is None else (f"by way of {self.inner.name}",)

    @property
    def upper_bound(self) -> float:
        """The largest value that two laws have."""
        return self.inner.upper_bound if self.order is None else math.inf


def view(noun: Noun, value_of: Callable[[FDivergence], float]) -> View:
    """The view of a divergence that is not refused; `value_of` gives estimates for the order of a Chernoff one."""
    if isinstance(noun, FDivergence):
        return View(noun)
    if noun == bhattacharyya:
        return View(alpha(0.5), 0.5, 0.5)
    if noun == chernoff:
        order = _least_affinity(value_of)
        return View(alpha(order), order, 1.0 - order)
    order = float(noun.order)  # type: ignore[attr-defined]
    return View(kl) if order == 1.0 else View(alpha(order), order)


def refusal(noun: Noun) -> str:
    """Why a density ratio does not serve the divergence; empty where it does."""
    order = getattr(noun, "order", None)
    if isinstance(noun, FDivergence) or noun in (bhattacharyya, chernoff):
        return ""
    if noun.name.startswith("renyi") and order is not None and 0.0 < order < math.inf:
        return ""
    return (
        f"{noun.name} is no average over a density ratio; ratios serve every f-divergence, renyi(a) for a strictly "
        "between 0 and infinity, bhattacharyya and chernoff"
    )


def _least_affinity(value_of: Callable[[FDivergence], float]) -> float:
    def affinity(order: float) -> float:
        return order * (order - 1.0) * value_of(alpha(order))

    found = minimize_scalar(
        affinity, bounds=(_WITHIN, 1.0 - _WITHIN), method="bounded", options={"xatol": 1e-4}
    )
    return float(found.x)
