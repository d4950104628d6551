"""The entropy of rows with columns of both kinds, by the chain rule: of the classes, and of the values within each."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np

from kullback.errors import InvalidInputError
from kullback.estimators.counts import ChaoWangJost
from kullback.estimators.method import EntropyMethod, Estimate
from kullback.estimators.nearest_entropy import KozachenkoLeonenko
from kullback.estimators.problem import OneSample
from kullback.estimators.strata import Floats
from kullback.estimators.weighting import shares


@dataclass(frozen=True)
class ChainedEntropy(EntropyMethod):
    r"""The entropy of rows that have classes c and continuous values v, from a method for each.

    $$H(c, v) = H(c) + \sum_c p(c)\, h(v \mid c) = -\sum_c \int p(c, v) \log p(c, v)\, dv$$

    The density is that with respect to counting times Lebesgue measure: so the number depends on the unit of v, and can
    be negative, as a differential entropy does and is. `classes` is the method for the first term, `values` that for
    each part of the second; in nats. The standard error adds those of the parts to that of the shares of the classes,
    whose slope is $h_c - \log p_c$.

    Refuses columns of one kind, and what one of the methods refuses. Where the values of a class have an atom, the
    value is −inf. Raises `InvalidInputError` where a class has too few rows for `values`, and names it.
    Source: [cover2006], [nair2006].

    >>> import numpy as np, polars as pl, kullback as kb
    >>> from scipy.special import ndtri
    >>> v = ndtri((np.arange(1000) + 0.5) / 1000)  # normal, 1.4189, in each of two classes: log 2 + 1.4189 = 2.112
    >>> rows = pl.DataFrame({"c": np.repeat(["a", "b"], 1000), "v": np.tile(v, 2)})
    >>> answer = kb.entropy(rows, method=ChainedEntropy(values=kb.estimators.KDEEntropy()))
    >>> abs(answer.value - 2.112) < 0.02
    True
    """

    classes: EntropyMethod = field(default_factory=ChaoWangJost)
    values: EntropyMethod = field(default_factory=KozachenkoLeonenko)

    @property
    def name(self) -> str:
        """The name in an answer."""
        return f"{self.classes.name}, then {self.values.name} within classes"

    def refusal(self, problem: OneSample) -> str:
        """Why the rows do not split into classes and values."""
        if not problem.x.mixed:
            return f"is for columns of both kinds; for one kind take {self.classes.name} or {self.values.name} alone"
        return self.classes.refusal(_codes(problem)) or self.values.refusal(_numbers(problem))

    def estimate(self, problem: OneSample) -> Estimate:
        """Both terms, and how sure."""
        assert problem.x.codes is not None
        whole = self.classes.estimate(_codes(problem))
        w = shares(problem.weights, problem.n)
        p: Floats = np.bincount(problem.x.codes, w).astype(np.float64)
        parts = [self._part(problem, code) for code in range(problem.x.classes)]
        within = np.array([part.value for part in parts])
        value = whole.value + float(p @ within)
        notes = tuple(dict.fromkeys(note for part in (whole, *parts) for note in part.notes))
        distrust = next((part.distrust for part in (whole, *parts) if part.distrust), "")
        if not math.isfinite(value):
            return Estimate(
                value, 0.0, distrust=distrust, notes=(*notes, "a class has an atom among its values")
            )
        slope = within - np.log(p)
        # near equal classes the slopes vanish and their method knows what is left
        noise = max(float(w @ w) * _variance(p, slope), whole.standard_error**2)
        noise += float(p**2 @ np.array([part.standard_error**2 for part in parts]))
        left = float(p @ np.array([part.bias_error for part in parts]))
        error = math.hypot(whole.bias_error, left)
        return Estimate(value, math.sqrt(noise), error, distrust=distrust, notes=notes)

    def _part(self, problem: OneSample, code: int) -> Estimate:
        """The differential entropy in one class."""
        inside = _numbers(problem).take(problem.x.codes == code)
        try:
            return self.values.estimate(inside)
        except InvalidInputError as error:
            raise InvalidInputError(
                f"class {code} (of the discrete columns, in sorted order) has {inside.n} rows: {error}"
            ) from error


def _numbers(problem: OneSample) -> OneSample:
    """The question about the continuous columns alone."""
    return replace(problem, x=replace(problem.x, codes=None, classes=0))


def _codes(problem: OneSample) -> OneSample:
    return replace(problem, x=replace(problem.x, values=np.empty((problem.n, 0))))


def _variance(p: Floats, slope: Floats) -> float:
    return float(p @ (slope - p @ slope) ** 2)
