"""How far a joint law is from independence, in the distance that transport has to go: by critics that are Lipschitz."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from kullback.divergences import FDivergence
from kullback.divergences.wasserstein import wasserstein
from kullback.estimators.critics import inputs
from kullback.estimators.critics.critic import Critic, copies_note
from kullback.estimators.critics.held_out import HeldOut, Reading, combined, lower_bound
from kullback.estimators.critics.settings import Architecture, Lipschitz
from kullback.estimators.method import Estimate
from kullback.estimators.problem import JointSample
from kullback.estimators.samples import Sample


@dataclass(frozen=True)
class WassersteinDependency(Critic):
    r"""The Wasserstein-1 distance of a joint law from the product of its margins, from below, by a Lipschitz critic.

    $$W_1(p_{xy}, p_x p_y) \ge E_{p_{xy}} T - E_{p_x p_y} T, \qquad |T(x, y) - T(x', y')| \le \|(x, y) - (x', y')\|$$

    Asked as `mutual_information(x, y, divergence=kb.wasserstein(1), method=WassersteinDependency())`. In the unit of
    the data, which x and y have to share; 0 at independence and, unlike information, finite and easy to see where x
    determines y. The constant is kept by construction, the value is that on held-out rows, and the interval is open
    above. Continuous columns; refuses weights, `given` and other divergences. Source: [ozair2019], [anil2019].

    >>> WassersteinDependency().name
    'Wasserstein dependency'
    """

    architecture: Architecture = field(default_factory=Lipschitz)

    @property
    def name(self) -> str:
        return "Wasserstein dependency"

    def refusal(self, problem: JointSample) -> str:
        if not problem.continuous:
            return "names of classes are no distance apart; give numbers"
        if problem.divergence != wasserstein(1):  # a distance stands where an f-divergence does elsewhere
            return "it bounds kb.wasserstein(1); pass divergence=kb.wasserstein(1)"
        return super().refusal(problem)

    def unserved(self, d: Any) -> str:  # noqa: ARG002  (the refusal above has looked)
        return ""

    def gain(self, at_p: Any, at_q: Any, log_mean: float) -> Any:  # noqa: ARG002  (what training hands to every gain)
        return at_p.mean() - at_q.mean()

    def reading(self, seen: HeldOut, d: FDivergence) -> Reading:  # noqa: ARG002  (one distance is read)
        return Reading(float(seen.at_p.mean() - seen.at_q.mean()), seen.error(seen.at_p, -seen.at_q))

    def fed(self, s: Sample, rows: inputs.Rows) -> inputs.Floats:  # noqa: ARG002  (one scale for all, set before)
        return s.values

    def estimate(self, problem: JointSample) -> Estimate:
        exponent = max(problem.x.exponent, problem.y.exponent)
        x, y = (np.ldexp(s.values, s.exponent - exponent) for s in (problem.x, problem.y))
        x, y = x - x.mean(axis=0), y - y.mean(axis=0)
        spread = math.sqrt(float(np.mean(x**2) + np.mean(y**2)))
        if not x.any() or not y.any():
            return Estimate(0.0, 0.0, notes=("a variable that does not vary tells nothing: exactly 0",))
        scaled = replace(
            problem, x=replace(problem.x, values=x / spread), y=replace(problem.y, values=y / spread)
        )
        assert problem.divergence is not None
        found = combined([self.reading(seen, problem.divergence) for seen in self._pairs(scaled)])
        unit = math.ldexp(spread, exponent)
        found = Reading(unit * found.value, unit * found.error, together=unit * found.together)
        where = f"on held-out rows of {self.training.folds} folds; the interval is open above"
        notes = (where, *copies_note(inputs.repeated(problem.x, problem.y), problem.n))
        return lower_bound(found, found, cap=math.inf, kind="bounds", notes=notes)
