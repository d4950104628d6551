"""The best accuracy of telling two tables apart, from the total variation of their counts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from kullback.answer import Answer
from kullback.estimators.counts import sparse
from kullback.estimators.counts.variation import estimate_variation

Counts = NDArray[np.int64]


def best_accuracy(a: Counts, b: Counts, level: float, *, hidden: float = 0.0) -> Answer:
    r"""The best possible accuracy of telling from which table a row comes, $(1 + \mathrm{TV})/2$, by these cells alone.

    Both tables are equally likely; 0.5 is chance. Small cells are joined as `statistics.estimate` joins them, and
    `hidden`, total variation that these cells cannot show, goes to the upper end.

    >>> round(best_accuracy(np.array([500, 500]), np.array([400, 600]), 0.95).value, 2)
    0.55
    """
    few_a, few_b = sparse.joined(a, b)
    observed, kept = (
        0.5 * float(np.abs(x / x.sum() - y / y.sum()).sum()) for x, y in ((a, b), (few_a, few_b))
    )
    variation = estimate_variation(few_a, few_b, level, added=observed - kept + hidden)
    return replace(
        variation,
        value=(1 + variation.value) / 2,
        low=(1 + variation.low) / 2,
        high=(1 + variation.high) / 2,
        method=f"(1 + TV)/2, {variation.method}",
    )
