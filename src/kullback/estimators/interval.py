"""From what a method found to the answer that a caller gets: the interval is made in this one place."""

from __future__ import annotations

import math

from scipy.special import ndtri

from kullback.answer import Answer
from kullback.errors import InvalidInputError
from kullback.estimators.method import Estimate


def answer(
    found: Estimate,
    *,
    method: str,
    n: int,
    level: float,
    unit: str = "nats",
    p_value: float | None = None,
    notes: tuple[str, ...] = (),
) -> Answer:
    r"""The answer of an estimate: $\text{value} \pm z_{(1 + \text{level})/2} \sqrt{\text{se}^2 + \text{bias}^2}$.

    A method's own interval takes precedence; a distrusted one is −inf to inf, with the reason first among the notes.

    >>> print(answer(Estimate(0.5, 0.03, bias_error=0.04), method="example", n=100, level=0.95))
    0.50 [0.40, 0.60] nats (95 % interval, estimate: example, n=100)
    """
    if not 0.0 < level < 1.0:
        raise InvalidInputError(
            f"level must lie between 0 and 1, got {level!r}; 0.95 gives the usual interval"
        )
    told = (*found.notes, *notes)
    if found.distrust:
        low, high = -math.inf, math.inf
        told = (f"no interval: {found.distrust}", *told)
    elif found.interval is not None:
        low, high = found.interval(level)
    else:
        reach = float(ndtri(0.5 + level / 2)) * math.hypot(found.standard_error, found.bias_error)
        low, high = found.value - reach, found.value + reach
    return Answer(
        found.value,
        low,
        high,
        level=level,
        kind=found.kind,
        method=method,
        n=n,
        unit=unit,
        notes=told,
        standard_error=found.standard_error,
        p_value=p_value,
    )
