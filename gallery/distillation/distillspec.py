"""Speculative decoding gains from every draft that is accepted; distilling the drafter makes that more frequent.

A small model drafts some tokens, a large one accepts or replaces them in one call, and the text has the large model's
law. A token is accepted with probability 1 − TV of the two. The paper trains the drafter on the large model's outputs
and finds that the divergence matters, and 10 to 45 % more speed than with a drafter that only learned text. Here the
large model is a trigram of Python sources, the drafter a table of rank 8, the standard one learned 20000 characters.
Contexts are those of the text; the paper's drafter also writes its own. All four losses help; total variation, which
is the rate of rejection itself, is behind Jensen–Shannon by 0.003 to 0.004.

Slots: the large model is p, the drafter q: `kb.kl` is the paper's forward KL, `kb.reverse_kl` its reverse KL.
We know of no full-size code (pairs of T5 models) by the authors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

import kullback as kb
from gallery.entry import Budget, Verdict, at_least
from gallery.toys.nets import train
from gallery.toys.text import ALPHABET, contexts
from kullback.losses import acceptance, speculative_step, speed_up

TITLE = "DistillSpec: Improving Speculative Decoding via Knowledge Distillation"
REFERENCE = "zhou2024"
RELATION = "core"
DIVERGENCES = ("kl", "reverse_kl", "js", "total_variation")
CLAIM = (
    "Distilled drafters yield 10 % more tokens a call than one that learned text, most by total variation."
)
STATUS = "mixed"
SEEDS = 3

LETTERS, RANK, DRAFTED = len(ALPHABET), 8, 4
LOSSES = (kb.kl, kb.reverse_kl, kb.js, kb.total_variation)


@dataclass(frozen=True)
class Run:
    """Of each drafter: how often it is accepted, and the tokens that a call of the large model yields in decoding."""

    acceptance: dict[str, float]
    tokens: dict[str, float]


def run(seed: int, budget: Budget) -> Run:
    """Four divergences toward the large model."""
    return _run(seed, budget, LOSSES)


def control(seed: int, budget: Budget) -> Run:
    """Nothing is distilled: the drafter that learned text stands in for all others."""
    return _run(seed, budget, ())


def _run(seed: int, budget: Budget, losses: Sequence[kb.FDivergence]) -> Run:
    all_text, little, steps = _counts(None), _counts(20_000), budget.of(small=200, full=3000)
    often = torch.tensor(all_text.sum(-1).argsort()[: -budget.of(small=600, full=2000) - 1 : -1].copy())
    share = torch.tensor(all_text.sum(-1) / all_text.sum(), dtype=torch.float32)
    large = _smoothed(all_text)
    learned = torch.tensor(little / np.maximum(little.sum(-1, keepdims=True), 1.0), dtype=torch.float32)
    seen = torch.tensor(little.sum(-1) / little.sum(), dtype=torch.float32)
    standard = _drafter(kb.kl, learned.log(), seen, torch.nonzero(seen)[:, 0], seed, steps)
    drafters = {"text only": standard} | {d.name: standard for d in LOSSES}
    drafters |= {d.name: _drafter(d, large, share, often, seed, steps) for d in losses}
    return Run(
        acceptance={k: float((share * acceptance(z, large)).sum()) for k, z in drafters.items()},
        tokens={k: _decoded(z, large, share, seed) for k, z in drafters.items()},
    )


def _counts(until: int | None) -> np.ndarray:
    """How often each character follows each pair, a row each."""
    before, after = contexts(2)
    pairs = before[:until] @ np.array([LETTERS, 1])
    found = np.bincount(pairs * LETTERS + after[:until], minlength=LETTERS**3)
    return found.reshape(-1, LETTERS).astype(float)


def _smoothed(counts: np.ndarray) -> Tensor:
    """Log-probabilities of a trigram, with five pseudo-counts of the bigram."""
    bigram = counts.reshape(LETTERS, LETTERS, LETTERS).sum(0) + 0.1
    prior = np.tile(bigram / bigram.sum(-1, keepdims=True), (LETTERS, 1))
    total = counts.sum(-1, keepdims=True) + 5.0
    return torch.tensor((counts + 5.0 * prior) / total, dtype=torch.float32).log()


def _drafter(d: kb.FDivergence, target: Tensor, share: Tensor, rows: Tensor, seed: int, steps: int) -> Tensor:
    """Logits of every pair of characters: two tables of rank 8, trained on some of the pairs by their share."""
    g = torch.Generator().manual_seed(seed)
    shapes = ((LETTERS, RANK), (LETTERS, RANK), (RANK, LETTERS), (1, LETTERS))
    first, second, out, bias = own = [(0.1 * torch.randn(s, generator=g)).requires_grad_() for s in shapes]

    def logits(pairs: Tensor) -> Tensor:
        return (first[pairs // LETTERS] + second[pairs % LETTERS]) @ out + bias

    weight, wanted = share[rows], target[rows]
    train(own, lambda _: (weight * kb.per_token(d, logits(rows), wanted)).sum(), steps=steps, rate=0.05)
    return logits(torch.arange(LETTERS**2)).detach()


def _decoded(drafter: Tensor, large: Tensor, share: Tensor, seed: int) -> float:
    """Tokens a call, of 4000 places of the text at which four characters are drafted one after the other."""
    g = torch.Generator().manual_seed(seed)
    pairs = [torch.multinomial(share, 4000, replacement=True, generator=g)]
    drafts = []
    for _ in range(DRAFTED):
        drafts.append(torch.multinomial(drafter[pairs[-1]].softmax(-1), 1, generator=g)[:, 0])
        pairs.append(pairs[-1] % LETTERS * LETTERS + drafts[-1])
    at = torch.stack(pairs, -1)
    verdict = speculative_step(drafter[at[:, :-1]], large[at], torch.stack(drafts, -1), generator=g)
    return float(verdict.accepted.float().mean()) + 1.0


def check(runs: Sequence[Run]) -> list[Verdict]:
    """Every distilled drafter is accepted more, decoding yields a tenth more, and total variation does best."""
    names, best = [d.name for d in LOSSES], "total_variation"
    return [
        at_least(
            "acceptance gained by any of the four losses",
            [min(r.acceptance[k] for k in names) - r.acceptance["text only"] for r in runs],
            0.01,
        ),
        at_least(
            "tokens a call in decoding, of total variation over text only",
            [r.tokens[best] / r.tokens["text only"] for r in runs],
            1.10,
        ),
        at_least(
            "acceptance of total variation above the best of the others",
            [r.acceptance[best] - max(r.acceptance[k] for k in names if k != best) for r in runs],
            -0.002,
        ),
    ]


def figure(run: Run, ax: Any) -> None:
    """The speed-up over the large model alone against the number of drafted tokens."""
    drafted = range(1, 13)
    for name, chance in run.acceptance.items():
        label = name.replace("_", " ")
        ax.plot(drafted, [speed_up(chance, n, cost=0.05) for n in drafted], label=label)
    ax.set(xlabel="tokens drafted", ylabel="expected speed-up")
    ax.legend()
