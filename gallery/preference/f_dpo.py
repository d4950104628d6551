"""Preference pairs train a policy without a reward model under many divergences, and they trade reward for variety.

DPO holds the policy near a reference by one divergence. The paper shows that the trick, the reward that a policy stands
for, works for every f whose slope falls to −∞ at 0, and finds that DPO's own divergence gains the most reward while the
others keep answers more varied, Jensen–Shannon in between. Here twelve answers to each of six questions have rewards, a
judge compares pairs that the reference gave (Bradley–Terry), and tables of logits learn from the judge. At the same
distance from the reference the order is the paper's; at the same β it is not, because Jensen–Shannon as the
paper writes it is half as curved as KL at equality, so that the same β holds it half as firmly.

Slots: the policy is p, the reference q. The paper's "reverse KL" is our `kb.kl`, its "forward KL" our `kb.reverse_kl`,
its Jensen–Shannon our `kb.gan`, twice `kb.js`. The full-size code (Pythia and Llama on human dialogues) is the
authors' repository f-divergence-dpo, and TRL's `f_divergence_type`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.optimize import root_scalar
from torch import Tensor

import kullback as kb
from gallery.entry import Budget, Verdict, at_least, at_most
from gallery.toys.nets import train
from kullback.losses import preference

TITLE = "Beyond Reverse KL: Generalizing Direct Preference Optimization with Diverse Divergence Constraints"
REFERENCE = "wang2024"
RELATION = "core"
DIVERGENCES = ("kl", "reverse_kl", "js", "squared_hellinger")
CLAIM = (
    "At 0.4 nats from the reference kl earns most; reverse_kl keeps twice as much of every answer or more."
)
STATUS = "mixed"
SEEDS = 3

QUESTIONS, ANSWERS, MOVED, BETA = 6, 12, 0.4, 0.5
SHOWN = {"kl": kb.kl, "alpha ½": kb.alpha(0.5), "js": kb.gan, "reverse kl": kb.reverse_kl}


@dataclass(frozen=True)
class End:
    """A trained policy: its mean reward, how far that is off the best policy's, the least share kept, its entropy."""

    reward: float
    off: float
    kept: float
    entropy: float
    share: np.ndarray  # policy over reference


@dataclass(frozen=True)
class Run:
    """Rewards, and the end of every divergence, equally far from the reference and at the same β, as in the paper."""

    rewards: np.ndarray
    matched: dict[str, End]
    same_beta: dict[str, End]


def run(seed: int, budget: Budget) -> Run:
    """Four divergences, each with the slope of its own f for a reward."""
    return _run(seed, budget, SHOWN)


def control(seed: int, budget: Budget) -> Run:
    """The others have their coefficients but the slope of kl for a reward: DPO under another name."""
    return _run(seed, budget, dict.fromkeys(SHOWN, kb.kl))


def _run(seed: int, budget: Budget, slopes: dict[str, kb.FDivergence]) -> Run:
    rng = np.random.default_rng(seed)
    weights = np.exp(rng.normal(size=(QUESTIONS, ANSWERS)))
    weights /= weights.sum(-1, keepdims=True)
    rewards = rng.normal(size=weights.shape)

    def end(name: str, beta: float) -> End:
        policy = _trained(slopes[name], weights, rewards, beta, seed, budget.of(small=800, full=10_000))
        best = (_optimum(SHOWN[name], weights, rewards, beta) * rewards).sum(-1).mean()
        earned, share = (policy * rewards).sum(-1).mean(), policy / weights
        return End(earned, abs(earned - best), share.min(), np.asarray(kb.kl.entropy(policy)).mean(), share)

    matched = {name: end(name, _price(d, weights, rewards)) for name, d in SHOWN.items()}
    return Run(rewards, matched, {name: end(name, BETA) for name in SHOWN})


def _optimum(d: kb.FDivergence, reference: np.ndarray, rewards: np.ndarray, beta: float) -> np.ndarray:
    """The policies of largest reward − β D(policy‖reference)."""
    return np.asarray(kb.upper_expectation(d, rewards, reference=reference, penalty=beta).weights)


def _price(d: kb.FDivergence, reference: np.ndarray, rewards: np.ndarray) -> float:
    """The β whose best policies are `MOVED` nats of KL(policy‖reference) away, on average over the questions."""

    def excess(beta: float) -> float:
        return float(np.mean(kb.kl(_optimum(d, reference, rewards, beta), reference))) - MOVED

    return root_scalar(excess, bracket=(0.02, 50.0)).root


def _trained(d: kb.FDivergence, law: Any, worth: Any, beta: float, seed: int, steps: int) -> np.ndarray:
    """Tables of logits after learning from pairs that the reference gives and a judge of these rewards compares."""
    g = torch.Generator().manual_seed(seed)
    reference, rewards = torch.tensor(law), torch.tensor(worth)
    logits = reference.log().clone().requires_grad_()

    def loss(_: int) -> Tensor:
        pairs = torch.multinomial(reference, 512, replacement=True, generator=g).reshape(QUESTIONS, -1, 2)
        first, second = (torch.gather(rewards, 1, pairs[..., i]) for i in (0, 1))
        right = torch.rand(first.shape, generator=g, dtype=first.dtype) < torch.sigmoid(first - second)
        ratio = torch.log_softmax(logits, -1) - reference.log()
        one, two = (torch.gather(ratio, 1, pairs[..., i]) for i in (0, 1))
        chosen, rejected = torch.where(right, one, two), torch.where(right, two, one)
        return preference.f_dpo(d, chosen=chosen.flatten(), rejected=rejected.flatten(), beta=beta)

    train([logits], loss, steps=steps // 2, rate=0.2)
    train([logits], loss, steps=steps // 2, rate=0.01)
    return torch.softmax(logits.detach(), -1).numpy()


def check(runs: Sequence[Run]) -> list[Verdict]:
    """Every policy is the one promised; the order of reward and of variety, equally far and at the same β."""
    off = [max(e.off for e in (*r.matched.values(), *r.same_beta.values())) for r in runs]
    kept = [r.matched["reverse kl"].kept / r.matched["kl"].kept for r in runs]
    varied = [r.same_beta["reverse kl"].entropy - r.same_beta["kl"].entropy for r in runs]
    ahead, at_beta = [_ahead(r.matched) for r in runs], [_ahead(r.same_beta) for r in runs]
    return [
        at_most("reward off that of the best policy of the divergence (largest)", off, 0.05),
        at_least("equally far: reward of kl above the others' best", ahead, 0.0),
        at_least("least share kept of an answer, equally far: reverse kl over kl", kept, 2.0),
        at_least("at the same β: reward of kl above the others' best", at_beta, 0.0),
        at_least("at the same β: entropy of reverse kl above kl's", varied, 0.02),
    ]


def _ahead(ends: dict[str, End]) -> float:
    return ends["kl"].reward - max(end.reward for name, end in ends.items() if name != "kl")


def figure(run: Run, ax: Any) -> None:
    """What every policy keeps of each answer, against what the answer is worth."""
    for name, end in run.matched.items():
        ax.plot(run.rewards.ravel(), end.share.ravel(), linestyle="", label=f"{name}: {end.reward:.2f}")
    ax.set(yscale="log", xlabel="reward of the answer", ylabel="policy over reference")
    ax.legend(title="mean reward")
