"""Staying near a reference: any f-divergence of the policy from it, by tokens that either of them drew."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from kullback.divergences import FDivergence
from kullback.errors import InvalidInputError
from kullback.losses.batches import NonFinite
from kullback.losses.policy.numbers import Draw, draws, numbers
from kullback.losses.policy.sides import check_generator, over_tokens, sides
from kullback.losses.preference.checks import check_coefficient


def penalty(
    d: FDivergence,
    *,
    policy: Tensor,
    reference: Tensor,
    drawn_with: Tensor | None = None,
    mask: Tensor | None = None,
    weight: Tensor | None = None,
    nonfinite: NonFinite = "propagate",
) -> Tensor:
    r"""D_f(policy‖reference) from drawn tokens, with its gradient towards the policy.

    $$E_{x \sim \mu}\left[\frac{q}{\mu}\, f\!\Big(\frac{\pi}{q}\Big)\right], \qquad
    \nabla D_f = E_{x \sim \mu}\left[\frac{\pi}{\mu}\, f'\!\Big(\frac{\pi}{q}\Big) \nabla \log \pi\right],$$

    π the policy, q the reference. `policy` and `reference` are log-probabilities of the same tokens, `drawn_with` those
    under μ; any equal shapes, in nats. Without `drawn_with` the policy itself drew the tokens now. With
    `drawn_with=reference`, tokens that the reference once drew are rehearsed, by the log-probabilities stored with
    them: every token costs f(π/q), and no reference is run. All but the policy are held constant; f is in standard
    form, so no token costs less than 0. `kb.kl` is KL(policy‖reference), `kb.reverse_kl` KL(reference‖policy), which
    covers what the reference can say.

    The mean is over tokens, `mask`, `weight` and `nonfinite` as in `f_dpg`, as are far ratios. The divergence is that
    of each token's own law; sum log-probabilities over answers first, and it is that of answers. Raises `ShapeError`,
    `DTypeError` or `InvalidInputError`. Source: [li2026], [tang2025].

    >>> import torch, kullback as kb
    >>> old = torch.tensor([0.5, 0.5]).log(); new = torch.tensor([0.25, 0.75]).log()
    >>> round(float(penalty(kb.reverse_kl, policy=new, reference=old, drawn_with=old)), 6)  # (log 2 + log(2/3))/2
    0.143841
    """
    check_generator(d)
    made = sides(None, policy=policy, reference=reference, drawn_with=drawn_with)

    def terms(policy: Tensor, reference: Tensor, *drawn: Tensor) -> Tensor:
        return numbers(d, draws(policy, reference, drawn[0] if drawn else None), policy)

    return over_tokens(terms, *made, mask=mask, weight=weight, nonfinite=nonfinite)


def sampled_divergence(d: FDivergence, log_ratio: Tensor, *, log_weights: Tensor | None = None) -> Tensor:
    r"""A number for every drawn token that has in expectation the value and the gradient of D_f(policy‖reference).

    $$\frac{\pi}{\mu} f^\circ(1/t) = \frac{q}{\mu} f(t), \qquad t = \frac{\pi}{q},$$

    f°(t) = t f(1/t), with the derivative (π/μ) f'(t) towards log t = `log_ratio`, log policy − log reference as
    `selected` makes it. `log_weights` are log π − log μ of tokens that μ drew: `log_ratio` itself for those that the
    reference drew, nothing for those that the policy drew. Any equal shapes; in nats. `penalty` is the mean, from
    log-probabilities. Far ratios and errors as there; the gradient is not differentiated again.

    >>> import torch, kullback as kb
    >>> t = torch.tensor([2.0, 2 / 3])
    >>> round(float(sampled_divergence(kb.kl, t.log()).mean()), 6)  # log t − 1 + 1/t: (log 2 + log(2/3))/2
    0.143841
    """
    check_generator(d)
    made = sides(None, log_ratio=log_ratio, log_weights=log_weights)
    r = made[0].detach()
    log_w = r.new_zeros(r.shape) if log_weights is None else made[1].detach()
    return numbers(d, Draw(r, log_w, log_w - r), made[0])


@dataclass
class TrustRegion:
    """The coefficient of a penalty, moved so that the divergence stays about a threshold.

    After every update of the policy, `update` with the divergence that was measured: 1.5 times above the threshold
    doubles `coefficient`, as far below it halves it. The threshold is in the units of the divergence: 0.01 nats of
    `kb.kl` are 0.0025 of `kb.js`, whose f''(1) is 1/4, and `d.normalised()` makes them agree. Raises
    `InvalidInputError` for numbers that are not finite and above 0. Source: [schulman2017].

    >>> region = TrustRegion(threshold=0.01, coefficient=0.2)
    >>> region.update(0.03); region.coefficient
    0.4
    """

    threshold: float
    coefficient: float = 1.0

    def __post_init__(self) -> None:
        check_coefficient("threshold", self.threshold)
        check_coefficient("coefficient", self.coefficient)

    def update(self, divergence: Tensor | float) -> None:
        """Takes in what the divergence has become."""
        d = float(divergence)
        if not math.isfinite(d) or d < 0:
            raise InvalidInputError(f"the divergence is {d!r}; expected a finite number of at least 0")
        if d > 1.5 * self.threshold:
            self.coefficient *= 2.0
        elif d < self.threshold / 1.5:
            self.coefficient /= 2.0
