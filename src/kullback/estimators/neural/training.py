"""Training with an early stop, in float32; what is handed on is evaluated in float64."""

from __future__ import annotations

import math
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from kullback.errors import ConvergenceError
from kullback.estimators.critics.settings import Training
from kullback.progress import Progress

Scores = tuple[Tensor, Tensor]
Gain = Callable[
    [Tensor, Tensor, float], Tensor
]  # of scores at p, scores at q, log E_q e^T so far; to be raised
_RATE = 0.1  # weight of a batch in the running mean of e^T
_CHECK = 25  # steps between two looks at the watched rows
_NORM = 5.0  # longest step of a gradient: rare large e^T must not throw a critic away


@dataclass
class RunningMean:
    """log E_q eᵀ, an exponential mean over batches, kept by its logarithm."""

    log: float = math.nan

    def after(self, scores: Tensor) -> float:
        """The mean once these scores are in it."""
        seen = log_mean_exp(scores)
        if math.isnan(self.log):
            self.log = seen
        else:
            older, newer = self.log + math.log1p(-_RATE), seen + math.log(_RATE)
            top = max(older, newer)
            self.log = top + math.log(math.exp(older - top) + math.exp(newer - top))
        return self.log


def log_mean_exp(scores: Tensor) -> float:
    """log of the mean of e^T."""
    return float(torch.logsumexp(scores.detach().double().reshape(-1), 0)) - math.log(scores.numel())


def fit(
    network: nn.Module,
    draw: Callable[[], Scores],
    watched: Callable[[], Scores],
    gain: Gain,
    training: Training,
    told: Progress,
) -> None:
    """Raise the gain on drawn batches; the network is left as it was when the watched rows liked it best."""
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=training.learning_rate, weight_decay=training.weight_decay
    )
    pace = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, training.steps)
    mean = RunningMean()
    best, kept, best_step = -math.inf, deepcopy(network.state_dict()), 0
    for step in range(1, training.steps + 1):
        at_p, at_q = draw()
        loss = -gain(at_p, at_q, mean.after(at_q))
        if not torch.isfinite(loss):
            raise ConvergenceError(
                f"the critic's gain is {-loss.item()} after {step} steps: a smaller learning_rate, "
                "normal_scores=True for heavy tails, or a critic whose gain cannot overflow: DonskerVaradhan, "
                "JensenShannonCritic, InfoNCE"
            )
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), _NORM)
        optimiser.step()
        pace.step()
        if step % _CHECK and step != training.steps:
            continue
        score = _judged(watched, gain)
        if score > best:
            best, kept, best_step = score, deepcopy(network.state_dict()), step
        told(f"{score:.4g} on watched rows", step, training.steps)
        if step - best_step >= training.patience:
            break
    network.load_state_dict(kept)
    network.double().eval()


@torch.no_grad()
def _judged(watched: Callable[[], Scores], gain: Gain) -> float:
    at_p, at_q = watched()
    return float(gain(at_p, at_q, log_mean_exp(at_q)))
