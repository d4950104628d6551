"""Unlearning: a template answer is learnt in the place of one to forget, through the critic of any f-divergence."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from kullback.divergences import FDivergence
from kullback.errors import DTypeError, InvalidInputError, ShapeError
from kullback.losses.batches import NonFinite, averaged

__all__ = ["Critic", "Direct", "LogRatio", "flat", "mean_token_probability"]

_ROUNDING = 1e-5  # what the mean of many single-precision probabilities may be above 1


class Critic(Protocol):
    """A map of a probability to the value of a critic, and the conjugate there."""

    def score(self, d: FDivergence, v: Tensor) -> Tensor:
        """The critic, g*(v): increasing in v."""
        ...

    def conjugate(self, d: FDivergence, v: Tensor) -> Tensor:
        """The conjugate of the generator at the critic, f*(g*(v)): increasing in v."""
        ...


@dataclass(frozen=True)
class Direct:
    r"""The probability itself as the critic, bent below the largest slope of f where there is one.

    $$g^*(v) = v, \qquad \text{or } s \tanh v \text{ where } s = \lim f(t)/t, \text{ the end of the domain of } f^*,
    \text{ is finite.}$$

    For every f, kinks included, with f in standard form, f'(1) = 0. It is the published choice for `total_variation`,
    `pearson_chi2` and `jeffreys`. Source: [wang2025], [nowozin2016].

    >>> import torch, kullback as kb
    >>> v = torch.tensor(0.5)
    >>> float(Direct().score(kb.pearson_chi2, v)), float(Direct().conjugate(kb.pearson_chi2, v))  # v, v + v²/4
    (0.5, 0.5625)
    """

    def score(self, d: FDivergence, v: Tensor) -> Tensor:
        """v, or s tanh v."""
        return v if math.isinf(d.at_infinity) else d.at_infinity * torch.tanh(v)

    def conjugate(self, d: FDivergence, v: Tensor) -> Tensor:
        """The conjugate of d there."""
        return d.conjugate(self.score(d, v))


@dataclass(frozen=True)
class LogRatio:
    r"""The slope of f at a log-ratio of v, the critic that attains D_f where v is the log-ratio.

    $$g^*(v) = f'(e^{v + c}), \qquad f^*(g^*(v)) = e^{v + c} f'(e^{v + c}) - f(e^{v + c}),$$

    with c = `offset`. The published choice is this one for 2 `js` at c = 0 and for `kl` at c = −1. Scores raise
    `InvalidInputError` for an f that is straight somewhere for 0 ≤ v ≤ 1, as `total_variation` is: its slope does not
    tell one probability from another. Source: [wang2025], [nowozin2016].

    >>> import torch, kullback as kb
    >>> v = torch.tensor(1.0)
    >>> float(LogRatio(-1.0).score(kb.kl, v)), float(LogRatio(-1.0).conjugate(kb.kl, v))  # log 1, 1 − 1
    (0.0, 0.0)
    """

    offset: float = 0.0

    def __post_init__(self) -> None:
        if not math.isfinite(self.offset):
            raise InvalidInputError(f"`offset` is {self.offset!r}; expected a finite number")

    def score(self, d: FDivergence, v: Tensor) -> Tensor:
        """The slope of d."""
        self._check_curved(d)
        return d.slope(v + self.offset)

    def conjugate(self, d: FDivergence, v: Tensor) -> Tensor:
        """Minus the tilt of d."""
        self._check_curved(d)
        return -d.tilt(v + self.offset)

    def _check_curved(self, d: FDivergence) -> None:
        places = torch.linspace(0.0, 1.0, 9, dtype=torch.float64)[1:-1]  # a kink is at 0, if anywhere
        if not bool((d.curvature(places + self.offset) > 0).all()):
            raise InvalidInputError(
                f"the slope of {d.name} is constant somewhere between t = e^{self.offset:g} and e^{self.offset + 1:g}: "
                "as a critic it has no gradient there; use Direct(), which serves every divergence"
            )


def flat(
    d: FDivergence,
    *,
    template: Tensor,
    forget: Tensor,
    critic: Critic | None = None,
    mask: Tensor | None = None,
    weight: Tensor | None = None,
    nonfinite: NonFinite = "propagate",
) -> Tensor:
    r"""Forget data with loss adjustment only: no reference model and no data to retain.

    $$\frac1n \sum_i -g^*(v_{t,i}) + f^*(g^*(v_{f,i}))$$

    `template` and `forget` are the model's mean token probabilities $v_t$ and $v_f$ of a template answer ("I do not
    know") and of the answer to forget, to the same n questions, as `mean_token_probability` makes them; not logarithms.
    It is minus a lower bound of D_f(template‖forget), the templates' law first, with $g^*$ of the model's probability
    as the critic; under every f its derivative is negative in $v_t$ and positive in $v_f$. `critic` is `Direct()`, the
    default, or `LogRatio()`. Examples count where `mask` is true, `weight` multiplies, and `nonfinite` says what
    becomes of numbers that are not finite: `"propagate"`, `"skip"` with a warning that counts, or `"raise"`.

    Raises `ShapeError`, `DTypeError`, and `InvalidInputError` for what is not a probability. Source: [wang2025].

    >>> import torch, kullback as kb
    >>> template, forget = torch.tensor([0.0]), torch.tensor([0.5])
    >>> float(flat(kb.pearson_chi2, template=template, forget=forget))  # −0 + 1/2 + 1/16
    0.5625
    """
    for name, v in (("template", template), ("forget", forget)):
        _check_probabilities(name, v, mask)
    if template.shape != forget.shape:
        raise ShapeError(
            f"`template` has shape {tuple(template.shape)} and `forget` {tuple(forget.shape)}; expected the same n"
        )
    by = critic if critic is not None else Direct()

    def terms(wanted: Tensor, unwanted: Tensor) -> Tensor:
        return by.conjugate(d, unwanted) - by.score(d, wanted)

    return averaged(terms, _single(template), _single(forget), mask=mask, weight=weight, nonfinite=nonfinite)


def mean_token_probability(log_probs: Tensor, *, mask: Tensor | None = None) -> Tensor:
    r"""The mean over an answer's tokens of the probability that the model gives each, $\frac1T \sum_t p_t$.

    `log_probs` has shape (answers, tokens), as `selected` makes them; tokens count where `mask`, of the same shape, is
    true. Not to be confused with the probability of the answer, their product. Raises `ShapeError`, and
    `InvalidInputError` for an answer without a token. Source: [wang2025].

    >>> import torch
    >>> round(float(mean_token_probability(torch.tensor([[0.5, 0.25]]).log())), 6)
    0.375
    """
    if log_probs.ndim != 2 or (mask is not None and mask.shape != log_probs.shape):
        told = "" if mask is None else f" and `mask` {tuple(mask.shape)}"
        raise ShapeError(
            f"`log_probs` has shape {tuple(log_probs.shape)}{told}; expected (answers, tokens) for all"
        )
    x = _single(log_probs)
    counts = torch.ones_like(x, dtype=torch.bool) if mask is None else mask.bool()
    tokens = counts.sum(-1)
    if not bool((tokens > 0).all()):
        raise InvalidInputError(f"{int((tokens == 0).sum())} of {len(x)} answers have no token that counts")
    return torch.where(counts, torch.where(counts, x, 0.0).exp(), 0.0).sum(-1) / tokens


def _single(x: Tensor) -> Tensor:
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def _check_probabilities(name: str, v: Tensor, mask: Tensor | None) -> None:
    if not isinstance(v, Tensor) or not v.is_floating_point():
        got = v.dtype if isinstance(v, Tensor) else type(v).__name__
        raise DTypeError(f"`{name}` is {got}; expected a torch tensor of real numbers")
    if v.ndim != 1:
        raise ShapeError(f"`{name}` has shape {tuple(v.shape)}; expected one probability for every answer")
    counts = v.detach() if mask is None or mask.shape != v.shape else v.detach()[mask.bool()]
    wrong = (counts < 0) | (counts > 1 + _ROUNDING)
    if bool(wrong.any()):
        raise InvalidInputError(
            f"{int(wrong.sum())} of {len(counts)} numbers of `{name}` are not probabilities, the first is "
            f"{float(counts[wrong][0]):g}; pass mean token probabilities, not their logarithms"
        )
