"""Images are clustered by an autoencoder that is trained at once to rebuild them and to meet its own better guesses.

A softmax on the codes says to which cluster an image belongs. Again and again a better guess is made of these
assignments, one that pays for clusters of uneven sizes, and the network, its layers disturbed by dropout, is trained
toward it by relative entropy while decoders rebuild image and hidden layer. The paper's text and its published code
have different targets: p/√size, and the sharper p²/size. Here handwritten digits are clustered from the assignments of
k-means, by both, and by p² without regard to sizes.

Slots: the guess first, the network second, `kb.kl`; the balance is KL(shares‖uniform). The full-size version has
convolutional layers and starts from agglomerative clusters, in the authors' repository DEPICT.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans
from torch import Tensor, nn

import kullback as kb
from gallery.entry import Budget, Verdict, at_least
from gallery.toys.digits import digits
from gallery.toys.nets import batches, perceptron, train
from kullback.losses.supervision import dec_targets, depict_targets

TITLE = "Deep Clustering via Joint Convolutional Autoencoder Embedding and Relative Entropy Minimization"
REFERENCE = "dizaji2017"
RELATION = "core"
DIVERGENCES = ("kl",)
CLAIM = (
    "Training toward balanced guesses puts more images into the right cluster than the k-means it starts from, and "
    "than guesses without the balance, with clusters of more even sizes."
)
STATUS = "mixed"
SEEDS = 3

CLUSTERS, DROPOUT, BATCH = 10, 0.2, 100
FIRST, EVERY = 200, 20  # steps toward k-means, and between guesses
Targets = Callable[[Tensor], Tensor]  # of logits (n, clusters), as logarithms


@dataclass(frozen=True)
class Clusters:
    """Accuracy under the best naming, and KL(shares‖uniform), at the start of the last stage and during it."""

    accuracy: list[float]
    uneven: list[float]


@dataclass(frozen=True)
class Run:
    """The accuracy of k-means, and the clusters by each target."""

    start: float
    code: Clusters
    text: Clusters
    free: Clusters


def run(seed: int, budget: Budget) -> Run:
    """Both targets, and the one without the balance."""
    return _run(seed, budget, dec_targets)


def control(seed: int, budget: Budget) -> Run:
    """The code's target with the balance turned round: large clusters grow."""
    return _run(seed, budget, lambda z: (2 * z.log_softmax(-1) + z.softmax(-1).sum(0).log()).log_softmax(-1))


def _run(seed: int, budget: Budget, code: Targets) -> Run:
    steps, data = budget.of(small=300, full=20_000), digits(seed)
    x, labels = torch.cat([data.images, data.test_images]), torch.cat([data.labels, data.test_labels]).numpy()
    means = KMeans(CLUSTERS, n_init=5, random_state=seed)  # pyright: ignore[reportArgumentType] (a wrong stub)
    start = means.fit_predict(x.numpy())
    every = code, depict_targets, lambda z: (2 * z).log_softmax(-1)
    return Run(_accuracy(start, labels), *(_clustered(x, labels, start, t, seed, steps) for t in every))


def _clustered(
    x: Tensor, labels: np.ndarray, start: np.ndarray, targets: Targets, seed: int, steps: int
) -> Clusters:
    encoder, decoder = perceptron((64, 128, 32), seed=seed), perceptron((32, 128, 64), seed=seed + 1)
    head, rows = perceptron((32, CLUSTERS), seed=seed + 2), batches(len(x), BATCH, seed=seed)
    rng, found = torch.Generator().manual_seed(seed), Clusters([], [])
    goal = nn.functional.one_hot(torch.tensor(start).long(), CLUSTERS).float().log()

    def loss(step: int) -> Tensor:
        nonlocal goal
        if step >= FIRST and step % EVERY == 0:
            goal = targets(said())
        own = rows(step)
        clean, hidden = (encoder[:2](part) for part in (x[own], _dropped(x[own], rng)))
        code = encoder[2](_dropped(hidden, rng))
        rebuilt = decoder[:2](code)
        errors = (decoder[2](rebuilt) - x[own]).square().mean() + (rebuilt - clean.detach()).square().mean()
        return errors + kb.loss(kb.kl, student=head(code), teacher=goal[own])

    @torch.no_grad()
    def said() -> Tensor:
        logits = head(encoder(x))
        shares = logits.softmax(-1).mean(0)
        found.accuracy.append(_accuracy(logits.argmax(-1).numpy(), labels))
        found.uneven.append(float(kb.kl(shares, torch.full_like(shares, 1 / CLUSTERS))))
        return logits

    train(nn.ModuleList([encoder, decoder, head]), loss, steps=FIRST + steps)
    said()
    return found


def _dropped(x: Tensor, rng: torch.Generator) -> Tensor:
    return x * (torch.rand(x.shape, generator=rng) >= DROPOUT) / (1 - DROPOUT)


def _accuracy(clusters: np.ndarray, labels: np.ndarray) -> float:
    """The share in the right cluster when clusters are named as well as can be."""
    together = np.zeros((CLUSTERS, CLUSTERS))
    np.add.at(together, (clusters, labels), 1)
    return float(together[linear_sum_assignment(-together)].sum()) / len(labels)


def check(runs: Sequence[Run]) -> list[Verdict]:
    """Better than the start by either target, and better for the balance."""
    last = [(r.start, r.code.accuracy[-1], r.text.accuracy[-1], r.free.accuracy[-1]) for r in runs]
    even = [r.free.uneven[-1] - r.code.uneven[-1] for r in runs]
    return [
        at_least(
            "accuracy with the code's target, less that of k-means", [c - s for s, c, _, _ in last], 0.0
        ),
        at_least(
            "accuracy with the text's target, less that of k-means", [t - s for s, _, t, _ in last], 0.0
        ),
        at_least("accuracy that the balance of the code's target gains", [c - f for _, c, _, f in last], 0.0),
        at_least("nats by which it brings the shares nearer to uniform", even, 0.0),
    ]


def figure(run: Run, ax: Any) -> None:
    """Accuracy during the last stage."""
    for found, label in ((run.code, "p²/size, the code"), (run.free, "p²"), (run.text, "p/√size, the text")):
        ax.plot(np.arange(len(found.accuracy)) * EVERY, found.accuracy, label=label)
    ax.axhline(run.start, color="#666666", linewidth=0.8, label="k-means")
    ax.set(xlabel="step", ylabel="share in the right cluster")
    ax.legend()
