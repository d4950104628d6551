"""Rankers learn worse from the negatives of a better retriever, because those are relevant and nobody looked at them.

Judges saw only what a basic retriever had brought up, so a relevant document that it misses counts as a negative; a
better retriever puts just these on top. The paper learns a model of what was selected together with the ranker, so that
each corrects the other's data. Here, on synthetic queries, the stronger negatives are worse also without false ones.
The correction is simplified: a label is relevance times selection, fitted by maximum likelihood, where the paper
weights two losses by each other's estimates; what it finds says little about the paper's.

Slots: KL(label‖chance of a label), `kb.kl`, the label first. The full-size version trains BERT rankers on MS MARCO.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

import kullback as kb
from gallery.entry import Budget, Verdict, at_least
from gallery.toys.nets import perceptron, train

TITLE = "Hard Negatives or False Negatives: Correcting Pooling Bias in Training Neural Ranking Models"
REFERENCE = "cai2022"
RELATION = "component"
DIVERGENCES = ("kl",)
CLAIM = (
    "Hard negatives from a stronger retriever hold more false ones and give a ranker with a smaller NDCG@10 than those "
    "from a weaker one; learning selection together with relevance makes it larger again."
)
STATUS = "mixed"
SEEDS = 3

QUERIES, DOCUMENTS, FEATURES, TOP, LIST = 200, 40, 8, 15, 10


@dataclass(frozen=True)
class World:
    """Features (queries, documents, features), relevance and labels, and the scores of two retrievers."""

    x: Tensor
    relevant: Tensor
    label: Tensor
    weaker: Tensor
    stronger: Tensor


@dataclass(frozen=True)
class Run:
    """By retriever of the negatives: the share of false ones, and NDCG@10 on new queries, also corrected."""

    false: tuple[float, float]  # weaker, stronger
    plain: tuple[float, float]
    spared: tuple[float, float]  # with the false ones left out
    coupled: tuple[float, float]


def run(seed: int, budget: Budget) -> Run:
    """Judges see what the basic retriever brings up."""
    return _run(seed, budget, pooled=True)


def control(seed: int, budget: Budget) -> Run:
    """Judges see every document."""
    return _run(seed, budget, pooled=False)


def _run(seed: int, budget: Budget, *, pooled: bool) -> Run:
    world, new = _world(2 * seed, pooled), _world(2 * seed + 1, pooled)
    steps, found = budget.of(small=200, full=5000), []
    for scores in (world.weaker, world.stronger):
        lists = [_list(world.label, scores, torch.Generator().manual_seed(k)) for k in range(20)]
        spared = [one & (world.label | ~world.relevant) for one in lists]
        negatives = torch.stack(lists) & ~world.label
        false = float(world.relevant.expand_as(negatives)[negatives].double().mean())
        ways = (lists, False), (spared, False), (lists, True)
        found.append((false, *(_ndcg(_ranker(world, own, seed, steps, couple=c), new) for own, c in ways)))
    return Run(*zip(*found, strict=True))


def _world(seed: int, pooled: bool) -> World:
    """Relevance needs three features, of which the basic retriever sees two."""
    rng = torch.Generator().manual_seed(seed)
    x = torch.randn(QUERIES, DOCUMENTS, FEATURES, generator=rng)
    meant, basic = 1.4 * (x[..., 0] + x[..., 1]) + x[..., 2], x[..., 0] + 0.5 * x[..., 2]
    chance, seen = torch.rand(2, QUERIES, DOCUMENTS, generator=rng)
    relevant = chance < torch.sigmoid(1.5 * meant - 4.5)
    judged = (seen < torch.sigmoid(3.0 * (basic - 1.0))) if pooled else torch.ones_like(relevant)
    return World(x, relevant, relevant & judged, basic, meant + 0.3 * torch.randn(meant.shape, generator=rng))


def _list(label: Tensor, scores: Tensor, rng: torch.Generator) -> Tensor:
    """Which documents of every query are learnt from: those labelled, and others at random from the top."""
    top = scores.argsort(1, descending=True).argsort(1) < TOP
    first = torch.where(label, 2.0, top + 0.9 * torch.rand(label.shape, generator=rng))
    return first >= first.topk(LIST, 1).values[:, -1:]


def _ranker(world: World, lists: Sequence[Tensor], seed: int, steps: int, *, couple: bool) -> nn.Module:
    ranker, selection = perceptron((FEATURES, 32, 1), seed=seed), perceptron((1, 8, 1), seed=seed + 1)
    goal = torch.stack([world.label, ~world.label], -1).float().log()

    def loss(step: int) -> Tensor:
        own = lists[step % len(lists)]
        yes = nn.functional.logsigmoid(ranker(world.x[own]))
        if couple:
            yes = yes + nn.functional.logsigmoid(selection(world.weaker[own][:, None]))
        chances = torch.cat([yes, (-torch.expm1(yes)).log()], -1)
        return kb.loss(kb.kl, student=chances, teacher=goal[own])

    train(nn.ModuleList([ranker, selection]), loss, steps=steps, rate=1e-2)
    return ranker


@torch.no_grad()
def _ndcg(ranker: nn.Module, world: World) -> float:
    """The mean over queries that have a relevant document of the discounted gain of ten, over the best there is."""
    some = world.relevant.any(1)
    order, gain = ranker(world.x[some])[..., 0].topk(10, 1).indices, world.relevant[some].float()
    discount = 1.0 / torch.log2(torch.arange(2.0, 12.0))
    return float(((gain.gather(1, order) @ discount) / (gain.topk(10, 1).values @ discount)).mean())


def check(runs: Sequence[Run]) -> list[Verdict]:
    """More false negatives, a worse ranker because of them, and what the correction gains."""
    more = [r.false[1] - r.false[0] for r in runs]
    gaps = [(r.plain[0] - r.plain[1], r.spared[0] - r.spared[1]) for r in runs]
    gains = [r.coupled[k] - r.plain[k] for r in runs for k in (0, 1)]
    return [
        at_least("share of false negatives, stronger less weaker", more, 0.01),
        at_least("NDCG@10, weaker less stronger", [a for a, _ in gaps], 0.005),
        at_least("of which goes away without the false ones", [a - b for a, b in gaps], 0.005),
        at_least("NDCG@10 that the correction gains, with either negatives", gains, 0.0),
    ]


def figure(run: Run, ax: Any) -> None:
    """The ranker against the share of false negatives."""
    for found, label in (
        (run.plain, "as they are"),
        (run.coupled, "corrected"),
        (run.spared, "no false ones"),
    ):
        ax.plot(run.false, found, label=label)
    ax.set(xlabel="false ones among the negatives: weaker, stronger", ylabel="NDCG@10 on new queries")
    ax.legend()
