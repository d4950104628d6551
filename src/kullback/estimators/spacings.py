"""The entropy of one column from the gaps between its order statistics."""

from __future__ import annotations

import math
import warnings
from abc import ABC, abstractmethod
from dataclasses import dataclass
from numbers import Integral

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma, polygamma

from kullback.errors import InvalidInputError, TieWarning
from kullback.estimators.density.ties import Column, untied
from kullback.estimators.method import EntropyMethod, Estimate
from kullback.estimators.problem import OneSample

Floats = NDArray[np.float64]


class SpacingForm(ABC):
    """How gaps become an entropy: `terms` has one number a row, whose mean is the estimate."""

    @abstractmethod
    def terms(self, x: Floats, m: int) -> Floats:
        """The terms of sorted values x (n,) with gaps of m to each side."""

    def gap(self, n: int) -> float:
        """The usual m for n rows."""
        return math.sqrt(n)

    @property
    def caution(self) -> float:
        """How many times the step from one m to the next the bias of the form may be."""
        return 1.0


@dataclass(frozen=True)
class Vasicek(SpacingForm):
    r"""The classical form, by default without the bias that it has on the uniform law, whatever n and m.

    $$\frac1n \sum_i \log\Big(\frac{n}{2m}\,(x_{(i+m)} - x_{(i-m)})\Big), \qquad x_{(j)} = x_{(1)}, x_{(n)}
    \text{ beyond the ends}$$

    `corrected=False` is the form of 1976, for which no interval is given. Source: [vasicek1976], [wieczorkowski1999].

    >>> import numpy as np
    >>> x = np.arange(4.0)
    >>> round(float(Vasicek(corrected=False).terms(x, 1).mean()), 6)  # (2 log 2 + 2 log 4) / 4
    1.039721
    """

    corrected: bool = True

    def terms(self, x: Floats, m: int) -> Floats:
        """The logarithms of the gaps, with their means on the uniform law taken off where that is asked."""
        n = len(x)
        terms = np.log(_gaps(x, m))
        if not self.corrected:
            return terms + math.log(n / (2 * m))
        rows = np.arange(n)
        inside = np.minimum(rows + m, n - 1) - np.maximum(rows - m, 0)
        return terms + digamma(n + 1) - digamma(inside)

    def gap(self, n: int) -> float:
        """Without bias of its own the form can afford narrow gaps, which see more of the law."""
        return n ** (1 / 3) if self.corrected else math.sqrt(n)

    @property
    def caution(self) -> float:
        """Uncorrected, biases of opposite sign hide each other from every m."""
        return 1.0 if self.corrected else math.inf


@dataclass(frozen=True)
class VanEs(SpacingForm):
    r"""The one-sided form, which needs no values beyond the ends.

    $$\frac{1}{n-m} \sum_{i \le n-m} \log\Big(\frac{n+1}{m}(x_{(i+m)} - x_{(i)})\Big) + \sum_{k=m}^{n} \frac1k
    + \log\frac{m}{n+1}$$

    Source: [vanes1992].

    >>> import numpy as np
    >>> round(float(VanEs().terms(np.arange(4.0), 1).mean()), 6)  # 1 + 1/2 + 1/3 + 1/4
    2.083333
    """

    def terms(self, x: Floats, m: int) -> Floats:
        """The logarithms of the gaps to the right."""
        n = len(x)
        return np.log(x[m:] - x[:-m]) + digamma(n + 1) - digamma(m)

    @property
    def caution(self) -> float:
        """The values at one end that it leaves out cost more than another m shows."""
        return 2.0


@dataclass(frozen=True)
class Ebrahimi(SpacingForm):
    r"""Vasicek's form with smaller divisors at the ends, where the gaps are cut off.

    $$\frac1n \sum_i \log\Big(\frac{n}{c_i m}(x_{(i+m)} - x_{(i-m)})\Big), \qquad
    c_i = 1 + \frac{\min(i - 1, n - i, m)}{m}$$

    Source: [ebrahimi1994].

    >>> import numpy as np
    >>> round(float(Ebrahimi().terms(np.arange(4.0), 1).mean()), 6)
    1.386294
    """

    def terms(self, x: Floats, m: int) -> Floats:
        """The logarithms of the gaps over their divisors."""
        n = len(x)
        rows = np.arange(n)
        ends = np.minimum(np.minimum(rows, n - 1 - rows), m)
        return np.log(_gaps(x, m) * (n / (m + ends)))


@dataclass(frozen=True)
class Correa(SpacingForm):
    r"""The slope of a line through the 2m + 1 order statistics about each takes the place of the gap.

    $$-\frac1n \sum_i \log \frac{\sum_{|j - i| \le m} (x_{(j)} - \bar x_{(i)})(j - i)}
    {n \sum_{|j - i| \le m} (x_{(j)} - \bar x_{(i)})^2}$$

    Source: [correa1995].

    >>> import numpy as np
    >>> x = np.arange(101.0)  # gaps of 1 everywhere: the middle terms are log 101
    >>> round(float(np.exp(Correa().terms(x, 2)[50])), 6)
    101.0
    """

    def terms(self, x: Floats, m: int) -> Floats:
        """The logarithms of the slopes."""
        n = len(x)
        padded = np.concatenate([np.full(m, x[0]), x, np.full(m, x[-1])])
        offsets = range(-m, m + 1)
        mean = sum(padded[m + j : m + j + n] - x for j in offsets) / (2 * m + 1)
        across, square = np.zeros(n), np.zeros(n)
        for j in offsets:
            away = padded[m + j : m + j + n] - x - mean
            across += j * away
            square += away * away
        return np.log(n * square / across)


@dataclass(frozen=True)
class SpacingEntropy(EntropyMethod):
    r"""The entropy of one continuous column from gaps between order statistics that are m apart.

    $$\hat H = \frac1n \sum_i \log\big(x_{(i+m)} - x_{(i-m)}\big) + \text{terms of } n \text{ and } m$$

    `form` is `Vasicek()` (by default unbiased on uniform laws), `VanEs()`, `Ebrahimi()` or `Correa()`; `m` is the
    nearest integer to √n unless given, for the default form to n^(1/3). Nothing is assumed of the edges of the
    support. The interval is made of the spread of log p, the gaps' own noise, and how far the number moves when m
    is halved or doubled.

    Equal values are spread evenly over their cells, which undoes rounding, with a `TieWarning` where they are a
    tenth of the rows; a value with many more rows than others off any lattice is an atom, and the entropy −inf, as
    of a constant column. Refuses weights, discrete columns and more than one. Raises `InvalidInputError` for fewer
    than 8 rows and for m outside 1 to (n − 1)/2. Source: [vasicek1976], [ebrahimi1994].

    >>> import numpy as np, kullback as kb
    >>> u = (np.arange(1000) + 0.5) / 1000  # uniform on [0, 2]: log 2 is .693
    >>> round(kb.entropy(2 * u, method=kb.estimators.SpacingEntropy()).value, 1)
    0.7
    """

    m: int | None = None
    form: SpacingForm = Vasicek()

    def __post_init__(self) -> None:
        if self.m is not None and (
            isinstance(self.m, bool) or not isinstance(self.m, Integral) or self.m < 1
        ):
            meant = "; a form is passed as form=" if isinstance(self.m, SpacingForm) else ""
            raise InvalidInputError(
                f"m counts order statistics: an integer of at least 1, got {self.m!r}{meant}"
            )
        if not isinstance(self.form, SpacingForm):
            raise InvalidInputError(f"form is Vasicek(), VanEs(), Ebrahimi() or Correa(), got {self.form!r}")

    @property
    def name(self) -> str:
        """The form, and m where it was given."""
        told = type(self.form).__name__ + ("" if self.m is None else f", m={self.m}")
        return f"SpacingEntropy({told})"

    def refusal(self, problem: OneSample) -> str:
        """Why gaps do not serve."""
        if problem.weights is not None:
            return "does not weight rows; leave `weights` out"
        if not problem.x.continuous or problem.x.dimension != 1:
            return (
                f"serves one continuous column, and `{problem.x.name}` is not; nearest neighbours serve more"
            )
        return ""

    def estimate(self, problem: OneSample) -> Estimate:
        """The entropy, with the gaps' own noise and what half and double of m say."""
        n = problem.n
        m = self.m or int(self.form.gap(n) + 0.5)
        if n < 8 or 2 * m >= n:
            raise InvalidInputError(f"gaps of {m} to each side need > {max(7, 2 * m)} rows, got {n}")
        column = untied(problem.x.values[:, 0])
        if column.atom:
            return Estimate(-math.inf, 0.0, notes=column.notes)
        _warn(column, problem.x.name)
        terms = self.form.terms(column.values, m)
        value = float(terms.mean())
        others = [k for k in (max(1, m // 2), 2 * m) if k != m and 2 * k < n]
        bias = max(abs(float(self.form.terms(column.values, k).mean()) - value) for k in others)
        vouched = math.isfinite(self.form.caution)
        bias = bias * self.form.caution if vouched else 0.0
        distrust = (
            "" if vouched else "the bias of the uncorrected form is not seen in the data; take Vasicek()"
        )
        where = problem.x.exponent * math.log(2)
        return Estimate(value + where, _error(terms, n, m), bias, notes=column.notes, distrust=distrust)


def _error(terms: Floats, n: int, m: int) -> float:
    """The spread of log p without the gaps' noise, and what that noise leaves in the mean. Source: [vanes1992]."""
    width = 2 * m
    noise = float(polygamma(1, width))
    left = (2 * width * (width - 1) + 1) * noise - 2 * width + 1
    return math.sqrt((max(float(terms.var()) - noise, 0.0) + max(left, 0.0)) / n)


def _gaps(x: Floats, m: int) -> Floats:
    """From m to the left to m to the right, cut off at the ends."""
    rows = np.arange(len(x))
    return x[np.minimum(rows + m, len(x) - 1)] - x[np.maximum(rows - m, 0)]


def _warn(column: Column, name: str) -> None:
    if column.share > 0.1:
        warnings.warn(
            f"{column.share:.0%} of the rows of `{name}` are tied: rounding is undone as far as it can be; "
            "where the values are counts or classes, declare them discrete",
            TieWarning,
            stacklevel=4,
        )
