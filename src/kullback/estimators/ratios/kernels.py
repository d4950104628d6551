"""Ratios as sums of Gaussian bumps: by least squares, with its leave-one-out error in closed form, or likelihood."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from kullback.divergences import kl
from kullback.errors import ConvergenceError, InvalidInputError
from kullback.estimators.ratios.crossfit import CrossFitted
from kullback.estimators.ratios.features import gaussians, median_distance
from kullback.estimators.ratios.model import LogRatio
from kullback.estimators.ratios.rows import Floats, Rows
from kullback.estimators.ratios.scores import Scores

_WIDTHS = (0.15, 0.3, 0.6, 1.0, 2.0)  # in median distances
_RIDGES = (1e-3, 1e-2, 1e-1, 1.0, 10.0)
_PILOT = 1000  # rows of each sample that choose among them
_SOME = 500  # rows that tell the median distance
_SEEN = 3.0  # rows of q under a bump, below which its mean is noise
_FLOOR = 1e-2  # of the mean ratio: a sum of bumps is 0 far out, where a density ratio is not


@dataclass(frozen=True)
class ULSIF(CrossFitted):
    r"""Divergences by a density ratio fitted with least squares, cross-fitted.

    $$\hat t = \sum_j \theta_j k_j, \qquad \min_\theta\; \tfrac12 E_m[\hat t^2] - E_p[\hat t] + \tfrac{\lambda}{2}
    |\theta|^2, \qquad m = \alpha p + (1 - \alpha) q,$$

    with Gaussian bumps $k_j$ at `centres` rows of p. `width`, in median distances, and `ridge` are chosen by the
    leave-one-out error, which has a closed form, where they are None. `alpha` > 0 fits the relative ratio p/m, bounded
    by 1/α and smoother, and turns it back into p/q. Below 1/100 the ratio is that: bumps vanish far out. Continuous
    columns only. Value, interval and errors are those of `ClassifierRatio`. Source: [kanamori2009], [yamada2013].

    >>> import numpy as np, kullback as kb
    >>> x = np.random.default_rng(0).normal(size=2000)
    >>> answer = kb.estimate(kb.js, x[:1000] + 1.0, x[1000:], method=ULSIF())
    >>> answer.low < 0.1118 < answer.high  # the truth by quadrature
    True
    """

    centres: int = 100
    alpha: float = 0.0
    width: float | None = None
    ridge: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        _check(self.centres, self.width)
        if not 0.0 <= self.alpha < 1.0:
            raise InvalidInputError(
                f"alpha must lie in [0, 1), got {self.alpha!r}; 0 is the ratio p/q itself"
            )
        if self.ridge is not None and not self.ridge > 0:
            raise InvalidInputError(f"ridge must be positive, got {self.ridge!r}, or None to choose it")

    @property
    def name(self) -> str:
        """The method and its mixing weight."""
        return f"uLSIF (alpha={self.alpha:g}, {self.folds} folds)"

    def tuned(self, p: Rows, q: Rows, rng: np.random.Generator) -> ULSIF:
        """With the width and the ridge of the least leave-one-out error on these rows."""
        if self.width is not None and self.ridge is not None:
            return self
        p, q = p.take(rng.permutation(p.n)[:_PILOT]), q.take(rng.permutation(q.n)[:_PILOT])
        widths = _WIDTHS if self.width is None else (self.width,)
        ridges = _RIDGES if self.ridge is None else (self.ridge,)
        centres, unit = _centres(p, q, self.centres, rng)
        best = (math.inf, 0.0, 0.0)
        for width in widths:
            at_p, at_q = (gaussians(rows.values, centres, width * unit) for rows in (p, q))
            for ridge in ridges:
                best = min(best, (_left_out(at_p, at_q, p.mass, q.mass, ridge, self.alpha), width, ridge))
        return replace(self, width=best[1], ridge=best[2])

    def fit(self, p: Rows, q: Rows, rng: np.random.Generator) -> LogRatio:
        """The logarithm of the fitted ratio, not below that of 1/100."""
        centres, unit = _centres(p, q, self.centres, rng)
        assert self.width is not None
        assert self.ridge is not None
        reach, alpha = self.width * unit, self.alpha
        at_p, at_q = (gaussians(rows.values, centres, reach) for rows in (p, q))
        gram, target = _moments(at_p, at_q, p.mass, q.mass, alpha)
        theta = np.linalg.solve(gram + self.ridge * np.eye(len(gram)), target)

        def ratio(rows: Rows) -> Floats:
            relative = np.maximum(gaussians(rows.values, centres, reach) @ theta, _FLOOR)
            if alpha:
                relative = np.minimum(relative, (1.0 - _FLOOR) / alpha)
                return np.log(relative) + math.log1p(-alpha) - np.log1p(-alpha * relative)
            return np.log(relative)

        return ratio


@dataclass(frozen=True)
class KLIEP(CrossFitted):
    r"""Divergences by a density ratio fitted with likelihood, cross-fitted.

    $$\max_{\theta \ge 0}\; E_p \log \hat t, \qquad \hat t = \sum_j \theta_j k_j, \qquad E_q\, \hat t = 1,$$

    with Gaussian bumps $k_j$ at `centres` rows of p: the mixture of the tilted densities $q k_j$ that is nearest to p
    in KL, found by expectation–maximisation, which never descends. `width`, in median distances, is chosen by the
    bound of KL on rows left out where it is None. Continuous columns only. Value, interval and errors are those of
    `ClassifierRatio`. Source: [sugiyama2008].

    >>> import numpy as np, kullback as kb
    >>> x = np.random.default_rng(0).normal(size=2000)
    >>> answer = kb.estimate(kb.js, x[:1000] + 1.0, x[1000:], method=KLIEP())
    >>> answer.low < 0.1118 < answer.high  # the truth by quadrature
    True
    """

    centres: int = 100
    width: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        _check(self.centres, self.width)

    @property
    def name(self) -> str:
        """The method and the number of folds."""
        return f"KLIEP ({self.folds} folds)"

    def tuned(self, p: Rows, q: Rows, rng: np.random.Generator) -> KLIEP:
        """With the width of the largest bound of KL on a quarter of these rows."""
        if self.width is not None:
            return self
        (out_p, p), (out_q, q) = (_quarter(rows, rng) for rows in (p, q))
        seed = int(rng.integers(2**32))

        def bound(width: float) -> float:
            ratio = replace(self, width=width).fit(p, q, np.random.default_rng(seed))
            return Scores(ratio(out_p), ratio(out_q), out_p.weights, out_q.weights).value(kl)

        return replace(self, width=max(_WIDTHS, key=bound))

    def fit(self, p: Rows, q: Rows, rng: np.random.Generator) -> LogRatio:
        """The logarithm of the fitted ratio, not below that of 1/100."""
        centres, unit = _centres(p, q, self.centres, rng)
        assert self.width is not None
        reach = self.width * unit
        mean_q = q.mass @ gaussians(q.values, centres, reach) / q.mass.sum()
        able = mean_q * q.n >= min(_SEEN, mean_q.max() * q.n)
        centres, mean_q = centres[able], mean_q[able]
        theta = _mixture(gaussians(p.values, centres, reach) / mean_q, p.mass / p.mass.sum()) / mean_q
        return lambda rows: np.log(np.maximum(gaussians(rows.values, centres, reach) @ theta, _FLOOR))


def _mixture(densities: Floats, mass: Floats, steps: int = 2000, tolerance: float = 1e-6) -> Floats:
    """The weights of a mixture of known densities, at which no component would gain `tolerance` in mean log-density."""
    share = np.full(densities.shape[1], 1.0 / densities.shape[1])
    densities = densities + np.finfo(float).tiny
    for _ in range(steps):
        pull = (mass / (densities @ share)) @ densities
        if pull.max() < 1.0 + tolerance:
            break
        share = share * pull
    # by the concavity of the likelihood the optimum is at most log max(pull) above
    if pull.max() > 1.05:
        raise ConvergenceError(
            f"KLIEP: the likelihood is {math.log(pull.max()):.2g} from its maximum after {steps} steps"
        )
    return share


def _quarter(rows: Rows, rng: np.random.Generator) -> tuple[Rows, Rows]:
    order = rng.permutation(rows.n)[:_PILOT]
    return rows.take(order[: len(order) // 4]), rows.take(order[len(order) // 4 :])


def _check(centres: int, width: float | None) -> None:
    if isinstance(centres, bool) or not isinstance(centres, int) or centres < 1:
        raise InvalidInputError(f"centres must be a positive integer, got {centres!r}; 100 is usual")
    if width is not None and not width > 0:
        raise InvalidInputError(
            f"width must be positive, in median distances, got {width!r}, or None to choose it"
        )


def _centres(p: Rows, q: Rows, number: int, rng: np.random.Generator) -> tuple[Floats, float]:
    """Some rows of p and the median distance among rows of both, or 1 where all rows are equal."""
    centres = p.values[rng.permutation(p.n)[:number]]
    some = np.concatenate([rows.values[rng.permutation(rows.n)[: _SOME // 2]] for rows in (p, q)])
    return centres, median_distance(some) or 1.0


def _moments(
    at_p: Floats, at_q: Floats, mass_p: Floats, mass_q: Floats, alpha: float
) -> tuple[Floats, Floats]:
    """E_m[k k'] and E_p[k]."""
    gram = (at_q * (mass_q / mass_q.sum())[:, None]).T @ at_q * (1.0 - alpha)
    if alpha:
        gram = gram + alpha * (at_p * (mass_p / mass_p.sum())[:, None]).T @ at_p
    return gram, mass_p @ at_p / mass_p.sum()


def _left_out(
    at_p: Floats, at_q: Floats, mass_p: Floats, mass_q: Floats, ridge: float, alpha: float
) -> float:
    """The mean squared error of the ratio, each row of p and of q in turn left out of the fit (up to a constant)."""
    gram, target = _moments(at_p, at_q, mass_p, mass_q, alpha)
    inverse = np.asarray(np.linalg.inv(gram + ridge * np.eye(len(gram))), dtype=np.float64)
    w_p, w_q = mass_p / mass_p.sum(), mass_q / mass_q.sum()
    theta = inverse @ target
    out_q = _without(at_q, w_q * (1.0 - alpha), at_q @ theta, inverse)
    # a row of p is part of the target too: without it the fit there loses its own bump
    own = np.sum((at_p @ inverse) * at_p, axis=1)
    fit_p = at_p @ theta
    out_p = (fit_p - w_p * own) / (1.0 - alpha * w_p * own) if alpha else (fit_p - w_p * own) / (1.0 - w_p)
    return (
        0.5 * float(w_q @ out_q**2) * (1.0 - alpha) + 0.5 * alpha * float(w_p @ out_p**2) - float(w_p @ out_p)
    )


def _without(at: Floats, share: Floats, fit: Floats, inverse: Floats) -> Floats:
    """The fit at each row when that row's part of the second moments is taken out."""
    lever = np.sum((at @ inverse) * at, axis=1)
    return fit / (1.0 - share * lever)
