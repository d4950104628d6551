"""From log-ratio scores at rows that the model has not seen to an estimate with a standard error."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from kullback.divergences import FDivergence, Noun
from kullback.errors import InvalidInputError, ShapeError, UnsupportedPairError
from kullback.estimators.method import Estimate
from kullback.estimators.ratios.views import LogMean, View, refusal, view
from kullback.exact.pareto import term_k

Floats = NDArray[np.float64]
_HEAVY, _DOUBTFUL = 0.7, 0.5  # tail indices above which a mean, and its standard error, are noise
_ATOM = 5  # rows with the largest term: it was seen so often that no larger one is hidden
_OVERLAP = 8.0  # rows on the other law's side, below which an unbounded divergence rests on the model alone


@dataclass(frozen=True)
class Scores:
    """Estimated log p/q at independent rows of p and of q; weights of any total, None for equal ones."""

    at_p: Floats
    at_q: Floats
    weights_p: Floats | None = None
    weights_q: Floats | None = None

    def __post_init__(self) -> None:
        for name, at, weights in (
            ("p", self.at_p, self.weights_p),
            ("q", self.at_q, self.weights_q),
        ):
            if at.ndim != 1 or len(at) < 2:
                raise ShapeError(f"the scores at rows of {name} have shape {at.shape}; expected (n,), n >= 2")
            if not np.all(np.isfinite(at)):
                raise InvalidInputError(
                    f"{int((~np.isfinite(at)).sum())} scores at rows of {name} are not finite"
                )
            if weights is not None and weights.shape != at.shape:
                raise ShapeError(f"{len(at)} scores at rows of {name}, but weights of shape {weights.shape}")

    def average(self, over_p: Floats, over_q: Floats) -> tuple[float, float]:
        """The sum of the means of both terms, and its standard error."""
        p, var_p = mean(over_p, self.weights_p)
        q, var_q = mean(over_q, self.weights_q)
        return p + q, math.sqrt(var_p + var_q)

    @property
    def shared(self) -> Scores:
        """The same within the range that rows of both laws reach; beyond it one law's rows are all that is known."""
        low = max(self.at_p.min(), self.at_q.min())
        high = max(low, min(self.at_p.max(), self.at_q.max()))
        return replace(self, at_p=np.clip(self.at_p, low, high), at_q=np.clip(self.at_q, low, high))

    def value(self, d: FDivergence) -> float:
        """E_p f'(e^r) + E_q [f(e^r) − e^r f'(e^r)]: the one-step corrected plug-in, and the variational bound."""
        return self.average(*_terms(d, self))[0]


def mean(terms: Floats, weights: Floats | None) -> tuple[float, float]:
    """A weighted mean and its variance."""
    n = len(terms)
    w = np.full(n, 1.0 / n) if weights is None else weights / weights.sum()
    centre = float(w @ terms)
    share = float(w @ w)
    variance = float((w * w) @ (terms - centre) ** 2) / (1.0 - share) if share < 1.0 else math.inf
    return centre, variance


def from_scores(
    noun: Noun,
    at_p: Floats,
    at_q: Floats,
    *,
    weights_p: Floats | None = None,
    weights_q: Floats | None = None,
) -> Estimate:
    r"""The divergence of p from q, from scores r that estimate log p/q at rows of both, unseen by the model.

    $$\hat D_f = \hat E_p\, f'(e^{r}) + \hat E_q \left[f(e^{r}) - e^{r} f'(e^{r})\right]$$

    This is the plug-in $\hat E_q f(e^r)$ with its first-order correction, so the error of r enters squared and the
    standard error is that of the two means; it is the variational bound too, so its expectation is at most D_f. The
    value is unbiased for that bound, and an estimate of D_f as good as the squared error of r is small. Shapes (n,) and
    (m,), nats. Rényi, Bhattacharyya and Chernoff are logarithms of the same two averages, finite for any scores:
    $\frac{a}{a - 1} \log \hat E_p\, e^{(a - 1) r} - \log \hat E_q\, e^{a r}$. Raises `UnsupportedPairError` for
    others, `ShapeError` or `InvalidInputError` for scores that are not finite.
    Source: [nguyen2010], [kandasamy2015], [birrell2021].

    >>> import numpy as np, kullback as kb
    >>> same = from_scores(kb.js, np.zeros(4), np.zeros(4))
    >>> same.value, same.standard_error
    (0.0, 0.0)
    """
    reason = refusal(noun)
    if reason:
        raise UnsupportedPairError(reason)
    scores = Scores(
        np.asarray(at_p, dtype=np.float64), np.asarray(at_q, dtype=np.float64), weights_p, weights_q
    )
    seen = view(noun, scores.value)
    return direct(seen, scores)


def direct(seen: View, scores: Scores) -> Estimate:
    """The estimate of a divergence, distrusted where its tails or the overlap do not carry an interval."""
    over_p, over_q = _terms(seen.inner, scores)
    value, error = read(seen, scores)
    if not (math.isfinite(value) and math.isfinite(error)):
        return Estimate(
            value, math.inf, distrust="the terms of this divergence exceed the largest number here"
        )
    index = _tail(scores, over_p, over_q)
    notes = seen.notes
    if _DOUBTFUL < index <= _HEAVY:
        told = f"Pareto k of the terms is {index:.2f}, above {_DOUBTFUL}: the interval may be too short"
        notes = (told, *notes)
    return Estimate(value, error, distrust=_reason(seen.inner, scores, index), notes=notes)


def read(seen: View, scores: Scores) -> tuple[float, float]:
    """The divergence at these scores, and its standard error."""
    if seen.order is None:
        return scores.average(*_terms(seen.inner, scores))
    return seen.of_logs(
        _log_mean((seen.order - 1.0) * scores.at_p, scores.weights_p),
        _log_mean(seen.order * scores.at_q, scores.weights_q),
    )


def _log_mean(exponents: Floats, weights: Floats | None) -> LogMean:
    top = float(exponents.max())
    centre, variance = mean(np.exp(exponents - top), weights)
    return top + math.log(centre), math.sqrt(variance) / centre


def _terms(d: FDivergence, scores: Scores) -> tuple[Floats, Floats]:
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(d.slope(scores.at_p)), np.asarray(d.tilt(scores.at_q))


def _tail(scores: Scores, over_p: Floats, over_q: Floats) -> float:
    """The heavier tail index of the terms, as weighted; NaN for atoms, which end in no tail."""
    indices = (
        _index(over_p if scores.weights_p is None else over_p * scores.weights_p, scores.at_p),
        _index(over_q if scores.weights_q is None else over_q * scores.weights_q, scores.at_q),
    )
    return max((k for k in indices if not math.isnan(k)), default=math.nan)


def _index(terms: Floats, at: Floats) -> float:
    sizes = np.abs(terms)
    return math.nan if np.sum(sizes == sizes.max()) >= _ATOM else term_k(terms, at)


def _reason(d: FDivergence, scores: Scores, index: float) -> str:
    if index > _HEAVY:
        return f"the terms have Pareto k {index:.2f} above {_HEAVY}: rare rows that are not here would decide the mean"
    crossed = np.sum(scores.at_p < 0) + np.sum(scores.at_q > 0)
    shared = np.any(scores.at_p) or np.any(scores.at_q)
    if not d.bounded and shared and crossed < _OVERLAP:
        return (
            f"only {int(crossed)} rows lie where the other sample is denser: {d.name} has no upper limit there, and "
            "the value is a lower bound's; use a bounded divergence such as js"
        )
    return ""
