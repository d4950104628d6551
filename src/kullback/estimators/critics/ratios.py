"""Critics read as a density ratio: estimates, not bounds; the interval's lower end is a bound by the same scores."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from kullback import bounds
from kullback.divergences import FDivergence, js, kl
from kullback.errors import InvalidInputError
from kullback.estimators.critics.critic import TwoSampleCritic
from kullback.estimators.critics.held_out import HeldOut, Reading, by_ratio


@dataclass(frozen=True)
class FDime(TwoSampleCritic):
    r"""The mutual information or KL read off a critic that is trained on any f-divergence.

    $$I(X; Y) = E_{xy} \log\, (f^*)'(T), \qquad T = \arg\max\; E_{xy} T - E_{x \otimes y} f^*(T)$$

    At its best T = f'(p/q) and (f*)' undoes f', so the critic gives v = log p/q with $T = f'(e^v)$ in the domain of f*
    whatever v is. `f` is any `FDivergence`, your own too; the pairs of the product of margins are derangements, as
    a row paired with itself would cap the ratio. The mean of v is an estimate that can be too large or too small; the
    interval goes up from the lower end of the bound of KL by the same v. Other parameters and refusals are those of
    `DonskerVaradhan`. Source: [letizia2024].

    >>> import kullback as kb
    >>> FDime(f=kb.squared_hellinger).name
    'f-DIME(squared_hellinger)'
    """

    f: FDivergence = kl

    kind = "estimate"

    @property
    def name(self) -> str:
        """The name in an answer."""
        return f"f-DIME({self.f.name})"

    def gain(self, at_p: Any, at_q: Any, log_mean: float) -> Any:  # noqa: ARG002  (this bound needs no normaliser)
        """The variational bound of f."""
        return bounds.by_log_ratio(self.f, at_p, at_q).value

    def reading(self, seen: HeldOut, d: FDivergence) -> Reading:  # noqa: ARG002  (KL only)
        """The mean log-ratio over held-out rows of p."""
        return Reading(float(seen.at_p.mean()), seen.error(seen.at_p, np.zeros_like(seen.at_q)))

    def bound(self, seen: HeldOut, d: FDivergence) -> Reading:
        """NWJ's bound by the same scores, its constant from the rows watched."""
        return by_ratio(d, seen.shifted(-seen.log_mean))


@dataclass(frozen=True)
class Smile(TwoSampleCritic):
    r"""Donsker and Varadhan's formula with $e^T$ held within $e^{\pm\tau}$, on a critic trained as a classifier.

    $$\hat I = E_{xy} T - \log E_{x \otimes y} \min(\max(e^{T}, e^{-\tau}), e^{\tau})$$

    Holding $e^T$ takes variance away and makes it an estimate, no bound: too large where much of the mean lies above
    $e^\tau$, which the notes tell. `tau` > 0 in nats. The interval goes up from the lower end of the bound by the
    same critic unheld. Other parameters and refusals are those of `DonskerVaradhan`. Source: [song2020].

    >>> Smile(tau=2.0).name
    'SMILE(tau=2)'
    """

    tau: float = 5.0

    kind = "estimate"

    def __post_init__(self) -> None:
        if not self.tau > 0:
            raise InvalidInputError(f"`tau` must be above 0, got {self.tau}; 5 is usual, inf holds nothing")

    @property
    def name(self) -> str:
        """The name in an answer."""
        return f"SMILE(tau={self.tau:g})"

    def gain(self, at_p: Any, at_q: Any, log_mean: float) -> Any:  # noqa: ARG002  (this bound needs no normaliser)
        """log 2 less the cross-entropy of a classifier."""
        return bounds.by_log_ratio(js, at_p, at_q).value

    def reading(self, seen: HeldOut, d: FDivergence) -> Reading:  # noqa: ARG002  (KL only)
        """The formula; held terms do not move with their scores."""
        held = np.clip(seen.at_q, -self.tau, self.tau)
        log_mean = np.logaddexp.reduce(held, axis=None) - math.log(held.size)
        value = float(bounds.donsker_varadhan(seen.at_p, held))
        return Reading(value, seen.error(seen.at_p, -np.exp(held - log_mean)))

    def bound(self, seen: HeldOut, d: FDivergence) -> Reading:
        """NWJ's bound by the same scores, its constant from the rows watched."""
        return by_ratio(d, seen.shifted(-seen.log_mean))

    def notes(self, seen: list[HeldOut]) -> tuple[str, ...]:
        """How many of the scores were held."""
        share = float(np.mean([np.mean(np.abs(s.at_q) > self.tau) for s in seen]))
        return (
            f"{share:.2g} of the scores of independent pairs or of the second sample are held at ±{self.tau:g}",
        )
