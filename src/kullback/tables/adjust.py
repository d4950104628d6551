"""From the p-values of many columns to q-values: reject where q ≤ α. An adjustment is a function; pass your own."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from kullback.errors import InvalidInputError

Adjustment = Callable[[Sequence[float]], NDArray[np.float64]]


def benjamini_hochberg(p_values: Sequence[float]) -> NDArray[np.float64]:
    r"""Control the false discovery rate: of the columns called drifting, at most a share α falsely, on average.

    $$q_{(i)} = \min_{j \ge i} \frac{m\, p_{(j)}}{j}$$

    For independent or positively dependent p-values, in any order. Source: [benjamini1995].

    >>> benjamini_hochberg([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.04, 0.04]
    """
    return _step_up(_checked(p_values), 1.0)


def benjamini_yekutieli(p_values: Sequence[float]) -> NDArray[np.float64]:
    r"""Control the false discovery rate whatever the dependence between the columns, at the price of power.

    $$q_{(i)} = \min_{j \ge i} \frac{m\, p_{(j)}}{j} \sum_{k=1}^m \frac1k$$

    Source: [benjamini2001].

    >>> benjamini_yekutieli([0.02, 0.5]).tolist()
    [0.06, 0.75]
    """
    p = _checked(p_values)
    return _step_up(p, float(np.sum(1.0 / np.arange(1, p.size + 1))))


def holm(p_values: Sequence[float]) -> NDArray[np.float64]:
    r"""Control the chance of a single false call among all columns, whatever their dependence.

    $$q_{(i)} = \max_{j \le i} (m - j + 1)\, p_{(j)}$$

    Source: [holm1979].

    >>> holm([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    """
    p = _checked(p_values)
    order = np.argsort(p, kind="stable")
    scaled = np.maximum.accumulate(p[order] * np.arange(p.size, 0, -1))
    return _in_place(np.minimum(scaled, 1.0), order)


def unadjusted(p_values: Sequence[float]) -> NDArray[np.float64]:
    r"""Leave the p-values as they are, $q = p$: for one column that was chosen beforehand.

    >>> unadjusted([0.04]).tolist()
    [0.04]
    """
    return _checked(p_values)


def _step_up(p: NDArray[np.float64], factor: float) -> NDArray[np.float64]:
    order = np.argsort(p, kind="stable")
    scaled = factor * p[order] * p.size / np.arange(1, p.size + 1)
    smallest_above = np.minimum.accumulate(scaled[::-1])[::-1]
    return _in_place(np.minimum(smallest_above, 1.0), order)


def _in_place(ordered: NDArray[np.float64], order: NDArray[np.intp]) -> NDArray[np.float64]:
    q = np.empty_like(ordered)
    q[order] = ordered
    return q


def _checked(p_values: Sequence[float]) -> NDArray[np.float64]:
    p = np.asarray(p_values, dtype=np.float64)
    if p.ndim != 1 or not ((p >= 0) & (p <= 1)).all():
        raise InvalidInputError(f"p-values are a list of numbers between 0 and 1; got {p_values!r:.80}")
    return p.copy()


NAMES: dict[str, Adjustment] = {
    "bh": benjamini_hochberg,
    "by": benjamini_yekutieli,
    "holm": holm,
    "none": unadjusted,
}


def find(name: str) -> Adjustment:
    """The adjustment that the command line calls by this name.

    >>> find("holm").__name__
    'holm'
    """
    if name not in NAMES:
        raise InvalidInputError(f"no adjustment is called {name!r:.40}; there are {', '.join(NAMES)}")
    return NAMES[name]


def name_of(adjustment: Adjustment) -> str:
    """The short name of an adjustment; its own name where it is the caller's.

    >>> name_of(benjamini_hochberg)
    'bh'
    """
    short = next((name for name, known in NAMES.items() if known is adjustment), None)
    return short or getattr(adjustment, "__name__", type(adjustment).__name__)
