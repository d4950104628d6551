"""The Wasserstein-1 distance from below, by critics that are Lipschitz."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kullback.divergences.wasserstein import wasserstein
from kullback.estimators.critics import inputs
from kullback.estimators.critics.critic import copies_note, require_torch
from kullback.estimators.critics.held_out import HeldOut, Reading, combined, lower_bound
from kullback.estimators.critics.settings import Lipschitz, Training
from kullback.estimators.method import DivergenceMethod, Estimate
from kullback.estimators.problem import TwoSamples
from kullback.progress import Reporter, part


@dataclass(frozen=True)
class LipschitzCritic(DivergenceMethod):
    r"""The Wasserstein-1 distance of two samples from below, by a trained critic of Lipschitz constant 1.

    $$W_1(p, q) \ge E_p T - E_q T, \qquad |T(x) - T(x')| \le \lVert x - x' \rVert$$

    Every layer has norm at most 1, so the constant is kept by construction, not by a penalty, and the value on held-out
    rows is a bound in the unit of x: unlike the distance of the empirical laws, it is not too large on average. Of a
    joint sample, `WassersteinDependency` bounds the distance from independence so. `hidden` widths are even numbers;
    `training` as of other critics. Serves `wasserstein(1)` of continuous columns; refuses weights. Raises
    `InvalidInputError` for odd widths. Source: [arjovsky2017], [anil2019].

    >>> LipschitzCritic().name
    'Lipschitz critic'
    """

    hidden: tuple[int, ...] = (64, 64)
    training: Training = field(default_factory=Training)

    def __post_init__(self) -> None:
        Lipschitz(self.hidden)

    @property
    def name(self) -> str:
        """The name in an answer."""
        return "Lipschitz critic"

    def refusal(self, problem: TwoSamples) -> str:
        """Why this method does not serve the problem, with what does; empty where it serves."""
        if problem.noun != wasserstein(1):
            return f"it bounds wasserstein(1), not {problem.noun.name}"
        if problem.weighted:
            return "weights are not served; use a transport plan"
        return "" if problem.x.continuous else "names of classes are no distance apart; give numbers"

    def estimate(self, problem: TwoSamples) -> Estimate:
        """The bound, in the caller's unit."""
        require_torch(self.name)
        found = combined([self._reading(s) for s in self._folds(problem)])
        unit = problem.x.scale
        found = Reading(unit * found.value, unit * found.error, together=unit * found.together)
        copies = inputs.repeated(problem.x) + inputs.repeated(problem.y)
        where = f"on held-out rows of {self.training.folds} folds; the interval is open above"
        notes = (where, *copies_note(copies, problem.n))
        return lower_bound(found, found, cap=math.inf, kind="bounds", notes=notes)

    @staticmethod
    def _reading(seen: HeldOut) -> Reading:
        return Reading(float(seen.at_p.mean() - seen.at_q.mean()), seen.error(seen.at_p, seen.at_q))

    def _folds(self, problem: TwoSamples) -> list[HeldOut]:
        from kullback.estimators.neural import networks, pairs

        t, rng = self.training, problem.rng
        samples = (problem.x, problem.y)
        splits = [inputs.splits(inputs.sorted_rows(s), t.folds, t.watched, rng) for s in samples]
        build = networks.one_lipschitz(self.hidden)
        found = []
        for k, (p, q) in enumerate(zip(*splits, strict=True)):
            known = np.concatenate([problem.x.values[p.train], problem.y.values[q.train]])
            # one scale for all columns: the critic has to see distances as they are
            spread = float(np.sqrt(np.mean((known - known.mean(axis=0)) ** 2))) or 1.0
            rows = [(s.values - known.mean(axis=0)) / spread for s in samples]
            with Reporter() as reporter:
                told = part(reporter, f"{self.name}, fold {k + 1} of {t.folds}")
                seen = pairs.sample_scores((rows[0], p), (rows[1], q), build, t, _gap, rng, told)
            found.append(HeldOut(spread * seen.at_p, spread * seen.at_q, 0.0))
        return found


def _gap(at_p: Any, at_q: Any, log_mean: float) -> Any:  # noqa: ARG001  (what training hands to every gain)
    return at_p.mean() - at_q.mean()
