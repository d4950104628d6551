"""Distributional policy gradient: a policy towards any target that can be evaluated, up to a factor."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from kullback.divergences import FDivergence
from kullback.errors import InvalidInputError, ShapeError
from kullback.losses.batches import NonFinite, averaged
from kullback.losses.policy.baselines import Baseline, leave_one_out
from kullback.losses.policy.numbers import Draw, draws, numbers, scaled_slope, tell
from kullback.losses.policy.sides import check_generator, sides


def f_dpg(
    d: FDivergence,
    *,
    policy: Tensor,
    target: Tensor,
    drawn_with: Tensor | None = None,
    log_partition: Tensor | float = 0.0,
    baseline: Baseline | Tensor | float = leave_one_out,
    mask: Tensor | None = None,
    weight: Tensor | None = None,
    nonfinite: NonFinite = "propagate",
) -> Tensor:
    r"""D_f(policy‖target) from samples: value and gradient of one divergence, distributional policy gradient (f-DPG).

    $$\nabla D_f(\pi \| p) = -E_{x \sim \mu}\left[\frac{\pi}{\mu}\,(R - b)\, \nabla \log \pi\right],
    \qquad R = -f'\!\Big(\frac{\pi}{p}\Big), \quad p = P / Z.$$

    `policy` are the log-probabilities of samples, with a gradient; `target` is log P of the same samples, which need
    not be normalised, −inf where a constraint is broken; `log_partition` is log Z, a number such as the `value` of a
    `Partition`; `drawn_with` are the samples' log-probabilities under μ, without it the policy drew them. All of shape
    (samples,), of whole sequences, in nats; all but the policy are held constant. `kb.kl` is KL(policy‖target), the
    paper's reverse KL, and `kb.reverse_kl` is its forward KL, the gradient of GDC.

    `baseline` is a function of the pseudo-rewards R and the log-weights log π/μ, or numbers such as the `value` of a
    `RunningMean`; it moves no mean. The loss itself is the mean of (p/μ) f(π/p), in standard form never negative.
    `mask`, `weight` and `nonfinite` are those of the other objectives: examples that count, their factors, and
    `"propagate"`, `"skip"` or `"raise"` for numbers that are not finite. Under `kb.kl` a sample without probability
    under the target costs +inf; js, `reverse_kl` and `total_variation` give it a finite reward.

    No ratio overflows unless the number does: products are taken through logarithms, and one beyond e³⁰⁰ in double or
    e⁴⁰ in single precision goes on along its tangent, with a warning that counts. Raises `ShapeError`, `DTypeError`
    or `InvalidInputError`. Source: [go2023], [khalifa2021].

    >>> import torch, kullback as kb
    >>> p = torch.tensor([0.5, 0.5]).log(); target = torch.tensor([1.0, 3.0]).log()
    >>> round(float(f_dpg(kb.kl, policy=p, target=target, log_partition=math.log(4))), 6)  # (log 2 + log(2/3))/2
    0.143841
    """
    check_generator(d)
    made = sides(1, policy=policy, target=target, drawn_with=drawn_with)
    log_z = _partition(log_partition, made[1])
    given = (_numbers(baseline, made[0]),) if isinstance(baseline, Tensor) else ()

    def terms(policy: Tensor, target: Tensor, *more: Tensor) -> Tensor:
        drawn = more[0] if drawn_with is not None else None
        draw = draws(policy, target - log_z, drawn)
        b = more[-1] if given else _baseline(d, baseline, draw)  # type: ignore[arg-type]
        return numbers(d, draw, policy, b)

    return averaged(terms, *made, *given, mask=mask, weight=weight, nonfinite=nonfinite)


def pseudo_reward(
    d: FDivergence, *, policy: Tensor, target: Tensor, log_partition: Tensor | float = 0.0
) -> Tensor:
    r"""What every sample earns, so that a policy gradient lowers D_f(policy‖target): $-f'(\pi / p)$, held constant.

    For training loops that have rewards and nothing else. Any shape; arguments, far ratios and errors as in `f_dpg`.
    Source: [go2023].

    >>> import torch, kullback as kb
    >>> p, target = torch.tensor([0.5, 0.5]).log(), torch.tensor([0.25, 0.75]).log()
    >>> [round(float(x), 6) for x in pseudo_reward(kb.reverse_kl, policy=p, target=target)]  # 1/t − 1
    [-0.5, 0.5]
    """
    check_generator(d)
    log_p, log_target = sides(None, policy=policy, target=target)
    r = draws(log_p, log_target - _partition(log_partition, log_target), None).log_ratio
    slope, beyond = scaled_slope(d, torch.zeros_like(r), r)
    tell(d, beyond, r.dtype)
    return -slope


@dataclass
class Partition:
    r"""log Z of an unnormalised target, by importance sampling over the batches so far.

    $$Z = E_{x \sim \mu}\left[\frac{P(x)}{\mu(x)}\right],$$

    the mean over all draws, where each batch counts `decay` times what the next one does: with 1 all the same, with
    less the older ones, of a policy that was farther from the target, fade away. The mean is unbiased for Z. `value` is
    −inf before a draw with P > 0. Source: [go2023], [khalifa2021].

    >>> import torch
    >>> z = Partition(); z.update(target=torch.tensor([1.0, 3.0]).log(), drawn_with=torch.tensor([0.5, 0.5]).log())
    >>> round(z.value, 6)  # log of (2 + 6)/2
    1.386294
    """

    decay: float = 0.99
    _log_sum: float = -math.inf
    _count: float = 0.0

    def __post_init__(self) -> None:
        if (
            isinstance(self.decay, bool)
            or not isinstance(self.decay, (int, float))
            or not 0 < self.decay <= 1
        ):
            raise InvalidInputError(f"`decay` is {self.decay!r}; expected a number above 0 and up to 1")

    @property
    def value(self) -> float:
        """log Z."""
        return self._log_sum - math.log(self._count) if self._count else -math.inf

    def update(self, *, target: Tensor, drawn_with: Tensor) -> None:
        """Takes in a batch: log P of its samples, and their log-probabilities under what drew them."""
        log_p, log_mu = (x.detach().double() for x in sides(1, target=target, drawn_with=drawn_with))
        ratios = log_p - log_mu
        if len(ratios) == 0 or bool((ratios.isnan() | (ratios == math.inf)).any()):
            raise InvalidInputError(
                "log P − log μ of a batch is empty, NaN or +inf; expected samples that what drew them can draw"
            )
        older = self._log_sum + math.log(self.decay)
        both = torch.stack([torch.logsumexp(ratios, 0), ratios.new_tensor(older)])
        self._log_sum = float(torch.logsumexp(both, 0))
        self._count = self.decay * self._count + len(ratios)


def _partition(log_z: Tensor | float, like: Tensor) -> Tensor:
    made = torch.as_tensor(log_z, dtype=like.dtype, device=like.device).detach()
    if made.ndim or not bool(torch.isfinite(made)):
        raise InvalidInputError(
            f"`log_partition` is {log_z!r}; expected one finite number. A Partition has one once a draw has P > 0"
        )
    return made


def _numbers(baseline: Tensor, like: Tensor) -> Tensor:
    if baseline.shape not in ((), like.shape):
        raise ShapeError(
            f"`baseline` has shape {tuple(baseline.shape)}; expected a number, or one for each of {len(like)} samples"
        )
    return baseline.detach().to(like).expand(like.shape)


def _baseline(d: FDivergence, baseline: Baseline | float, draw: Draw) -> Tensor | float:
    if not callable(baseline):
        return baseline
    with torch.no_grad():
        r = draw.log_ratio
        return baseline(-scaled_slope(d, torch.zeros_like(r), r)[0], draw.policy)
