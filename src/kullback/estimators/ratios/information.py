"""f-informations by the ratio of the joint density to the product of its margins."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np

from kullback.divergences import FDivergence, kl
from kullback.errors import InvalidInputError
from kullback.estimators.method import Estimate, InformationMethod
from kullback.estimators.problem import JointSample
from kullback.estimators.ratios.crossfit import PER_FOLD, corrected, halves_of
from kullback.estimators.ratios.model import RatioModel
from kullback.estimators.ratios.modelled import Modelled
from kullback.estimators.ratios.rows import Floats, Ints, Rows, folds_of, in_order, standardised
from kullback.estimators.ratios.scores import Scores
from kullback.estimators.ratios.views import View
from kullback.estimators.strata import average, strata, within

_SHIFTS = 4  # product pairs for each joint row


@dataclass(frozen=True)
class RatioInformation(Modelled, InformationMethod):
    r"""Any f-information of a joint sample by the ratio of its density to that of independent pairs, cross-fitted.

    $$I_f(X; Y) = D_f(p_{xy} \| p_x p_y), \qquad r(x, y) = \log \frac{p_{xy}(x, y)}{p_x(x)\, p_y(y)}$$

    `model` is `ClassifierRatio(...)`, `ULSIF(...)`, `KLIEP(...)`, or None for the default classifier. Independent pairs
    join each row of x to the y of four other rows of its fold, by cyclic shifts of a random order drawn from the seed,
    so that no pair is one of the sample. The standard error counts that pairs share rows. Any columns with the default
    model, continuous ones with bumps; weights multiply rows. In expectation the value before its correction is at most
    the information; errors are those of `ClassifierRatio`. A discrete `given` makes strata, each with a model of its
    own, whose average is taken: $E_z D_f(p_{xy|z} \| p_{x|z} p_{y|z})$; a continuous one is refused. Source:
    [nguyen2010], [kandasamy2015].

    >>> import numpy as np, kullback as kb
    >>> x, noise = np.random.default_rng(0).normal(size=(2, 1000))
    >>> answer = kb.mutual_information(x, x + noise, method=RatioInformation())  # exactly log(2)/2
    >>> answer.low < 0.34657 < answer.high
    True
    """

    @property
    def name(self) -> str:
        """The method and its model."""
        return f"ratio information ({self.used.name})"

    def refusal(self, problem: JointSample) -> str:
        """Why the model does not serve these columns; empty where it does."""
        if problem.given is not None and not problem.given.discrete:
            return (
                "within a continuous `given` there are no independent pairs to compare with; cut it into classes, "
                "kind_given='discrete', or for kl take ConditionalKSG"
            )
        return self.used.unfit(not problem.continuous)

    def estimate(self, problem: JointSample) -> Estimate:
        """The information from scores of rows left out, less the bias that the number of rows explains."""
        if problem.given is not None:
            return within(problem, self.estimate)
        pairs, scores, notes = _crossed(self.used, problem, self.folds, halves=True)
        found = corrected(View(_noun(problem)), *pairs, scores)
        return replace(found, notes=(*found.notes, *notes))

    def statistic(self, problem: JointSample) -> float:
        """The bound's value, which needs one set of models instead of three."""
        if problem.given is not None:
            parts = strata(problem)
            return average([self.statistic(part) for part in parts], parts)
        return _crossed(self.used, problem, self.folds, halves=False)[1][0].value(_noun(problem))


def _noun(problem: JointSample) -> FDivergence:
    return kl if problem.divergence is None else problem.divergence


@dataclass(frozen=True)
class PairedScores(Scores):
    """Scores at joint rows and at pairs of their parts: pair i joins the x of row `of_x[i]` to the y of `of_y[i]`."""

    of_x: Ints = field(kw_only=True)
    of_y: Ints = field(kw_only=True)

    def average(self, over_p: Floats, over_q: Floats) -> tuple[float, float]:
        """The sum of both means, its error from what each joint row contributes to them as itself, as x and as y."""
        n = len(over_p)
        w = np.full(n, 1.0 / n) if self.weights_p is None else self.weights_p / self.weights_p.sum()
        pairs = np.ones(len(over_q)) if self.weights_q is None else self.weights_q
        value_p, value_q = float(w @ over_p), float(np.average(over_q, weights=pairs))
        part = over_p - value_p
        for rows in (self.of_x, self.of_y):
            part = part + np.bincount(rows, pairs * (over_q - value_q), n) / np.bincount(rows, pairs, n)
        return value_p + value_q, math.sqrt(float((w * w) @ part**2) / (1.0 - float(w @ w)))


def _read(problem: JointSample) -> tuple[Rows, Rows]:
    """Rows of x and of y, in an order of their own."""
    x, y = (Rows(standardised(s.values), s.codes, s.classes) for s in (problem.x, problem.y))
    weights = None if problem.weights is None else problem.weights / problem.weights.mean()
    order = in_order(np.column_stack([np.ones(problem.n) if weights is None else weights, x.table, y.table]))
    return replace(x, weights=weights).take(order), y.take(order)


def _joined(x: Rows, y: Rows, of_x: Ints, of_y: Ints, *, paired: bool) -> Rows:
    """Rows of both variables; weights are the rows' own, or of independent pairs their products."""
    a, b = x.take(of_x), y.take(of_y)
    codes, classes = (a.codes, a.classes) if b.codes is None else (b.codes, b.classes)
    if a.codes is not None and b.codes is not None:
        codes, classes = a.codes * b.classes + b.codes, a.classes * b.classes
    weights = a.weights
    if weights is not None and not paired and x.weights is not None:
        weights = weights * x.weights[of_y]
    return Rows(np.column_stack([a.values, b.values]), codes, classes, weights)


def _shifted(rows: Ints, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Pairs of different rows, each row equally often on either side."""
    order = rng.permutation(rows)
    shifts = 1 + rng.permutation(len(rows) - 1)[:_SHIFTS]
    return np.tile(order, len(shifts)), np.concatenate([np.roll(order, -s) for s in shifts])


def _crossed(
    model: RatioModel, problem: JointSample, folds: int, *, halves: bool
) -> tuple[tuple[Rows, Rows], tuple[Scores, ...], tuple[str, ...]]:
    """Joint rows and independent pairs, their scores by models of other rows, and notes."""
    rng, (x, y) = problem.rng, _read(problem)
    if x.n < folds * PER_FOLD:
        raise InvalidInputError(
            f"{folds} folds need at least {folds * PER_FOLD} rows, got {x.n}; use fewer folds"
        )
    every = np.arange(x.n)
    joint = _joined(x, y, every, every, paired=True)
    fold, _, notes = folds_of(joint, joint.take(every[:0]), folds, rng)
    held = [np.flatnonzero(fold == k) for k in range(folds)]
    if min(len(rows) for rows in held) < 2:
        raise InvalidInputError(
            f"a fold has a single row, with nothing to pair it to: too many copies for {folds} folds"
        )
    pairs = [_shifted(rows, rng) for rows in held]
    at_p = [np.empty(x.n) for _ in range(3 if halves else 1)]
    at_q: list[list[Floats]] = [[] for _ in at_p]
    for k, pair in enumerate(pairs):
        train = np.flatnonzero(fold != k)
        parts = [_training(x, y, rows, rng) for rows in (train, *(halves_of(train, rng) if halves else ()))]
        tuned = model.tuned(*parts[0], rng)
        apart = _joined(x, y, *pair, paired=False)
        for into_p, into_q, part in zip(at_p, at_q, parts, strict=True):
            ratio = tuned.fit(*part, rng)
            into_p[held[k]] = ratio(joint.take(held[k]))
            into_q.append(ratio(apart))
    of_x, of_y = (np.concatenate([pair[side] for pair in pairs]) for side in (0, 1))
    product = _joined(x, y, of_x, of_y, paired=False)
    scores = tuple(
        PairedScores(p, np.concatenate(q), joint.weights, product.weights, of_x=of_x, of_y=of_y)
        for p, q in zip(at_p, at_q, strict=True)
    )
    return (joint, product), scores, notes


def _training(x: Rows, y: Rows, rows: Ints, rng: np.random.Generator) -> tuple[Rows, Rows]:
    return _joined(x, y, rows, rows, paired=True), _joined(x, y, *_shifted(rows, rng), paired=False)
