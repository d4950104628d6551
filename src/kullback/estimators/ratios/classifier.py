"""The ratio by a probabilistic classifier: own logistic regression, or any with `predict_proba`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from kullback.errors import DTypeError, InvalidInputError, MissingDependencyError
from kullback.estimators.ratios.crossfit import CrossFitted
from kullback.estimators.ratios.logistic import Logistic
from kullback.estimators.ratios.model import LogRatio, RatioModel
from kullback.estimators.ratios.rows import Floats, Rows


@dataclass(frozen=True)
class ClassifierRatio(CrossFitted):
    r"""Divergences by a classifier that tells rows of p from rows of q, cross-fitted.

    $$\hat r(x) = \log \frac{\hat P(p \mid x)}{\hat P(q \mid x)} - \log \frac nm$$

    `model=None` is a penalised logistic regression on values, squares, products and Gaussian bumps, whose design and
    ridge compete on rows left out: exact for normals, and flexible enough for most smooth laws in a few dimensions. Any
    classifier with scikit-learn's `fit` and `predict_proba` may be passed instead; it is cloned for each fold, gets
    columns in units of their spread with a column for each class of the discrete ones, and must take `sample_weight`
    where the rows have weights. `folds` are drawn from the seed and do not depend on the order of the rows; copies of a
    row share a fold and are reported. Every divergence of `from_scores` is served, with any kinds of columns;
    a Rényi divergence is read off the scores that rows of both samples reach, and is finite.

    The value is the held-out variational bound, which is at most the divergence in expectation, plus the bias that
    halving the models' rows reveals: an estimate, no bound. The interval counts the standard error of the held-out
    terms, that bias, what counts in cells of about fifty rows say is missed, and twice what rows beyond all rows of the
    other sample add; a divergence without an upper limit that rests on such rows has no interval. It covers near its
    level on smooth laws, and about 0.9 instead of 0.95 for heavy tails in a few hundred rows. In many dimensions cells
    are too coarse to see what a poor classifier misses; `Variational` then gives what is certain.
    Raises `InvalidInputError` for fewer than four rows of a sample a fold, `DTypeError` for a model without
    `predict_proba`, `MissingDependencyError` without scikit-learn. Source: [kandasamy2015], [nguyen2010].

    >>> import numpy as np, kullback as kb
    >>> x = np.random.default_rng(0).normal(size=(2000, 2))
    >>> answer = kb.estimate(kb.kl, x[:1000] + [1.0, 0.0], x[1000:], method=ClassifierRatio())  # exactly 1/2
    >>> answer.low < 0.5 < answer.high
    True
    """

    model: Any = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.model is not None and not hasattr(self.model, "predict_proba"):
            raise DTypeError(
                f"model is {self.model!r}; expected a classifier with fit and predict_proba, such as scikit-learn's "
                "LogisticRegression(), or None"
            )

    @property
    def name(self) -> str:
        """The classifier and the number of folds."""
        used = "logistic" if self.model is None else type(self.model).__name__
        return f"classifier ratio ({used}, {self.folds} folds)"

    def unfit(self, discrete: bool) -> str:  # noqa: ARG002
        """Nothing: discrete columns become one for each class."""
        return ""

    def tuned(self, p: Rows, q: Rows, rng: np.random.Generator) -> RatioModel:
        """With the design and the ridge of the own logistic regression chosen; another model is left as it is."""
        return self if self.model is not None else Logistic().tuned(p, q, rng)

    def fit(self, p: Rows, q: Rows, rng: np.random.Generator) -> LogRatio:
        """The logits of the classifier less the log of the prior odds."""
        return Logistic().fit(p, q, rng) if self.model is None else _cloned(self.model, p, q, rng)


def _cloned(model: Any, p: Rows, q: Rows, rng: np.random.Generator) -> LogRatio:
    """The caller's classifier, fitted anew; a probability of 0 or 1 has no logit and is refused."""
    try:
        from sklearn.base import clone
    except ImportError as error:
        raise MissingDependencyError(
            "a classifier as `model` needs scikit-learn: pip install scikit-learn"
        ) from error
    mine: Any = clone(model)
    seeds = {
        k: int(rng.integers(2**31))
        for k, v in mine.get_params().items()
        if k.endswith("random_state") and v is None
    }
    mine.set_params(**seeds)
    x = np.concatenate([_columns(p), _columns(q)])
    label = np.concatenate([np.ones(p.n, dtype=np.int64), np.zeros(q.n, dtype=np.int64)])
    weighted = p.weights is not None or q.weights is not None
    if weighted:
        mine.fit(x, label, sample_weight=np.concatenate([p.mass, q.mass]))
    else:
        mine.fit(x, label)
    odds = np.log(p.mass.sum() / q.mass.sum())

    def ratio(rows: Rows) -> Floats:
        chance = np.asarray(mine.predict_proba(_columns(rows)), dtype=np.float64)[:, 1]
        certain = (chance <= 0.0) | (chance >= 1.0)
        if certain.any():
            raise InvalidInputError(
                f"the classifier is certain of {int(certain.sum())} rows (probability 0 or 1), which makes the ratio "
                "infinite; use one that is calibrated, such as CalibratedClassifierCV, or smooths its leaves"
            )
        return np.log(chance) - np.log1p(-chance) - odds

    return ratio


def _columns(rows: Rows) -> Floats:
    if rows.codes is None:
        return rows.values
    return np.column_stack([rows.values, np.eye(rows.classes)[rows.codes]])
