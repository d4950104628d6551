"""The information of a normal law: of the columns as they are, or of their normal scores (a Gaussian copula)."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from kullback.estimators.gaussian_fit import Fit, between_classes, between_columns, pooled
from kullback.estimators.method import Estimate, InformationMethod
from kullback.estimators.problem import JointSample, Weights
from kullback.estimators.strata import row_weights, strata
from kullback.estimators.weighting import placed, shares

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class _Normal(InformationMethod):
    """What both methods share: the formula; they differ in the columns that they put into it."""

    @property
    @abstractmethod
    def _ranked(self) -> bool:
        """Whether it is put to scores of ranks, whose own noise enters the standard error."""

    def refusal(self, problem: JointSample) -> str:
        """Why the problem is not one of normal columns, or what can be taken instead."""
        if problem.divergence is not None:
            return f"knows the mutual information only, not that of {problem.divergence}"
        if problem.x.mixed or problem.y.mixed:
            return "takes variables of one kind each; MixedKSG takes columns of both kinds in one variable"
        if problem.discrete or (problem.x.discrete and problem.y.discrete):
            return "takes continuous columns of x or y; both are discrete: take Contingency, which counts"
        if problem.given is not None and problem.given.dimension and not problem.continuous:
            return "takes a continuous `given` with continuous x and y only"
        return _too_few(problem)

    def estimate(self, problem: JointSample) -> Estimate:
        """The information of the fitted normal law, without the bias of its covariances, and how sure."""
        found = self._fitted(problem)
        if math.isinf(found.value):
            return Estimate(
                math.inf,
                math.inf,
                distrust="x and y are linearly dependent here: +inf, unless more rows part them",
                notes=found.notes,
            )
        if not found.freedom:
            return Estimate(0.0, 0.0, notes=(*found.notes, "a constant carries no information: 0 exactly"))
        return Estimate(found.value, found.standard_error, interval=found.interval, notes=found.notes)

    def statistic(self, problem: JointSample) -> float:
        """The value alone."""
        return self._fitted(problem).value

    def _fitted(self, problem: JointSample) -> Fit:
        if problem.given is None or problem.given.codes is None:
            return self._fit(problem)
        parts = strata(problem)
        return pooled([self._fit(part) for part in parts], row_weights(parts))

    def _columns(self, values: Floats, weights: Weights) -> Floats:
        return ndtri(placed(values, weights)) if self._ranked and values.shape[1] else values

    def _fit(self, problem: JointSample) -> Fit:
        x, y, z, w = problem.x, problem.y, problem.given, problem.weights
        for classes, other in ((x, y), (y, x)):
            if classes.codes is not None:
                columns = self._columns(other.values, w)
                return between_classes(columns, classes.codes, weights=w, ranked=self._ranked)
        condition = np.empty((problem.n, 0)) if z is None else self._columns(z.values, w)
        first, second = self._columns(x.values, w), self._columns(y.values, w)
        return between_columns(first, second, condition, weights=w, ranked=self._ranked)


@dataclass(frozen=True)
class GaussianInformation(_Normal):
    r"""The mutual information of a normal law with the covariance of the data: what canonical correlations tell.

    $$I(X; Y) = \tfrac12 \log \frac{|\Sigma_x|\,|\Sigma_y|}{|\Sigma_{xy}|} = -\tfrac12 \sum_j \log(1 - \rho_j^2)$$

    In nats, for x (n, d_x) and y (n, d_y); a continuous `given` is regressed out of both, a discrete one makes strata.
    Where one side is discrete, $\tfrac12 (\log |\Sigma| - \sum_c p_c \log |\Sigma_c|)$, which for classes with a
    normal law each is too large by what the pooled law falls short of normal. The bias of
    the log-determinants is subtracted: for normal data exactly, whatever the truth. The standard error allows data that
    are not normal, and holds at independence. What data have beyond correlation is not seen: this is the information
    of the normal law, neither an upper nor a lower bound of the true one in general.

    Weights weight the covariances, and the bias is that of weighted log-determinants, so whole weights give what
    repeated rows give before the bias is subtracted: a row of weight 2 is one observation, not two.

    Refuses other divergences and fewer rows than the covariance needs; columns that depend linearly on others
    of their own variable are left out, which changes nothing. Source: [cover2006], [misra2005], [ince2017].

    >>> import kullback as kb
    >>> from kullback.estimators import GaussianInformation
    >>> x, y = [-1.0, 0.0, 1.0] * 200, [0.0, 1.0, -1.0] * 200  # correlation -1/2
    >>> round(kb.mutual_information(x, y, method=GaussianInformation()).value, 2)  # -log(3/4) / 2 = 0.14
    0.14
    """

    @property
    def name(self) -> str:
        """The name in an answer."""
        return "gaussian information"

    @property
    def _ranked(self) -> bool:
        return False


@dataclass(frozen=True)
class GaussianCopula(_Normal):
    r"""The mutual information of a Gaussian copula: every column becomes its normal scores first.

    $$s = \Phi^{-1}\Big(\frac{\text{rank}}{n + 1}\Big), \qquad
    I(X; Y) = \tfrac12 \log \frac{|\Sigma_x|\,|\Sigma_y|}{|\Sigma_{xy}|} \text{ of the scores}$$

    Monotone maps of a column change nothing, tails do no harm, and many columns need few rows. The rest is as in
    `GaussianInformation`, in nats; the standard error includes that the ranks are estimated. For one column against
    one it is a lower bound of the true information, since among all laws with normal margins and one correlation the
    normal law has the least; for more columns it is not a bound. Equal values share their middle rank.

    Refuses what `GaussianInformation` refuses. Source: [ince2017], [misra2005], [klaassen1997].

    >>> import kullback as kb
    >>> from kullback.estimators import GaussianCopula
    >>> x = [float(i) for i in range(500)]
    >>> kb.mutual_information(x, [i**3 for i in x], method=GaussianCopula()).value  # one is a function of the other
    inf
    """

    @property
    def name(self) -> str:
        """The name in an answer."""
        return "gaussian copula"

    @property
    def _ranked(self) -> bool:
        return True


def _too_few(problem: JointSample) -> str:
    """Why the smallest class or stratum has too few rows for a covariance, an effective number where weights differ."""
    columns = sum(s.dimension for s in problem.variables)
    groups = [s.codes for s in problem.variables if s.codes is not None]
    group = np.zeros(problem.n, dtype=np.int64)
    if groups:
        group = np.unique(np.column_stack(groups), axis=0, return_inverse=True)[1].reshape(-1)
    w = shares(problem.weights, problem.n)
    least = float((np.bincount(group, w) ** 2 / np.bincount(group, w * w)).min())
    if least > columns + 1:
        return ""
    where = "in its smallest class" if groups else "in all"
    return (
        f"needs more than {columns + 1} rows for {columns} columns, got {least:.4g} {where}: "
        "take fewer columns" + (" or join classes" if groups else "")
    )
