"""What is certain of an estimated ratio: a lower bound of the divergence, with confidence."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from scipy.special import ndtri

from kullback.divergences import FDivergence
from kullback.estimators.method import DivergenceMethod, Estimate
from kullback.estimators.problem import TwoSamples
from kullback.estimators.ratios.crossfit import crossed
from kullback.estimators.ratios.modelled import Modelled
from kullback.estimators.ratios.rows import pair_of
from kullback.estimators.ratios.scores import direct
from kullback.estimators.ratios.views import refusal, view


@dataclass(frozen=True)
class Variational(Modelled, DivergenceMethod):
    r"""A lower bound of the divergence from rows that the model of the ratio has not seen.

    $$D_f(p \| q) \ge E_p f'(e^{r}) - E_q\left[e^{r} f'(e^{r}) - f(e^{r})\right] \quad\text{for every } r$$

    `model` is `ClassifierRatio(...)`, `ULSIF(...)`, `KLIEP(...)`, or None for the default classifier. The answer is of
    kind `bounds`: `value` is the bound on held-out rows, `low` is below the bound's expectation, and so below the
    divergence, with the confidence asked for, whatever the model; `high` is the largest value the divergence can have.
    A poor model makes the bound loose, never wrong. The confidence is that of a normal mean: where the terms have no
    reliable mean (Pareto k above 0.7) there is no bound. Errors and refusals are those of `ClassifierRatio`.
    Source: [nguyen2010].

    >>> import numpy as np, kullback as kb
    >>> x = np.random.default_rng(0).normal(size=2000)
    >>> bound = kb.estimate(kb.js, x[:1000] + 1.0, x[1000:], method=Variational())
    >>> bound.low < 0.1118 < bound.high < 0.6932  # the truth by quadrature
    True
    """

    @property
    def name(self) -> str:
        """The bound and its model."""
        return f"variational bound ({self.used.name})"

    def refusal(self, problem: TwoSamples) -> str:
        """Why there is no average over a ratio, or no model of these columns; empty where there is."""
        return refusal(problem.noun) or self.used.unfit(not problem.x.continuous)

    def estimate(self, problem: TwoSamples) -> Estimate:
        """The bound, its standard error, and its open upper end."""
        p, q = pair_of(problem)
        (scores,), notes = crossed(self.used, p, q, self.folds, problem.rng, halves=False)
        seen = view(problem.noun, scores.value)
        found = direct(seen, scores)
        if found.distrust.startswith("only"):  # little overlap makes the truth uncertain, not the bound
            found = replace(found, distrust="")
        cap = seen.upper_bound
        found = replace(found, notes=(*found.notes, *notes))

        def interval(level: float) -> tuple[float, float]:
            low = found.value - float(ndtri(level)) * found.standard_error
            return low, max(cap, low)

        told = "a lower bound: the divergence may be anything above it"
        if isinstance(problem.noun, FDivergence) and math.isfinite(cap) and found.value > 0.9 * cap:
            told = f"{told}; the value is near the largest possible, {cap:.4g}"
        return replace(found, interval=interval, kind="bounds", notes=(told, *found.notes))
