"""The one result type of every verb whose number can be uncertain."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

_NATS_PER_BIT = math.log(2.0)


@dataclass(frozen=True)
class Answer:
    r"""A number, how sure we are of it, and how it was made.

    $$\text{low} \le \text{value} \le \text{high} \quad\text{with confidence } \text{level};\qquad
    \text{low} = \text{value} = \text{high} \text{ where the number is exact.}$$

    `kind` is one of `exact`, `enumeration`, `quadrature`, `bounds`, `monte-carlo`, `estimate`; `method` names the
    formula or estimator; `n` counts the rows or draws behind it (`None` where nothing was sampled); `unit` is `nats` or
    `bits` for information, or whatever unit the quantity has. The three numbers of a batch are arrays. Estimates are
    never clipped: a value or a `low` below zero is what the data said. `standard_error` is the estimate's, in the same
    unit; `p_value` belongs to a test that was asked for beside it. Both are `None` where there is none.

    Raises `ValueError` where `low > high`.

    >>> answer = Answer(0.25, 0.125, 0.5, level=0.95, kind="estimate", method="counts", n=100)
    >>> print(answer)
    0.25 [0.125, 0.5] nats (95 % interval, estimate: counts, n=100)
    >>> float(answer)
    0.25
    """

    value: float
    low: float
    high: float
    level: float = 1.0
    kind: str = "exact"
    method: str = ""
    n: int | None = None
    unit: str = "nats"
    notes: tuple[str, ...] = ()
    standard_error: float | None = None
    p_value: float | None = None

    def __post_init__(self) -> None:
        if self.low is self.high:  # an exact number, which may be inside a trace
            return
        crossed: Any = self.low > self.high
        if bool(crossed.any() if hasattr(crossed, "any") else crossed):
            raise ValueError(f"an interval needs low <= high; got low={self.low}, high={self.high}")

    @classmethod
    def exact(cls, value: float, method: str = "", unit: str = "nats") -> Answer:
        """An answer without uncertainty.

        >>> Answer.exact(0.5).high
        0.5
        """
        return cls(value, value, value, method=method, unit=unit)

    @property
    def bits(self) -> Answer:
        """The same answer in bits: divided by log 2.

        >>> Answer.exact(math.log(2)).bits.value
        1.0
        """
        if self.unit == "bits":
            return self
        if self.unit != "nats":
            raise ValueError(f"only nats convert to bits; this answer is in {self.unit}")
        low, value, high = (x / _NATS_PER_BIT for x in (self.low, self.value, self.high))
        error = None if self.standard_error is None else self.standard_error / _NATS_PER_BIT
        return replace(self, low=low, value=value, high=high, unit="bits", standard_error=error)

    @property
    def clipped(self) -> Answer:
        """For display only: negative ends set to zero, the note says so where it happened."""
        if self.low >= 0:
            return self
        note = f"clipped for display: value {self.value:.6g}, low {self.low:.6g}"
        low, value, high = (max(0.0, x) for x in (self.low, self.value, self.high))
        return replace(self, low=low, value=value, high=high, notes=(*self.notes, note))

    def __float__(self) -> float:
        return float(self.value)

    def __str__(self) -> str:
        source = ": ".join(part for part in (self.kind, self.method) if part)
        rows = "" if self.n is None else f", n={self.n}"
        rows += "" if self.p_value is None else f"; p={self.p_value:.3g}"
        if getattr(self.value, "ndim", 0):
            return f"{self.value} {self.unit} ({source}{rows})"
        if self.low == self.high:
            return f"{self.value:.6g} {self.unit} ({source}{rows})"
        interval = f"[{self.low:.6g}, {self.high:.6g}]"
        # a certified interval has no level to state
        sure = f"{100 * self.level:.4g} % interval, " if self.level < 1 else ""
        return f"{self.value:.6g} {interval} {self.unit} ({sure}{source}{rows})"
