"""Baselines of a policy gradient: what is taken off a reward without moving the gradient's mean."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from kullback.errors import InvalidInputError, ShapeError

Baseline = Callable[[Tensor, Tensor], Tensor]  # of rewards and log-weights, one a sample


def leave_one_out(rewards: Tensor, log_weights: Tensor) -> Tensor:
    r"""For every sample the mean reward of all others, which does not depend on it.

    $$b_i = \frac{\sum_{j \ne i} w_j R_j}{\sum_{j \ne i} w_j}$$

    `log_weights` are log w = log policy − log of what drew the samples, zeros if the policy did; both of shape
    (samples,). A sample whose reward or weight is not finite counts for no other one; without another one the baseline
    is 0. Raises `ShapeError`. Source: [kool2019].

    >>> import torch
    >>> leave_one_out(torch.tensor([1.0, 2.0, 6.0]), torch.zeros(3)).tolist()
    [4.0, 3.5, 1.5]
    """
    if rewards.ndim != 1 or rewards.shape != log_weights.shape:
        raise ShapeError(
            f"`rewards` has shape {tuple(rewards.shape)} and `log_weights` {tuple(log_weights.shape)}; expected one "
            "number for every sample in each"
        )
    good = torch.isfinite(rewards) & torch.isfinite(log_weights)
    weights = torch.where(good, log_weights, -torch.inf)
    # of a largest weight of 1, so that the sums are finite
    weights = (weights - weights[good].max()).exp() if bool(good.any()) else torch.zeros_like(rewards)
    total = _others(weights)
    mean = _others(weights * torch.where(good, rewards, 0.0)) / torch.where(total > 0, total, 1.0)
    return torch.where(total > 0, mean, 0.0)


def _others(x: Tensor) -> Tensor:
    """Σ over j ≠ i: what is before and what is after, because a sum minus its largest term has no digits left."""
    zero = x.new_zeros(1)
    before = torch.cat([zero, x[:-1].cumsum(0)])
    return before + torch.cat([x.flip(0)[:-1].cumsum(0).flip(0), zero])


@dataclass
class RunningMean:
    """The mean of the last `window` rewards, of batches before the one it serves as a baseline for.

    `value` is 0 before the first. Rewards that are not finite are left out, as their samples are from nothing else.
    Source: [williams1992], [go2023].

    >>> import torch
    >>> baseline = RunningMean(window=2)
    >>> baseline.update(torch.tensor([5.0, 1.0, 2.0])); baseline.value
    1.5
    """

    window: int = 1024
    _last: deque[float] = field(default_factory=deque, repr=False)

    def __post_init__(self) -> None:
        if isinstance(self.window, bool) or not isinstance(self.window, int) or self.window < 1:
            raise InvalidInputError(
                f"`window` is {self.window!r}; expected a number of rewards of at least 1"
            )
        self._last = deque(self._last, maxlen=self.window)

    @property
    def value(self) -> float:
        """The mean."""
        return sum(self._last) / len(self._last) if self._last else 0.0

    def update(self, rewards: Tensor) -> None:
        """Takes in the rewards of a batch, any shape."""
        flat = rewards.detach().reshape(-1)
        self._last.extend(flat[torch.isfinite(flat)][-self.window :].tolist())
