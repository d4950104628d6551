"""The cross-entropy method: probabilities of events too rare to be drawn, reached over a ladder of levels."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from kullback._ops import Array
from kullback.answer import Answer
from kullback.errors import ConvergenceError, InvalidInputError, ShapeError
from kullback.exact.importance import weighted_means
from kullback.exact.proposals import NormalMixture, fitted

_STAGES = 100
_PATIENCE = 10  # stages without progress before it is called a dead end
_SHARES = (0.45, 0.45, 0.1)


def rare_event(
    score: Callable[[np.ndarray], np.ndarray],
    threshold: float,
    *,
    mean: Array,
    covariance: Array,
    quantile: float = 0.1,
    n: int = 2000,
    final: int = 10_000,
    level: float = 0.95,
    seed: int = 0,
) -> Answer:
    r"""The probability $P(S(X) \ge \gamma)$ of a rare event under a normal law, by the cross-entropy method.

    $$g_{t+1} = \arg\min_{g\ \text{normal}} \mathrm{KL}\left(f\,1\{S \ge \gamma_t\}\ \text{normalised} \,\|\, g\right),
    \qquad \gamma_t = \min(\gamma,\ \text{upper } \rho\text{-quantile of } S \text{ under } g_t)$$

    until the level γ_t reaches `threshold`; `quantile` is ρ and `n` the draws of a stage. Draws are of a mixture of
    that normal law, of the nominal law moved to its mean, which keeps weights small beyond the event, and of the
    nominal law. The answer is of `final` fresh draws of the last mixture, with its components as control variates.
    `score` takes points of shape (n, d) and returns (n,); `mean` has shape (d,), `covariance` (d, d). The interval is
    Student's; none where the weighted hits have a Pareto k above 0.7, with the reason in the notes. An event of several
    parts far from each other needs a normal law that covers them: parts that no stage drew are missing without a trace.

    Raises `ConvergenceError`, naming the level reached, where the levels stop rising; `InvalidInputError` and
    `ShapeError` for arguments and scores that cannot be used. Source: [deboer2005], [owen2000].

    >>> tail = rare_event(lambda x: x[:, 0], 4.0, mean=[0.0], covariance=[[1.0]], seed=1)  # exact: 3.167e-5
    >>> tail.low < 3.167e-5 < tail.high, f"{tail.value:.0e}"
    (True, '3e-05')
    """
    if not (
        0.0 < quantile < 0.5 and n >= 50 and final >= 50 and 0.0 < level < 1.0 and math.isfinite(threshold)
    ):
        raise InvalidInputError(
            "rare_event needs a finite threshold, 0 < quantile < 0.5, n and final >= 50, 0 < level < 1; got "
            f"threshold={threshold!r}, quantile={quantile!r}, n={n!r}, final={final!r}, level={level!r}"
        )
    nominal = NormalMixture.normal(mean, covariance)
    rng = np.random.default_rng(seed)
    mixture, stages = _climbed(score, threshold, nominal, quantile, n, rng)
    x = mixture.draw(final, rng)
    hits = (_scores(score, x) >= threshold).astype(np.float64)[:, None]
    method = f"cross-entropy method, {stages} stages of {n} draws"
    (answer,) = weighted_means(nominal.log_density(x), hits, mixture, x, True, level, method)
    share = f"{int(hits.sum())} of {final} draws hit the event"
    return replace(answer, unit="probability", notes=(share, *answer.notes))


def _climbed(
    score: Callable[[np.ndarray], np.ndarray],
    threshold: float,
    nominal: NormalMixture,
    quantile: float,
    n: int,
    rng: np.random.Generator,
) -> tuple[NormalMixture, int]:
    """The last stage's proposal, around the nominal law given the event, and the number of stages."""
    proposal, best, waited = nominal, -math.inf, 0
    for stage in range(1, _STAGES + 1):
        x = proposal.draw(n, rng)
        s = _scores(score, x)
        reached = min(threshold, float(np.quantile(s, 1.0 - quantile)))
        elite = s >= reached
        law = fitted(x[elite], nominal.log_density(x[elite]) - proposal.log_density(x[elite]))
        proposal = _widened(law, nominal)
        if reached >= threshold:
            return proposal, stage
        best, waited = (reached, 0) if reached > best else (best, waited + 1)
        if waited == _PATIENCE:
            break
    raise ConvergenceError(
        f"the levels stopped rising at {best:.6g}, short of the threshold {threshold:.6g}, after {stage} stages; draw "
        "more a stage (n), or check that the score can reach the threshold"
    )


def _widened(law: NormalMixture, nominal: NormalMixture) -> NormalMixture:
    """The fitted law, the nominal one moved to it, and the nominal one: alone, the first is too narrow further out."""
    return NormalMixture(
        np.concatenate([law.means, law.means, nominal.means]),
        np.concatenate([law.factors, nominal.factors, nominal.factors]),
        np.array(_SHARES),
    )


def _scores(score: Callable[[np.ndarray], np.ndarray], x: np.ndarray) -> np.ndarray:
    s = np.asarray(score(x.copy()), dtype=np.float64)
    if s.shape != (len(x),):
        raise ShapeError(f"score returned shape {s.shape} for {len(x)} points; expected ({len(x)},)")
    if np.any(np.isnan(s)):
        raise InvalidInputError(f"score is NaN at the point {x[int(np.argmax(np.isnan(s)))].tolist()}")
    return s
