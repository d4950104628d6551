"""A Bayes mixture of far more models than data learns well when many of its models are near the truth in KL.

Under log-loss the mixture's regret against the truth does not grow with the number of models or parameters. It is at
most n ε − log w(ε) for every ε, where w(ε) is the share of models within KL ε of the truth: a truth that much of the
class is near is simple. Here the class are random networks of 385 weights on four bits, far more than the 100 examples
that the mixture sees. Three truths are learned: a fair coin, the majority of the bits and their parity, with noise.
With eight times the models the regret falls by up to 0.7 nats instead of staying: a thousand random networks are a
coarse sample of what is near a truth. It never grows.

Slots: the truth is p and the model q of `kb.kl`. The paper approximates the mixture of trained networks by Langevin
dynamics; here the mixture is computed, and nothing is trained. There is no full-size code that we know of.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit, logsumexp

import kullback as kb
from gallery.entry import Budget, Verdict, at_least, at_most
from kullback.bounds import mixture_regret

TITLE = "The Universality Lens: Why Even Highly Over-Parametrized Models Learn Well"
REFERENCE = "feder2025"
RELATION = "core"
DIVERGENCES = ("kl",)
CLAIM = "Regret is set by the share of models near the truth in KL; eight times the models change it by less than 0.3."
STATUS = "mixed"
SEEDS = 3

BITS, HIDDEN, EXAMPLES = 4, 64, 100
INPUTS = np.array([[i >> b & 1 for b in range(BITS)] for i in range(2**BITS)], dtype=float)
TRUTHS = {
    "coin": np.full(len(INPUTS), 0.5),
    "majority": np.select([INPUTS.sum(1) > 2, INPUTS.sum(1) < 2], [0.8, 0.2], 0.5),
    "parity": np.where(INPUTS.sum(1) % 2 == 1, 0.8, 0.2),
}


@dataclass(frozen=True)
class Run:
    """Of every truth: regret of the mixture of few and of many models, the bound of the latter, and its models' KL."""

    few: dict[str, float]
    many: dict[str, float]
    bound: dict[str, float]
    distances: dict[str, np.ndarray]


def run(seed: int, budget: Budget) -> Run:
    """The mixture of all networks."""
    return _run(seed, budget, 0.0)


def control(seed: int, budget: Budget) -> Run:
    """The same without the tenth of them that is nearest to the truth."""
    return _run(seed, budget, 0.1)


def _run(seed: int, budget: Budget, left_out: float) -> Run:
    rng = np.random.default_rng(seed)
    models = _networks(rng, budget.of(small=8000, full=200_000))
    found = Run({}, {}, {}, {})
    for name, truth in TRUTHS.items():
        kls = _distances(truth, models)
        kept = kls >= np.quantile(kls, left_out)
        found.distances[name], found.bound[name] = kls, mixture_regret(kls, n=EXAMPLES).high
        counts = _samples(rng, truth, budget.of(small=400, full=4000))
        found.many[name] = _regret(counts, truth, models[kept])
        found.few[name] = _regret(counts, truth, models[kept][:: len(models) // 1000])
    return found


def _networks(rng: np.random.Generator, n: int) -> np.ndarray:
    """The chances of a 1 that n random networks give to every input, of shape (n, inputs)."""
    first = rng.normal(size=(n, BITS, HIDDEN))
    hidden = np.tanh((2.0 * INPUTS - 1.0) @ first + rng.normal(size=(n, 1, HIDDEN)))
    scale = 1.5 / np.sqrt(HIDDEN)
    return expit(scale * (hidden @ rng.normal(size=(n, HIDDEN, 1)))[..., 0] + 0.5 * rng.normal(size=(n, 1)))


def _distances(truth: np.ndarray, models: np.ndarray) -> np.ndarray:
    """KL of one example, inputs being uniform."""
    p = np.broadcast_to(_both(truth), (*models.shape, 2))
    return np.asarray(kb.kl(p, _both(models))).mean(-1)


def _both(chance: np.ndarray) -> np.ndarray:
    return np.stack([chance, 1.0 - chance], -1)


def _samples(rng: np.random.Generator, truth: np.ndarray, n: int) -> np.ndarray:
    """How often each input came with each answer, in n samples."""
    return rng.multinomial(EXAMPLES, _both(truth).ravel() / len(INPUTS), size=n)


def _regret(counts: np.ndarray, truth: np.ndarray, models: np.ndarray) -> float:
    """Mean over the samples of log truth less log mixture."""
    likelihood = counts @ np.log(_both(models)).reshape(len(models), -1).T
    mixture = logsumexp(likelihood, axis=1) - np.log(len(models))
    return float(np.mean(counts @ np.log(_both(truth)).ravel() - mixture))


def check(runs: Sequence[Run]) -> list[Verdict]:
    """Below the bound, deaf to the number of models, and smaller where more of the models are near."""
    return [
        at_most(
            "regret over its bound, at most",
            [max(r.many[k] / r.bound[k] for k in TRUTHS) for r in runs],
            1.0,
        ),
        at_most(
            "change of regret with eight times the models (log 8 = 2.08), at most",
            [max(abs(r.many[k] - r.few[k]) for k in ("coin", "majority")) for r in runs],
            0.3,
        ),
        at_least(
            "regret of majority above that of a coin, and of parity above that of majority, the smaller",
            [min(r.many["majority"] - r.many["coin"], r.many["parity"] - r.many["majority"]) for r in runs],
            0.0,
        ),
    ]


def figure(run: Run, ax: Any) -> None:
    """The share of models within ε of every truth."""
    for name, kls in run.distances.items():
        share = np.arange(1, len(kls) + 1) / len(kls)
        ax.plot(
            np.sort(kls),
            share,
            marker="",
            label=f"{name}: regret {run.many[name]:.1f} ≤ {run.bound[name]:.1f}",
        )
    ax.set(xscale="log", yscale="log", xlabel="ε: KL(truth‖model)", ylabel="share of the models within ε")
    ax.legend()
