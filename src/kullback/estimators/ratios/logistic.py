"""Logistic regression of "row of p or of q" on powers, products and bumps: its logit is a model of log p/q."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from kullback.errors import ConvergenceError
from kullback.estimators.ratios.features import PLAIN, Design
from kullback.estimators.ratios.model import LogRatio, RatioModel
from kullback.estimators.ratios.rows import Floats, Rows

_STEPS, _TOLERANCE = 60, 1e-8
_PILOT = 2000  # rows of each sample that decide between the candidates
_RIDGES = (0.3, 30.0)
_WIDTHS = (1.0, 0.4)
_BUMP_RIDGES = (1.0, 10.0, 100.0)


@dataclass(frozen=True)
class Logistic(RatioModel):
    """Penalised logistic regression; `tuned` takes the design and the ridges of the largest evidence."""

    design: Design = PLAIN
    ridge: float = 0.3
    bump_ridge: float = 1.0

    @property
    def name(self) -> str:
        """The name in an answer."""
        return "logistic"

    def unfit(self, discrete: bool) -> str:  # noqa: ARG002
        """Nothing: discrete columns become one for each class."""
        return ""

    def tuned(self, p: Rows, q: Rows, rng: np.random.Generator) -> Logistic:
        """The candidate of the largest evidence: first how the columns are taken, then whether bumps are worth it."""
        some = p.take(rng.permutation(p.n)[:_PILOT]), q.take(rng.permutation(q.n)[:_PILOT])
        seed = int(rng.integers(2**32))

        def evidence(model: Logistic) -> float:
            return model.solve(*some, np.random.default_rng(seed))[1]

        plain = max((Logistic(Design(bent=b), r) for b in (False, True) for r in _RIDGES), key=evidence)
        if not p.values.shape[1]:
            return plain
        bumps = (
            Logistic(Design(plain.design.bent, w), plain.ridge, r) for w in _WIDTHS for r in _BUMP_RIDGES
        )
        return max((plain, *bumps), key=evidence)

    def fit(self, p: Rows, q: Rows, rng: np.random.Generator) -> LogRatio:
        """The logit less the log of the prior odds."""
        return self.solve(p, q, rng)[0]

    def solve(self, p: Rows, q: Rows, rng: np.random.Generator) -> tuple[LogRatio, float]:
        """The log-ratio, and the logarithm of the evidence of the model by a normal expansion at its best fit."""
        features, bumps = self.design.features(p, q, rng)
        x = np.concatenate([features(p), features(q)])
        label = np.concatenate([np.ones(p.n), np.zeros(q.n)])
        mass = np.concatenate([p.mass, q.mass])
        odds = float(np.log(p.mass.sum() / q.mass.sum()))
        penalty = np.where(bumps, self.bump_ridge, self.ridge)
        penalty[0] = 0.0
        beta, least, hessian = newton(x, label, mass, penalty, odds)
        volume = float(np.sum(np.log(penalty[1:]))) - np.linalg.slogdet(hessian)[1]
        return lambda rows: features(rows) @ beta, 0.5 * volume - least


def newton(
    x: Floats, label: Floats, mass: Floats, penalty: Floats, offset: float
) -> tuple[Floats, float, Floats]:
    r"""The minimiser of $\sum_i w_i \log(1 + e^{-s_i (o + x_i \beta)}) + \frac12 \sum_j \lambda_j \beta_j^2$.

    With the minimum and the second derivatives there; s is ±1 by the label. Newton's steps are halved until they
    descend. Raises `ConvergenceError` where they do not end.
    """
    sign = 2.0 * label - 1.0
    beta = np.zeros(x.shape[1])

    def objective(b: Floats) -> float:
        return float(mass @ np.logaddexp(0.0, -sign * (offset + x @ b)) + 0.5 * (penalty * b) @ b)

    now = objective(beta)
    for _ in range(_STEPS):
        chance = expit(offset + x @ beta)
        gradient = x.T @ (mass * (chance - label)) + penalty * beta
        spread = mass * chance * (1.0 - chance)
        hessian = (x * spread[:, None]).T @ x + np.diag(penalty)
        hessian[0, 0] += 1e-12 * mass.sum()  # where no row is in doubt any more the constant has no curvature
        step = np.linalg.solve(hessian, gradient)
        gain = float(gradient @ step)
        if gain < _TOLERANCE * (1.0 + now):
            return beta, now, hessian
        pace = 1.0
        while (then := objective(beta - pace * step)) > now - 1e-4 * pace * gain:
            pace *= 0.5
            if pace < 1e-10:
                return beta, now, hessian  # flat to the last bit
        beta, now = beta - pace * step, then
    raise ConvergenceError(
        f"logistic regression on {x.shape[1]} features did not settle in {_STEPS} Newton steps"
    )
