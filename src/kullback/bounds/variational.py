"""Lower bounds of divergences and of mutual information as functions of a critic's scores on samples.

Scores come as arrays of any library, gradients included; means are over all of an array's entries, each of them a draw.
A bound is an expectation's: on a finite sample its value scatters around something that is below the truth.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from kullback._ops import Array, Namespace, ops
from kullback.divergences import FDivergence, js, kl
from kullback.errors import InvalidInputError, ShapeError


@dataclass(frozen=True)
class VariationalBound:
    r"""A lower bound from scores, and the most that it can ever be: $\text{value} \le \text{cap}$.

    `value` is a number of the scores' library that carries their gradients, in nats; `cap` is a float, infinite where
    none is known. Near its cap a bound says little of the truth, which may be far above.

    >>> float(info_nce([[4.0, 0.0], [0.0, 4.0]])) < info_nce([[4.0, 0.0], [0.0, 4.0]]).cap
    True
    """

    value: Array
    cap: float

    @property
    def saturated(self) -> bool:
        """Whether the value is above nine tenths of the cap."""
        return float(self) > 0.9 * self.cap

    def __float__(self) -> float:
        xp = ops(self.value)
        return float(xp.to_numpy(xp.detach(xp.asarray(self.value))))


def fenchel(d: FDivergence, scores_p: Array, scores_q: Array) -> VariationalBound:
    r"""The bound of D_f by a critic T, $D_f(p \| q) \ge E_p T - E_q f^*(T)$, attained by $T = f'(p/q)$.

    `scores_p` and `scores_q` are T on draws of p and of q, any shapes. A T outside the domain of f* gives −inf; use
    `by_log_ratio` for critics of unbounded range. The cap is the largest value of D_f.

    Source: [nguyen2010].

    >>> import kullback as kb
    >>> round(float(fenchel(kb.total_variation, [0.5, 0.5], [0.5, -0.5, -0.5, -0.5])), 6)  # TV of (1, 0), (1/4, 3/4)
    0.75
    """
    xp, p, q = _scores(scores_p, scores_q)
    return VariationalBound(_mean(xp, p) - _mean(xp, d.conjugate(q)), d.upper_bound)


def by_log_ratio(d: FDivergence, scores_p: Array, scores_q: Array) -> VariationalBound:
    r"""The same bound by a critic v of the log-ratio, with $T = f'(e^v)$: every real v is allowed.

    $$D_f(p \| q) \ge E_p f'(e^v) - E_q\left[e^v f'(e^v) - f(e^v)\right],$$

    attained by v = log p/q. For `js` it is log 2 less the cross-entropy of a classifier with logits v. The cap is the
    largest value of D_f.

    Source: [nguyen2010], [nowozin2016].

    >>> import kullback as kb
    >>> round(float(by_log_ratio(kb.js, [0.0, 0.0], [0.0])), 6)
    0.0
    """
    xp, p, q = _scores(scores_p, scores_q)
    return VariationalBound(_mean(xp, d.slope(p)) + _mean(xp, d.tilt(q)), d.upper_bound)


def donsker_varadhan(scores_p: Array, scores_q: Array) -> VariationalBound:
    r"""The bound $\mathrm{KL}(p \| q) \ge E_p T - \log E_q e^T$, attained by T = log p/q plus any constant.

    No cap; on a sample the logarithm of the mean is too small on average, and with it the value too large.

    Source: [donsker1983].

    >>> round(float(donsker_varadhan([0.0, 0.0], [0.0])), 6)
    0.0
    """
    xp, p, q = _scores(scores_p, scores_q)
    return VariationalBound(_mean(xp, p) - _log_mean_exp(xp, q), math.inf)


def nwj(scores_p: Array, scores_q: Array) -> VariationalBound:
    r"""The bound $\mathrm{KL}(p \| q) \ge E_p T - E_q e^{T - 1}$, attained by T = 1 + log p/q.

    Of Nguyen, Wainwright and Jordan; unbiased on samples, without a cap.

    Source: [nguyen2010].

    >>> float(nwj([1.0, 1.0], [1.0]))
    0.0
    """
    _, p, q = _scores(scores_p, scores_q)
    return fenchel(kl, p - 1.0, q - 1.0)


def jensen_shannon(logits_p: Array, logits_q: Array) -> VariationalBound:
    r"""The bound of the Jensen–Shannon divergence by a classifier with logits v.

    $$\mathrm{JS}(p \| q) \ge \log 2 - \tfrac12 \left[E_p \log(1 + e^{-v}) + E_q \log(1 + e^v)\right]$$

    Attained by v = log p/q; capped by log 2. `kb.bound(kb.kl, given=kb.js, at=...)` turns it into one of KL.

    Source: [nowozin2016].

    >>> round(float(jensen_shannon([800.0], [-800.0])), 6)
    0.693147
    """
    return by_log_ratio(js, logits_p, logits_q)


def info_nce(scores: Array) -> VariationalBound:
    r"""The contrastive bound of mutual information from a square matrix of scores, own pairs on its diagonal.

    $$I(X; Y) \ge \log n + \frac1n \sum_i \left[s_{ii} - \log \sum_j e^{s_{ij}}\right]$$

    `scores[i, j]` is the score of x_i with y_j for n independent pairs. Capped by log n, however much there is to know.

    Source: [oord2018], [poole2019].

    >>> round(float(info_nce([[0.0, 0.0], [0.0, 0.0]])), 6)
    0.0
    """
    xp = ops(scores)
    s = _float(xp, scores)
    if s.ndim != 2 or s.shape[0] != s.shape[1]:
        raise ShapeError(
            f"`scores` has shape {tuple(s.shape)}; expected a square matrix, own pairs on its diagonal"
        )
    n = int(s.shape[0])
    own = xp.stack([s[i, i] for i in range(n)])
    return VariationalBound(math.log(n) + _mean(xp, own - xp.logsumexp(s)[..., 0]), math.log(n))


def interpolated(
    joint: Array,
    independent: Array,
    *,
    alpha: float,
    baseline_joint: Array = 0.0,
    baseline_independent: Array = 0.0,
) -> VariationalBound:
    r"""The bound of mutual information between NWJ (α = 0) and contrast (α = 1): a higher cap for more variance.

    $$I(X; Y) \ge 1 + E\left[\log \frac{e^{s_1}}{\alpha m + (1 - \alpha) b}\right]
    - E'\left[\frac{m}{\alpha m + (1 - \alpha) b}\right], \qquad m = \frac1K \sum_k e^{s_k}.$$

    Rows hold the scores of one y with K independent x: of `joint` the first x is y's own, of `independent` none is. `b`
    is a baseline for the normaliser, given by its logarithm as a function of y (0 or an entry a row). Capped by
    log(K/α).

    Source: [poole2019].

    >>> round(float(interpolated([[0.0, 0.0]], [[0.0, 0.0]], alpha=0.5)), 6)
    0.0
    """
    if not 0 <= alpha <= 1:
        raise InvalidInputError(f"`alpha` is {alpha!r}; expected a number from 0 to 1")
    xp, own, other = _scores(joint, independent)
    if own.ndim != 2 or other.ndim != 2 or own.shape[1] != other.shape[1]:
        raise ShapeError(
            f"`joint` has shape {tuple(own.shape)}, `independent` {tuple(other.shape)}; expected rows of K scores each"
        )
    k = int(own.shape[1])
    mixed, _ = _mixed(xp, own, alpha, baseline_joint)
    mixed_other, mean_other = _mixed(xp, other, alpha, baseline_independent)
    value = 1.0 + _mean(xp, own[:, 0] - mixed) - _mean(xp, xp.exp(mean_other - mixed_other))
    return VariationalBound(value, math.log(k / alpha) if alpha > 0 else math.inf)


def _mixed(xp: Namespace, scores: Array, alpha: float, baseline: Array) -> tuple[Array, Array]:
    """log(α m + (1 − α) b) and log m, a row each."""
    mean = xp.logsumexp(scores)[..., 0] - math.log(int(scores.shape[1]))
    base = xp.zeros_like(mean) + baseline
    if alpha in (0, 1):
        return (mean if alpha else base), mean
    both = xp.stack([mean + math.log(alpha), base + math.log1p(-alpha)])
    return xp.logsumexp(xp.moveaxis(both, 0, -1))[..., 0], mean


def _scores(scores_p: Array, scores_q: Array) -> tuple[Namespace, Array, Array]:
    xp = ops(scores_p, scores_q)
    p, q = _float(xp, scores_p), _float(xp, scores_q)
    for name, x in (("first", p), ("second", q)):
        if math.prod(x.shape) == 0:
            raise InvalidInputError(f"the {name} array of scores is empty; a mean needs at least one draw")
    return xp, p, q


def _float(xp: Namespace, x: Array) -> Array:
    x = xp.asarray(x)
    return (
        x
        if xp.kind(x) == "float" and xp.precision(x) >= 32
        else xp.to_float(x, 64 if xp.kind(x) != "float" else 32)
    )


def _mean(xp: Namespace, x: Array) -> Array:
    flat = x.reshape(-1)
    return xp.sum(flat) / flat.shape[0]


def _log_mean_exp(xp: Namespace, x: Array) -> Array:
    flat = x.reshape(-1)
    return xp.logsumexp(flat)[0] - math.log(flat.shape[0])
