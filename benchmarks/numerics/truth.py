"""The exact answers: divergences in many digits, of the binary numbers that the inputs are.

Masses are divided by their exact sum, because that is what a divergence of two distributions means; logits are
exponentiated in full. Nothing here shares a formula with the library: these are the definitions, summed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import mpmath as mp
import numpy as np

DIGITS = 60
ALL_SUBNORMALS = 750  # digits that also hold a term of 5e-324 beside one of order 1

# f(t) as textbooks print it, by catalogue name, for NumPy or mpmath: `m` is the module that has log and sqrt.
TEXTBOOK: dict[str, tuple[str, Callable[[Any, Any], Any]]] = {
    "kl": ("t log t", lambda t, m: t * m.log(t)),
    "reverse_kl": ("−log t", lambda t, m: -m.log(t)),
    "js": (
        "½ [t log t − (t+1) log((t+1)/2)]",
        lambda t, m: 0.5 * (t * m.log(t) - (t + 1) * m.log((t + 1) / 2)),
    ),
    "gan": ("t log t − (t+1) log((t+1)/2)", lambda t, m: t * m.log(t) - (t + 1) * m.log((t + 1) / 2)),
    "jeffreys": ("(t−1) log t", lambda t, m: (t - 1) * m.log(t)),
    "squared_hellinger": ("2 (1−√t)", lambda t, m: 2 * (1 - m.sqrt(t))),
    "pearson_chi2": ("t² − 1", lambda t, _: t * t - 1),
    "neyman_chi2": ("1/t − 1", lambda t, _: 1 / t - 1),
    "le_cam": ("(t−1)² / (2(t+1))", lambda t, _: (t - 1) ** 2 / (2 * (t + 1))),
    "total_variation": ("½ |t−1|", lambda t, _: abs(t - 1) / 2),
    "alpha(3)": ("(t³ − 1) / 6", lambda t, _: (t**3 - 1) / 6),
}


def normalised(x: Iterable[float]) -> list[Any]:
    exact = [mp.mpf(float(v)) for v in x]
    total = mp.fsum(exact)
    return [v / total for v in exact]


def softmax(x: Iterable[float]) -> list[Any]:
    powers = [mp.exp(mp.mpf(float(v))) for v in x]  # e^−inf is 0, and mpmath has no largest number
    total = mp.fsum(powers)
    return [v / total for v in powers]


def kl(p: Sequence[Any], q: Sequence[Any]) -> Any:
    if any(b == 0 < a for a, b in zip(p, q, strict=True)):
        return mp.inf
    return mp.fsum(a * mp.log(a / b) for a, b in zip(p, q, strict=True) if a)


def js(p: Sequence[Any], q: Sequence[Any]) -> Any:
    middle = [(a + b) / 2 for a, b in zip(p, q, strict=True)]
    return (kl(p, middle) + kl(q, middle)) / 2


def f_divergence(name: str, p: Sequence[Any], q: Sequence[Any]) -> Any:
    f = TEXTBOOK[name][1]
    return mp.fsum(b * f(a / b, mp) for a, b in zip(p, q, strict=True))


def renyi(order: float, p: Sequence[Any], q: Sequence[Any]) -> Any:
    a = mp.mpf(order)
    return mp.log(mp.fsum(x**a * y ** (1 - a) for x, y in zip(p, q, strict=True))) / (a - 1)


def bhattacharyya(p: Sequence[Any], q: Sequence[Any]) -> Any:
    return -mp.log(mp.fsum(mp.sqrt(x * y) for x, y in zip(p, q, strict=True)))


def cauchy_schwarz(p: Sequence[Any], q: Sequence[Any]) -> Any:
    pq, pp, qq = (mp.fsum(x * y for x, y in zip(u, v, strict=True)) for u, v in ((p, q), (p, p), (q, q)))
    return -mp.log(pq * pq / (pp * qq))


def relative_error(got: float, true: Any) -> float:
    """|got − true| / |true|; NaN stays NaN, and a wrong infinity is an infinite error."""
    if np.isnan(got):
        return float("nan")
    if mp.isinf(true) or np.isinf(got) or true == 0:
        return 0.0 if got == true else float("inf")
    return float(abs(mp.mpf(got) - true) / abs(true))


def vector_error(got: Sequence[float], true: Sequence[Any]) -> float:
    """‖got − true‖ / ‖true‖, for a gradient."""
    off = mp.fsum((mp.mpf(float(g)) - t) ** 2 for g, t in zip(got, true, strict=True))
    return float(mp.sqrt(off / mp.fsum(t * t for t in true)))
