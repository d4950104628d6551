"""Mutual information of continuous blocks by the law that tells their pairs from shuffled ones best."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from kullback.estimators import diagnostics
from kullback.estimators.gaussian_copula import GaussianCopula, GaussianInformation
from kullback.estimators.ksg import KSG
from kullback.estimators.method import Estimate, InformationMethod
from kullback.estimators.mixtures.checks import NEAR, checked, widened
from kullback.estimators.mixtures.contest import NORMAL, contest
from kullback.estimators.mixtures.frames import columns
from kullback.estimators.mixtures.held_out import estimated
from kullback.estimators.problem import JointSample
from kullback.estimators.ratios.crossfit import check_folds

_ROWS = 2  # in each fold for each column


@dataclass(frozen=True)
class MixtureInformation(InformationMethod):
    r"""Mutual information by the best of several laws g: a normal copula, Student copulas, mixtures of normal laws.

    $$\hat I = \frac1n \sum_i \log \frac{g(x_i, y_i)}{g(x_i)\, g(y_i)}, \qquad
    \text{in up to 10 columns}\quad \hat I_g + \hat I_{\mathrm{KSG}}(\text{data}) - \hat I_{\mathrm{KSG}}(g)$$

    The laws are fitted to all `folds` of the rows but one and compete on that one, by how well they tell its pairs from
    shuffled ones; larger mixtures are tried while they help. The sum is the mean of that over rows that were fitted and
    rows that were not, whose biases cancel; a Student copula's, whose columns are fitted, too, is extrapolated from
    parts of the rows to more. A normal copula is taken unless another law is clearly better; what the best of others
    says otherwise is in doubt then.

    Where neighbours see significantly more in the data than in rows drawn from g, the law misses something: the second
    form, g's own information and the difference, is the answer, because the bias of neighbours cancels. The interval is
    wider the more is missed and the more columns there are, in which neighbours see less of it. A pair of single
    columns that says more is counted, too. In 4 to 6 columns the divergence of the data from rows of g that neighbours
    measure widens the interval where it shows: it bounds the error. Beyond 6 there is no interval where data and g
    differ visibly, nor anywhere among copies of rows. A column that others of its variable determine is left out.

    Refuses discrete columns, weights, a `given`, divergences other than KL and what `GaussianCopula` refuses. The seed
    draws folds, starts and rows of g. Source: [czyz2025], [dempster1977], [demarta2005].

    >>> import numpy as np, kullback as kb
    >>> x, noise = np.random.default_rng(0).normal(size=(2, 4000, 2))
    >>> answer = kb.mutual_information(x, x + noise, method=MixtureInformation())  # exactly log 2
    >>> answer.low < 0.6931 < answer.high
    True
    """

    folds: int = field(default=2, kw_only=True)

    def __post_init__(self) -> None:
        check_folds(self.folds)

    @property
    def name(self) -> str:
        """The name in an answer."""
        return "mixture information"

    def refusal(self, problem: JointSample) -> str:
        """Continuous x and y, rows of equal weight, nothing given, KL."""
        if not problem.continuous:
            return "takes continuous columns; with discrete ones take Ross or MixedKSG"
        if problem.given is not None:
            return "does not condition; take ConditionalKSG for `given`"
        if problem.weights is not None:
            return "does not weight rows; RatioInformation does"
        needed = _ROWS * self.folds * (problem.x.dimension + problem.y.dimension + 1)
        if problem.n < needed:
            return f"needs at least {needed} rows for {self.folds} folds, got {problem.n}; take KSG"
        return GaussianCopula().refusal(problem)

    def statistic(self, problem: JointSample) -> float:
        """By neighbours in up to 10 columns, by the normal copula in more."""
        near = problem.x.dimension + problem.y.dimension <= NEAR
        return (KSG() if near else GaussianCopula()).statistic(problem)

    def estimate(self, problem: JointSample) -> Estimate:
        """The information, what it was chosen among, and how sure."""
        x, y, notes = columns(problem)
        normal = GaussianCopula().estimate(problem)
        for simple in (normal, GaussianInformation().estimate(problem)):
            if not x.shape[1] or not y.shape[1] or math.isinf(simple.value):
                return simple
        judged = contest(x, y, self.folds, problem.seed)
        best = judged[0]
        told = (f"{best.candidate.name}, the best of {len(judged)} laws on rows left out", *notes)
        if best.candidate.name == NORMAL:
            rival = max(judged, key=lambda j: j.skill)  # where it is another law, it is not clearly better
            found = replace(normal, notes=(*told, *normal.notes))
            found = widened(found, abs(rival.value - best.value))
        else:
            found = replace(estimated(best, self.folds, problem.seed), notes=told)
        found = checked(found, best, problem.seed)
        return replace(found, distrust=diagnostics.copied(x, y) or found.distrust)
