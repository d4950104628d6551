"""Preferences that hang on few tokens: masks on the log-ratios and on the divergences of every position."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import Tensor, nn

from kullback.divergences import FDivergence, kl
from kullback.errors import ShapeError
from kullback.losses.batches import NonFinite, averaged
from kullback.losses.heads import Head
from kullback.losses.preference.checks import check_coefficient, check_rate, check_same
from kullback.losses.preference.link import gap
from kullback.losses.preference.pairs import logistic, under_noise
from kullback.losses.selected import selected


@dataclass(frozen=True, eq=False)
class Answers:
    r"""Answers token by token, $r_t = \log \pi / \pi_{\mathrm{ref}}$ and $D(\pi_{\mathrm{ref}} \| \pi)$ at every place.

    All of shape (answers, tokens): `log_ratio` of the token that was said, `divergence` of the whole vocabulary, `mask`
    true where the answer is, and two weights m ≥ 0 on those tokens, of the reward and of the divergence, 1 where they
    are `None`. Source: [christopoulou2024].

    >>> import torch, kullback as kb
    >>> policy, reference = torch.tensor([[[0.75, 0.25]]]).log(), torch.tensor([[[0.5, 0.5]]]).log()
    >>> said = Answers.of(policy=policy, reference=reference, ids=torch.tensor([[0]]), mask=torch.tensor([[True]]))
    >>> round(float(said.log_ratio), 6), round(float(said.divergence), 6)  # log(3/2), KL(reference‖policy)
    (0.405465, 0.143841)
    """

    log_ratio: Tensor
    divergence: Tensor
    mask: Tensor
    reward_mask: Tensor | None = None
    divergence_mask: Tensor | None = None

    @classmethod
    def of(
        cls,
        *,
        policy: Tensor | Head,
        reference: Tensor | Head,
        ids: Tensor,
        mask: Tensor,
        d: FDivergence = kl,
    ) -> Answers:
        """From logits or heads of shape (answers, tokens, classes): one pass over both, d(reference‖policy)."""
        made = selected(policy, ids, reference=reference, d=d.dual, mask=mask)
        return cls(cast("Tensor", made.log_ratio), cast("Tensor", made.divergence), mask)

    def masked(self, reward: Tensor, *, divergence: Tensor | None = None) -> Answers:
        """The same with weights on its tokens, one for both if the second is not given."""
        return replace(self, reward_mask=reward, divergence_mask=reward if divergence is None else divergence)

    def parts(self) -> tuple[Tensor, ...]:
        """Log-ratios, divergences, both weights and the mask, once their shapes agree."""
        ones = torch.ones_like(self.log_ratio)
        weights = [ones if m is None else m for m in (self.reward_mask, self.divergence_mask)]
        names = ("log_ratio", "divergence", "reward_mask", "divergence_mask", "mask")
        found = (self.log_ratio, self.divergence, *weights, self.mask)
        check_same(dict(zip(names, found, strict=True)), axes=2)
        return found


def sparse(
    d: FDivergence,
    *,
    chosen: Answers,
    rejected: Answers,
    beta: float = 0.1,
    label_smoothing: float = 0.0,
    sparsity: float = 0.0,
    mask: Tensor | None = None,
    weight: Tensor | None = None,
    nonfinite: NonFinite = "propagate",
) -> Tensor:
    r"""Preference optimisation with a weight on every token, the mean over pairs of $-\log \sigma(\beta (u - \delta))$.

    $$u = f'(e^{R_c}) - f'(e^{R_r}), \quad R = \sum_t m_t r_t, \qquad
    \delta = S_r - S_c, \quad S = \sum_t m'_t\, D(\pi_{\mathrm{ref}} \| \pi)_t.$$

    `chosen` and `rejected` are `Answers`, whose weights m on the rewards and m' on the divergences come from
    `activation_mask` or a `TokenMask`. With `kb.kl` it is SparsePO, and with weights of 1 TDPO. `sparsity` times the
    mean weight of a pair's tokens is added, an L1 penalty. In nats; other arguments and errors as in `f_dpo`.
    Source: [christopoulou2024], [zeng2024].

    >>> import torch, kullback as kb
    >>> def answer(*ratios):
    ...     r = torch.tensor([ratios]).log()
    ...     return Answers(r, torch.zeros_like(r), torch.ones_like(r, dtype=torch.bool))
    >>> round(float(sparse(kb.kl, chosen=answer(2.0, 2.0), rejected=answer(2.0), beta=1.0)), 6)  # −log(2/(2 + 1))
    0.405465
    """
    check_coefficient("beta", beta)
    check_coefficient("sparsity", sparsity, zero=True)
    check_rate("label_smoothing", label_smoothing)
    better, worse = chosen.parts(), rejected.parts()
    if len(better[0]) != len(worse[0]):
        raise ShapeError(
            f"there are {len(better[0])} chosen and {len(worse[0])} rejected answers; expected pairs"
        )

    def terms(*parts: Tensor) -> Tensor:
        sums = [_sums(*parts[: len(better)]), _sums(*parts[len(better) :])]
        margin = beta * (gap(d, sums[0][0], sums[1][0]) - (sums[1][1] - sums[0][1]))
        loss = under_noise(logistic, margin, label_smoothing, 0.0)
        if not sparsity:
            return loss
        weights, tokens = (sums[0][i] + sums[1][i] for i in (2, 3))
        return loss + sparsity * weights / tokens.clamp(min=1)

    return averaged(terms, *better, *worse, mask=mask, weight=weight, nonfinite=nonfinite)


def _sums(
    r: Tensor, divergence: Tensor, m: Tensor, other: Tensor, counts: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Weighted log-ratio and divergence of whole answers, the mean of both weights, the number of tokens."""
    r, divergence, m, other = (torch.where(counts, x, 0.0) for x in (r, divergence, m, other))
    return (m * r).sum(-1), (other * divergence).sum(-1), 0.5 * (m + other).sum(-1), counts.sum(-1)


class TokenMask(nn.Module):
    r"""Learned weights of tokens, $m_t = \frac1L \sum_l \mathrm{ReLU}(\langle w_l, h_{l,t} \rangle + b_l)$.

    Hidden states of the reference (layers, answers, tokens, `width`), or of one layer without the first axis, give
    (answers, tokens). It starts at 1 everywhere and is trained along with the policy; `sparse(..., sparsity=)` draws it
    towards 0. Source: [christopoulou2024].

    >>> import torch
    >>> TokenMask(3)(torch.zeros(2, 4, 3)).tolist()[0]
    [1.0, 1.0, 1.0, 1.0]
    """

    def __init__(self, width: int, *, layers: int = 1) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(layers, width))
        self.bias = nn.Parameter(torch.ones(layers))

    def forward(self, hidden: Tensor) -> Tensor:
        """The weight of every token."""
        states = _by_layer(hidden)
        if (states.shape[0], states.shape[-1]) != tuple(self.weight.shape):
            raise ShapeError(
                f"hidden states have shape {tuple(hidden.shape)}; expected {self.weight.shape[0]} layers of width "
                f"{self.weight.shape[1]}"
            )
        scores = torch.einsum("lntw,lw->lnt", states.to(self.weight.dtype), self.weight)
        return torch.relu(scores + self.bias[:, None, None]).mean(0)


def activation_mask(hidden: Tensor, mask: Tensor) -> Tensor:
    r"""Weights of tokens from the reference alone: how active it is at each, between 0 and 1 within every answer.

    $$m_t = \frac1L \sum_l \frac{a_{l,t} - \min_s a_{l,s}}{\max_s a_{l,s} - \min_s a_{l,s}}, \qquad
    a_{l,t} = \frac1w \sum_i |h_{l,t,i}|$$

    `hidden` as for `TokenMask`, constants here; `mask` (answers, tokens) says where the answer is, m is 0 elsewhere.
    An answer whose tokens are all as active has m = 1. Source: [christopoulou2024].

    >>> import torch
    >>> activation_mask(torch.tensor([[[1.0], [-3.0], [2.0]]]), torch.ones(1, 3, dtype=torch.bool)).tolist()
    [[0.0, 1.0, 0.5]]
    """
    states = _by_layer(hidden).detach()
    if tuple(states.shape[1:3]) != tuple(mask.shape):
        raise ShapeError(
            f"`mask` has shape {tuple(mask.shape)}; expected {tuple(states.shape[1:3])}, one a token"
        )
    size = states.abs().mean(-1)
    low = torch.where(mask, size, torch.inf).amin(-1, keepdim=True)
    high = torch.where(mask, size, -torch.inf).amax(-1, keepdim=True)
    level = high <= low
    share = torch.where(level, 1.0, (size - low) / torch.where(level, 1.0, high - low))
    return torch.where(mask, share, 0.0).mean(0)


def _by_layer(hidden: Tensor) -> Tensor:
    if hidden.ndim not in (3, 4):
        raise ShapeError(
            f"hidden states have shape {tuple(hidden.shape)}; expected (layers, answers, tokens, width) or one layer"
        )
    return hidden if hidden.ndim == 4 else hidden[None]
