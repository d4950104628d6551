"""The one result type of every verb whose number can be uncertain."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from kullback.errors import InvalidInputError
from kullback.wording import cells, decimals, with_unit, wrapped

_NATS_PER_BIT = math.log(2.0)
_WIDTH = 80
_BY_CHANCE = ("estimate", "monte-carlo")
_ANYWHERE = (-math.inf, math.inf)


@dataclass(frozen=True, repr=False)
class Answer:
    r"""A number, how sure we are of it, and how it was made.

    $$\text{low} \le \text{value} \le \text{high} \quad\text{with confidence } \text{level};\qquad
    \text{low} = \text{value} = \text{high} \text{ where the number is exact.}$$

    `kind` is one of `exact`, `enumeration`, `quadrature`, `bounds`, `monte-carlo`, `estimate`; `method` names the
    formula or estimator; `n` counts the rows or draws behind it (`None` where nothing was sampled); `unit` is `nats` or
    `bits` for information, whatever other unit the quantity has, or `""` for a pure number. The three numbers of a
    batch are arrays. Estimates are never clipped: a value or a `low` below zero is what the data said.
    `standard_error` is the estimate's, in the same unit; `p_value` belongs to a test that was asked for beside it. Both
    are `None` where there is none.

    It prints in 80 columns, estimates to the digits that the width of their interval leaves; the fields hold all
    digits. Raises `InvalidInputError` where `low > high`.

    >>> answer = Answer(0.25, 0.125, 0.5, level=0.95, kind="estimate", method="counts", n=100)
    >>> print(answer)
    0.25 [0.12, 0.50] nats (95 % interval, estimate: counts, n=100)
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
            raise InvalidInputError(f"an interval needs low <= high; got low={self.low}, high={self.high}")

    @classmethod
    def exact(cls, value: float, method: str = "", unit: str = "nats") -> Answer:
        """An answer without uncertainty.

        >>> Answer.exact(0.5).high
        0.5
        """
        return cls(value, value, value, method=method, unit=unit)

    @property
    def bits(self) -> Answer:
        """The same answer in bits: divided by log 2; raises `InvalidInputError` where it is not in nats.

        >>> Answer.exact(math.log(2)).bits.value
        1.0
        """
        if self.unit == "bits":
            return self
        if self.unit != "nats":
            what = f"in {self.unit}" if self.unit else "a pure number"
            raise InvalidInputError(f"only nats convert to bits, and this answer is {what}: take its `value`")
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
        """The value first, in lines of at most 80 columns; how it was made is below where one line cannot hold both."""
        number, source = self._number(), f"({', '.join(self._source())})"
        measured = with_unit(number, self.unit)
        if "\n" not in measured and cells(f"{measured} {source}") <= _WIDTH:
            return f"{measured} {source}"
        if cells(measured.rpartition("\n")[2]) > _WIDTH:  # a batch fills its lines
            measured, source = number, f"{self.unit} {source}"
        return "\n".join([measured, *wrapped(f"  {source}", _WIDTH, hanging=3)])

    __repr__ = __str__

    @property
    def _single(self) -> bool:
        """Whether it is one number with digits: neither a batch nor inside a trace."""
        return not getattr(self.value, "ndim", 0) and type(self.value).__format__ is not object.__format__

    def _number(self) -> str:
        if not self._single:
            return str(self.value)
        if self.low == self.high:
            return f"{self.value:.6g}"
        if (self.low, self.high) == _ANYWHERE:
            return f"{self.value:.3g}"
        value, low, high = (float(x) for x in (self.value, self.low, self.high))
        reach = max(high - value, value - low)
        if reach < 5e-7 * abs(value):  # no digit of six changes inside the interval
            return f"{value:.6g} ± {reach:.1g}"
        return "{} [{}, {}]".format(*(self._rounded(x, low, value, high) for x in (value, low, high)))

    def _rounded(self, x: float, low: float, value: float, high: float) -> str:
        """To the digits that chance leaves, by the width of the interval; ends that are computed keep six."""
        width = sum(part for part in (high - value, value - low) if part < math.inf)
        if self.kind not in _BY_CHANCE or width == 0 or not math.isfinite(x):
            return f"{x:.6g}"
        places = decimals(width)
        rounded = round(x, places)
        if rounded == 0.0:  # small against the width; on which side of 0 an end lies is still to be seen
            return f"{x:.1g}"
        return f"{rounded:.{places}f}" if 0 <= places <= 6 else f"{rounded:.6g}"

    def _source(self) -> list[str]:
        parts = []
        if self._single and (self.low, self.high) == _ANYWHERE:
            parts.append("no interval")
        elif self._single and self.level < 1 and self.low != self.high:
            parts.append(f"{100 * self.level:.4g} % interval")  # a certified one has no level to state
        parts.append(": ".join(part for part in (self.kind, self.method) if part))
        if self.n is not None:
            parts.append(f"n={self.n}")
        if self.p_value is not None:
            parts.append(f"p={self.p_value:.3g}")
        return parts
