"""Cross-fitting: every row is scored by a model that has not seen it, and the scores become an estimate."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np

from kullback.divergences import kl
from kullback.errors import InvalidInputError
from kullback.estimators.method import DivergenceMethod, Estimate
from kullback.estimators.problem import TwoSamples
from kullback.estimators.ratios.beyond import beyond, unlimited
from kullback.estimators.ratios.cells import missed
from kullback.estimators.ratios.finer import finer
from kullback.estimators.ratios.model import RatioModel
from kullback.estimators.ratios.rows import Ints, Rows, folds_of, pair_of
from kullback.estimators.ratios.scores import Scores, direct, read
from kullback.estimators.ratios.views import View, refusal, view

PER_FOLD = 4  # rows of each sample in a fold, at least
_HIDDEN = 2.0  # heavy tails hide about as much again as a model finds beyond the rows of the other law


@dataclass(frozen=True)
class CrossFitted(RatioModel, DivergenceMethod):
    """A method that is a model of the ratio: fitted on all folds but one, in turn, and scored on that one."""

    folds: int = field(default=5, kw_only=True)

    def __post_init__(self) -> None:
        check_folds(self.folds)

    def refusal(self, problem: TwoSamples) -> str:
        """Why there is no average over a ratio, or no model of these columns; empty where there is."""
        return refusal(problem.noun) or self.unfit(not problem.x.continuous)

    def estimate(self, problem: TwoSamples) -> Estimate:
        """The divergence from the scores of rows left out, less the bias that the number of rows explains."""
        p, q = pair_of(problem)
        scores, notes = crossed(self, p, q, self.folds, problem.rng, halves=True)
        seen = view(problem.noun, scores[0].value)
        found = corrected(seen, p, q, scores)
        return replace(found, notes=(*found.notes, *notes))

    def statistic(self, problem: TwoSamples) -> float:
        """The bound's value, which needs one set of models instead of three."""
        p, q = pair_of(problem)
        (scores,), _ = crossed(self, p, q, self.folds, problem.rng, halves=False)
        seen = view(problem.noun, scores.value)
        return read(seen, scores if seen.order is None else scores.shared)[0]


def check_folds(folds: int) -> None:
    """Raise unless there are at least two folds."""
    if isinstance(folds, bool) or not isinstance(folds, int) or folds < 2:
        raise InvalidInputError(f"folds must be an integer of at least 2, got {folds!r}; 5 is usual")


def corrected(seen: View, p: Rows, q: Rows, scores: tuple[Scores, ...]) -> Estimate:
    """The estimate without the bias that halving the rows of the models doubles, which is left as a doubt too.

    That bias is what fitted coefficients cost, inverse to the number of rows; how far the models of the halves differ
    tells the noise of the fit, and what no number of rows mends is judged in cells and beyond the rows of either law.
    A Rényi divergence is read off scores that both samples reach, because the powers of others are what makes it wild.
    """
    d, full = seen.inner, scores[0]
    found = direct(seen, full)
    held = scores if seen.order is None else tuple(s.shared for s in scores)
    (value, error), (first, _), (second, _) = (read(seen, s) for s in held)
    drift, gap = value - 0.5 * (first + second), 0.5 * (first - second)
    if not math.isfinite(drift):
        return replace(found, distrust=found.distrust or "models of half the rows give no finite number")
    far, pace = beyond(d, full), seen.pace(value)
    unseen = pace * math.hypot(missed(d, p, q, full), _HIDDEN * far)
    drift_of_kl = full.value(kl) - 0.5 * sum(half.value(kl) for half in scores[1:])
    reason = finer(p, q, full, abs(drift_of_kl)) or unlimited(d, pace * far, error)
    return replace(
        found,
        value=value + (drift if seen.order is None else _clear(drift, gap)),
        standard_error=error,
        bias_error=math.hypot(drift, gap, unseen),
        distrust=found.distrust or reason,
    )


def _clear(drift: float, gap: float) -> float:
    """The part of a drift that stands out of the noise of the fit."""
    return drift**3 / (drift**2 + gap**2) if drift else 0.0


def crossed(
    model: RatioModel, p: Rows, q: Rows, folds: int, rng: np.random.Generator, *, halves: bool
) -> tuple[tuple[Scores, ...], tuple[str, ...]]:
    """Scores of every row by models of the other folds, by models of each half of those if asked, and notes."""
    need = folds * PER_FOLD
    if min(p.n, q.n) < need:
        raise InvalidInputError(
            f"{folds} folds need at least {need} rows of each sample, got {p.n} and {q.n}; use fewer folds"
        )
    fold_p, fold_q, notes = folds_of(p, q, folds, rng)
    at = [(np.empty(p.n), np.empty(q.n)) for _ in range(3 if halves else 1)]
    for k in range(folds):
        out_p, out_q = fold_p == k, fold_q == k
        train = p.take(~out_p), q.take(~out_q)
        tuned = model.tuned(*train, rng)
        half_p, half_q = (halves_of(np.arange(rows.n), rng) if halves else () for rows in train)
        parts = [train, *((train[0].take(a), train[1].take(b)) for a, b in zip(half_p, half_q, strict=True))]
        for (at_p, at_q), part in zip(at, parts, strict=True):
            ratio = tuned.fit(*part, rng)
            at_p[out_p], at_q[out_q] = ratio(p.take(out_p)), ratio(q.take(out_q))
    return tuple(Scores(*both, p.weights, q.weights) for both in at), notes


def halves_of(rows: Ints, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """The rows in two parts at random."""
    order = rng.permutation(rows)
    return order[: len(rows) // 2], order[len(rows) // 2 :]
