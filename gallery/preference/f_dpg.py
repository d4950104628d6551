"""A language model learns to obey a constraint by moving toward a target law, and how to measure the way is a choice.

The target is the original model, restricted to texts that obey and scaled to sum to one; it can be evaluated but not
drawn from. Earlier methods minimise one KL divergence from it (distributional policy gradient), or the other one
(reinforcement learning with a KL penalty). The paper does so for any f from samples of the policy, with −f' of the
policy's ratio to the target for a reward, and finds that Jensen–Shannon often beats the earlier choices by far. Here
the model writes lines of twelve characters of Python, each from the one before, and a line is to contain a colon. All
obey far more often, Jensen–Shannon ahead, but not by far: a table is soon as good as a table can be.
KL(policy‖target) is infinite under so hard a constraint, as the paper says, and takes no part.

Slots: the policy is p, the target q. The paper's forward KL, GDC's, is our `kb.reverse_kl`, KL(target‖policy).
The full-size version (GPT-2 under preferences) is in the authors' repository disco.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

import kullback as kb
from gallery.entry import Budget, Verdict, at_least, close
from gallery.toys import bigram
from gallery.toys.nets import train
from gallery.toys.text import ALPHABET
from kullback.losses import policy

TITLE = "Aligning Language Models with Preferences through f-divergence Minimization"
REFERENCE = "go2023"
RELATION = "core"
DIVERGENCES = ("js", "reverse_kl", "total_variation")
CLAIM = "After as many steps more lines obey under Jensen–Shannon than under KL(target‖policy), by 5 in 100 or more."
STATUS = "mixed"
SEEDS = 3

LENGTH, BATCH = 12, 256
SHOWN = (kb.reverse_kl, kb.js, kb.total_variation)


@dataclass(frozen=True)
class Run:
    """Of each divergence: the share of lines that obey at some steps, KL(target‖policy) at the end, and its log Z."""

    steps: tuple[int, ...]
    obeys: dict[str, list[float]]
    to_target: dict[str, float]
    log_z: dict[str, float]
    before: float  # KL(target‖original)
    true_log_z: float


def run(seed: int, budget: Budget) -> Run:
    """Three divergences from the original model restricted to lines with a colon."""
    return _run(seed, budget, constrained=True)


def control(seed: int, budget: Budget) -> Run:
    """The target is the original model itself, without the constraint."""
    return _run(seed, budget, constrained=False)


def _run(seed: int, budget: Budget, *, constrained: bool) -> Run:
    original = bigram.learned()
    lines = bigram.lines(original, 20_000, length=LENGTH, rng=torch.Generator().manual_seed(10_000 + seed))
    good = lines[_obey(lines)]
    log_z = np.log(len(good) / len(lines))
    rounds, each = budget.of(small=6, full=40), budget.of(small=25, full=100)
    paths, partitions = {}, {}
    for d in SHOWN:
        partitions[d.name] = policy.Partition()
        moved = _moved(d, original, partitions[d.name], seed, constrained, each)
        paths[d.name] = [original, *itertools.islice(moved, rounds)]
    g = torch.Generator().manual_seed(20_000 + seed)
    return Run(
        steps=tuple(i * each for i in range(rounds + 1)),
        obeys={
            k: [float(_obey(bigram.lines(t, 4000, length=LENGTH, rng=g)).float().mean()) for t in path]
            for k, path in paths.items()
        },
        to_target={k: _to_target(path[-1], original, good, log_z) for k, path in paths.items()},
        log_z={k: z.value for k, z in partitions.items()},
        before=_to_target(original, original, good, log_z),
        true_log_z=log_z,
    )


def _moved(
    d: kb.FDivergence, original: Tensor, z: policy.Partition, seed: int, constrained: bool, steps: int
) -> Iterator[Tensor]:
    """The policy after every so many steps toward the target."""
    g, table = torch.Generator().manual_seed(seed), original.clone().requires_grad_()

    def loss(_: int) -> Tensor:
        x = bigram.lines(table.detach(), BATCH, length=LENGTH, rng=g)
        target, said = bigram.log_law(original, x), bigram.log_law(table, x)
        target = torch.where(_obey(x), target, -torch.inf) if constrained else target
        z.update(target=target, drawn_with=said.detach())
        return policy.f_dpg(d, policy=said, target=target, log_partition=z.value)

    while True:
        train([table], loss, steps=steps, rate=0.03)
        yield table.detach().clone()


def _to_target(table: Tensor, original: Tensor, good: Tensor, log_z: float) -> float:
    """KL(target‖policy), from lines of the original that obey."""
    wanted = bigram.log_law(original, good) - log_z
    said = bigram.log_law(table, good)
    return float(policy.penalty(kb.reverse_kl, policy=said, reference=wanted, drawn_with=wanted))


def _obey(x: Tensor) -> Tensor:
    return (x == ALPHABET.index(":")).any(-1)


def check(runs: Sequence[Run]) -> list[Verdict]:
    """Jensen–Shannon obeys more than KL(target‖policy), the policy comes nearer its target, and Z is learnt."""
    js, kl = ([r.obeys[name][-1] for r in runs] for name in ("js", "reverse_kl"))
    tv = [r.obeys["total_variation"][-1] for r in runs]
    nearer = [r.before - r.to_target["js"] for r in runs]
    return [
        at_least("more lines obey by js than by KL(target‖policy)", np.subtract(js, kl), 0.0),
        at_least("and by a wide margin", np.subtract(js, kl), 0.05),
        at_least(
            "more lines obey by js than in the original",
            [r.obeys["js"][-1] - r.obeys["js"][0] for r in runs],
            0.3,
        ),
        at_least("more lines obey by total variation than by KL(target‖policy)", np.subtract(tv, kl), 0.0),
        at_least("nats of KL(target‖policy) that js takes off", nearer, 0.5),
        close(
            "log Z of js off the share that obeys",
            [r.log_z["js"] - r.true_log_z for r in runs],
            0.0,
            within=0.2,
        ),
    ]


def figure(run: Run, ax: Any) -> None:
    """The share of lines that obey, step by step."""
    for name, share in run.obeys.items():
        ax.plot(run.steps, share, label=f"{name.replace('_', ' ')}: {run.to_target[name]:.2f}")
    ax.set(xlabel="steps", ylabel="lines with a colon", ylim=(0, 1))
    ax.legend(title="KL(target‖policy) at the end")
