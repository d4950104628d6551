"""Which divergences an estimated density ratio serves: f-divergences, and what is a monotone map of one."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from scipy.optimize import minimize_scalar

from kullback.divergences import FDivergence, Noun, alpha, bhattacharyya, chernoff, kl
from kullback.estimators.method import Estimate

_WITHIN = 1e-3  # how close to 0 and 1, where its affinity is 1 anyway, the order of a Chernoff information is sought


@dataclass(frozen=True)
class View:
    r"""A divergence as an increasing map of an f-divergence, $c \log(1 + a (a - 1) D_a) / (a - 1)$ or the identity."""

    inner: FDivergence
    order: float | None = None  # None is the identity
    factor: float = 1.0

    def image(self, value: float) -> float:
        """The divergence where the f-divergence has this value; ±inf where no pair of laws has it."""
        if self.order is None:
            return value
        growth = self.order * (self.order - 1.0) * value
        if growth <= -1.0:
            return math.inf if self.order < 1.0 else -math.inf
        return self.factor * math.log1p(growth) / (self.order - 1.0)

    def of(self, found: Estimate) -> Estimate:
        """The estimate of the divergence: errors by the derivative of the map, the interval by its ends."""
        if self.order is None:
            return found
        growth = self.order * (self.order - 1.0) * found.value
        value = self.image(found.value)
        if not math.isfinite(value):
            reason = "sampling noise exceeds what any two laws can have"
            return replace(found, value=value, standard_error=math.inf, distrust=found.distrust or reason)
        pace = self.factor * self.order / (1.0 + growth)
        return replace(
            found,
            value=value,
            standard_error=pace * found.standard_error,
            bias_error=pace * found.bias_error,
            interval=lambda level: _ends(self, found, level),
            notes=(*found.notes, f"by way of {self.inner.name}"),
        )


def _ends(view: View, found: Estimate, level: float) -> tuple[float, float]:
    from scipy.special import ndtri

    reach = float(ndtri(0.5 + level / 2)) * math.hypot(found.standard_error, found.bias_error)
    return view.image(found.value - reach), view.image(found.value + reach)


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
