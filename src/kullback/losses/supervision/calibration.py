"""Probabilities that mean what they say: losses on correctness, targets by frequency, and how far off they are."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from kullback.divergences import Divergence, FDivergence
from kullback.errors import DTypeError, InvalidInputError, ShapeError
from kullback.losses.batches import NonFinite, averaged
from kullback.losses.supervision.groups import check_rows


def correctness(
    d: Divergence,
    logits: Tensor,
    labels: Tensor,
    *,
    mask: Tensor | None = None,
    weight: Tensor | None = None,
    nonfinite: NonFinite = "propagate",
) -> Tensor:
    r"""How far the confidence of predictions is from whether they are right: the correctness-aware loss.

    $$\frac1n \sum_i \frac1m \sum_j D_f\big(\mathrm{Bernoulli}(c_{ij}) \,\|\, \mathrm{Bernoulli}(\hat c_{ij})\big),
    \quad \hat c = \max_k p_k, \quad c = 1\{\arg\max_k p_k = y\}$$

    D_f(correct‖confidence), the outcome first. `kb.squared_l2` is twice the published $(\hat c - c)^2$, Brier's score
    of the confidence; `kb.kl` is −log ĉ where the prediction is right and −log(1 − ĉ) where it is wrong. Logits of a
    calibrator, (n, K), or (n, m, K) with m transformed copies of each example; `labels` (n,). Unlike cross-entropy, it
    never rewards confidence in a wrong class. Of equal logits the first is the prediction. Masks and policy as in
    `kullback.losses.batches.averaged`. Raises `ShapeError`, `DTypeError`, and `InvalidInputError` where f(0) is
    infinite (`reverse_kl`): every confidence below 1 would cost infinitely much. Source: [liu2024].

    >>> import math, torch, kullback as kb
    >>> z = torch.tensor([[0.0, math.log(3.0)]])  # confidence 3/4
    >>> [round(float(correctness(kb.squared_l2, z, torch.tensor([y]))) / 2, 6) for y in (1, 0)]
    [0.0625, 0.5625]
    """
    z = check_rows("logits", logits, "n, K" if logits.ndim == 2 else "n, m, K")
    if labels.shape != z.shape[:1]:
        raise ShapeError(f"`labels` has shape {tuple(labels.shape)}; expected ({len(z)},), one an example")
    if isinstance(d, FDivergence) and math.isinf(d.at_zero):
        raise InvalidInputError(
            f"{d.name} has f(0) = inf, the price of a confidence in what did not happen: no confidence but 0 and 1 has "
            "a finite value; use one with a finite f(0), such as kl, js or alpha(a) with a > 0"
        )
    terms = partial(_correctness, d)
    return averaged(terms, z, labels, mask=mask, weight=weight, nonfinite=nonfinite)


def bernoulli_matching(
    d: Divergence,
    logits: Tensor,
    targets: Tensor,
    *,
    mask: Tensor | None = None,
    weight: Tensor | None = None,
    nonfinite: NonFinite = "propagate",
) -> Tensor:
    r"""The divergence of probabilities of an event from predicted ones.

    $$\frac1n \sum_i D_f\big(\mathrm{Bernoulli}(t_i) \,\|\, \mathrm{Bernoulli}(\sigma(z_i))\big)$$

    D_f(target‖prediction). Logits z (n,); `targets` t (n,) in [0, 1], as constants: labels, or the frequencies of
    `binned_targets` and `kernel_targets`. With `kb.kl` it is binary cross-entropy less the entropy of the targets.
    Masks and policy as in `kullback.losses.batches.averaged`. Raises `ShapeError`, `DTypeError`, `InvalidInputError`.
    Source: [liu2022].

    >>> import torch, kullback as kb
    >>> round(float(bernoulli_matching(kb.kl, torch.tensor([0.0]), torch.tensor([1.0]))), 6)
    0.693147
    """
    z, t = check_rows("logits", logits, "n,"), _chances("targets", targets)
    if t.shape != z.shape:
        raise ShapeError(
            f"`targets` has shape {tuple(t.shape)} and `logits` {tuple(z.shape)}; expected the same"
        )
    log_t = torch.stack(((-t).log1p(), t.log()), -1).to(z)

    def terms(x: Tensor, told: Tensor) -> Tensor:
        return torch.as_tensor(d.of_logits(told, torch.stack((torch.zeros_like(x), x), -1)))

    return averaged(terms, z, log_t, mask=mask, weight=weight, nonfinite=nonfinite)


def binned_targets(probabilities: Tensor, outcomes: Tensor, *, bins: int = 10) -> Tensor:
    r"""How often the event happened among the examples of like predictions, (n,): targets of calibrated estimation.

    $$t_i = \frac{1}{|b|} \sum_{j \in b} y_j, \qquad b \ni i \text{ one of } \texttt{bins} \text{ sets of
    neighbouring predictions, of equal size}$$

    `probabilities` (n,) predicted, in [0, 1], and `outcomes` y (n,), 0 or 1 (or frequencies). Training alternates: from
    a network stopped early, make targets, train towards them by `bernoulli_matching`, make them again. Equal
    predictions keep their order and may come to lie in two bins. Without gradient. Raises `ShapeError`, `DTypeError`,
    `InvalidInputError`. Source: [liu2022].

    >>> import torch
    >>> p, y = torch.tensor([0.9, 0.1, 0.8, 0.2]), torch.tensor([1.0, 0.0, 0.0, 0.0])
    >>> binned_targets(p, y, bins=2).tolist()
    [0.5, 0.0, 0.5, 0.0]
    """
    p, y = _predicted(probabilities, outcomes)
    targets = torch.empty_like(p)
    for rows in _bins(p, bins):
        targets[rows] = y[rows].mean()
    return targets


def kernel_targets(
    probabilities: Tensor, outcomes: Tensor, *, bandwidth: float = 0.1, window: int = 500
) -> Tensor:
    r"""How often the event happened near each prediction, by a Gaussian kernel, (n,).

    $$t_i = \frac{\sum_j K_{ij}\, y_j}{\sum_j K_{ij}}, \qquad K_{ij} = e^{-(p_i - p_j)^2 / 2 \sigma^2}$$

    over the `window` examples whose predictions are next in order to that of i (all, where there are fewer), which
    bounds the memory by n times `window`; σ is the `bandwidth`. Otherwise as `binned_targets`. Source: [liu2022].

    >>> import torch
    >>> p, y = torch.tensor([0.1, 0.1, 0.9]), torch.tensor([0.0, 1.0, 1.0])
    >>> kernel_targets(p, y, bandwidth=0.01).tolist()
    [0.5, 0.5, 1.0]
    """
    p, y = _predicted(probabilities, outcomes)
    if not 0 < bandwidth < math.inf or window < 1:
        raise InvalidInputError(
            f"`bandwidth` is {bandwidth!r} and `window` {window!r}; expected a finite positive number and at least 1"
        )
    n, width = len(p), min(window, len(p))
    order = p.argsort(stable=True)
    first = (torch.arange(n, device=p.device) - width // 2).clamp(0, n - width)
    near = first[:, None] + torch.arange(width, device=p.device)
    at, happened = p[order], y[order]
    weights = (-0.5 * ((at[:, None] - at[near]) / bandwidth) ** 2).softmax(-1)
    return torch.empty_like(p).index_copy(0, order, (weights * happened[near]).sum(-1))


@dataclass(frozen=True)
class Reliability:
    r"""Predicted and observed frequencies of an event in bins of neighbouring predictions: a reliability diagram.

    `predicted` and `observed` are means (bins,), `counts` how many examples each bin has, `variance` the mean of
    p(1 − p); float64. `expected_error` is $\sum_b \frac{n_b}{n} |\text{predicted}_b - \text{observed}_b|$.

    >>> import torch
    >>> reliability(torch.tensor([0.5, 0.5]), torch.tensor([1.0, 0.0]), bins=1).expected_error
    0.0
    """

    predicted: Tensor
    observed: Tensor
    counts: Tensor
    variance: Tensor

    @property
    def expected_error(self) -> float:
        """The expected calibration error (ECE); never 0 by chance alone, so read it beside `chance_error`."""
        return float((self.counts * (self.predicted - self.observed).abs()).sum() / self.counts.sum())

    @property
    def chance_error(self) -> float:
        r"""About what perfectly calibrated predictions would show, $\sum_b \frac{n_b}{n} \sqrt{2 v_b/(\pi n_b)}$."""
        return float((2 / math.pi * self.counts * self.variance).sqrt().sum() / self.counts.sum())


def reliability(probabilities: Tensor, outcomes: Tensor, *, bins: int = 10) -> Reliability:
    r"""The reliability diagram and the expected calibration error, over bins of equal size.

    $$\mathrm{ECE} = \sum_b \frac{n_b}{n} \left|\bar p_b - \bar y_b\right|$$

    `probabilities` (n,) of an event and `outcomes` (n,), 0 or 1: for a classifier its confidences and whether it was
    right. Equal numbers of examples in every bin, give or take one. With few examples a bin the error is too large by
    about its `chance_error`, and it is too small where errors of opposite sign share a bin. Raises `ShapeError`,
    `DTypeError`, `InvalidInputError`. Source: [naeini2015].

    >>> import torch
    >>> p, y = torch.tensor([0.75, 0.75, 0.25, 0.25]), torch.tensor([1.0, 0.0, 0.0, 0.0])
    >>> reliability(p, y, bins=2).expected_error
    0.25
    """
    p, y = (x.double() for x in _predicted(probabilities, outcomes))
    rows = _bins(p, bins)

    def means(x: Tensor) -> Tensor:
        return torch.stack([x[inside].mean() for inside in rows])

    counts = torch.tensor([float(len(inside)) for inside in rows], dtype=p.dtype, device=p.device)
    return Reliability(means(p), means(y), counts, means(p * (1 - p)))


def _correctness(d: Divergence, z: Tensor, labels: Tensor) -> Tensor:
    top, winner = z.max(-1)
    others = z.scatter(-1, winner[..., None], -math.inf)
    alone = torch.isneginf(others).all(-1)  # no other class is left: sure, and no derivative
    rest = torch.where(alone[..., None], 0.0, others).logsumexp(-1)
    rest = torch.where(alone, -math.inf, rest)
    right = winner == labels.reshape(-1, *(1,) * (winner.ndim - 1))
    happened = torch.stack((~right, right), -1)
    certain = torch.where(happened, 0.0, -math.inf).to(z)
    distances = torch.as_tensor(d.of_logits(certain, torch.stack((rest, top), -1)))
    return distances if z.ndim == 2 else distances.mean(-1)


def _bins(p: Tensor, bins: int) -> tuple[Tensor, ...]:
    """The numbers of the examples in each bin, predictions rising."""
    if not 1 <= bins <= len(p):
        raise InvalidInputError(f"`bins` is {bins!r} for {len(p)} examples; expected 1 to {len(p)}")
    return p.argsort(stable=True).tensor_split(bins)


def _predicted(probabilities: Tensor, outcomes: Tensor) -> tuple[Tensor, Tensor]:
    p, y = _chances("probabilities", probabilities), _chances("outcomes", outcomes)
    if p.shape != y.shape or len(p) == 0:
        raise ShapeError(
            f"`probabilities` has shape {tuple(p.shape)} and `outcomes` {tuple(y.shape)}; expected (n,) for both, n > 0"
        )
    return p, y.to(p)


def _chances(name: str, x: Tensor) -> Tensor:
    """Numbers in [0, 1], one an example, in at least single precision and without gradient."""
    if not isinstance(x, Tensor) or x.is_complex():
        got = x.dtype if isinstance(x, Tensor) else type(x).__name__
        raise DTypeError(f"`{name}` is {got}; expected a torch tensor of numbers in [0, 1]")
    if x.ndim != 1:
        raise ShapeError(f"`{name}` has shape {tuple(x.shape)}; expected (n,), one an example")
    x = x.detach().to(torch.promote_types(x.dtype, torch.float32))
    if not bool(((x >= 0) & (x <= 1)).all()):
        raise InvalidInputError(
            f"`{name}` goes from {float(x.min()):g} to {float(x.max()):g}; expected [0, 1]"
        )
    return x
