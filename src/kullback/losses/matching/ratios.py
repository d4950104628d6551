"""The ratio of teacher to student, from a discriminator, and kept true to its one known mean."""

from __future__ import annotations

import math
import warnings

import torch
from torch import Tensor

from kullback.errors import InvalidInputError, ShapeError


def discriminator_ratio(logits: Tensor, *, students_per_teacher: float = 1.0, off_by: float = 2.0) -> Tensor:
    r"""Log teacher − log student at samples of the student, from a discriminator's logits there.

    $$r = v + \log \frac{n_s}{n_t}, \qquad E_{\text{student}}[e^r] = 1$$

    `logits` v, of shape (n,), are log-odds that a sample is the teacher's, not the loss, of a discriminator trained on
    n_t samples of the teacher and n_s of the student, `students_per_teacher` the ratio of these. The mean of eʳ is 1
    for a true ratio: where it is off by more than the factor `off_by` a warning says so, as weights are then off too.
    `TimeBins` mends the factor, but not a discriminator of the wrong shape. Ratios with heavy tails may average far
    below 1 on a small batch for no other reason. Gradients pass. Raises `ShapeError` or `InvalidInputError`.

    Source: [xu2025].

    >>> import torch
    >>> discriminator_ratio(torch.tensor([0.5, -0.5])).tolist()
    [0.5, -0.5]
    """
    for name, x, least in (("students_per_teacher", students_per_teacher, 0), ("off_by", off_by, 1)):
        if not least < x < math.inf:
            raise InvalidInputError(f"`{name}` is {x!r}; expected a finite number above {least}")
    if logits.ndim != 1 or len(logits) == 0:
        raise ShapeError(
            f"`logits` has shape {tuple(logits.shape)}; expected (n,), one for every sample of the student"
        )
    r = logits + math.log(students_per_teacher)
    log_mass = float(_log_mean(r.detach().double()[None])[0])
    if abs(log_mass) > math.log(off_by):
        warnings.warn(
            f"the discriminator's ratios average e^{log_mass:.3g} over the student's samples, where those of two laws "
            "average 1: train it longer, pass `students_per_teacher`, or divide by the mean (TimeBins)",
            RuntimeWarning,
            stacklevel=2,
        )
    return r


class TimeBins(torch.nn.Module):
    r"""Log-ratios less the logarithm of the mean ratio of their time's bin, so that the ratios average 1 there.

    $$r - \log m_b, \qquad m_b \leftarrow \gamma m_b + (1 - \gamma)\, \text{mean of } e^r \text{ in bin } b$$

    `bins` of equal width over [0, `horizon`], γ = `decay`: 0 takes the batch's own mean. A bin starts from the first
    batch with a sample in it; ratios that are infinite or NaN stay out of the means. The means are a buffer, part of
    the state, and move in training mode only. Called with log-ratios and times of shape (n,). Raises `ShapeError` and
    `InvalidInputError`. Source: [xu2025].

    >>> import torch
    >>> centred = TimeBins(bins=1)(torch.tensor([1.0, 3.0]).log(), torch.tensor([0.2, 0.7]))
    >>> [round(t, 6) for t in centred.exp().tolist()]  # over their mean, 2
    [0.5, 1.5]
    """

    log_mean: Tensor

    def __init__(self, *, bins: int = 10, horizon: float = 1.0, decay: float = 0.0) -> None:
        super().__init__()
        if bins < 1 or not 0 < horizon < math.inf or not 0 <= decay < 1:
            raise InvalidInputError(
                f"bins={bins!r}, horizon={horizon!r}, decay={decay!r}; expected at least 1 bin, a finite horizon "
                "above 0 and a decay from 0 to below 1"
            )
        self.bins, self.horizon, self.decay = bins, horizon, decay
        self.register_buffer("log_mean", torch.full((bins,), math.nan, dtype=torch.float64))

    def forward(self, log_ratio: Tensor, times: Tensor) -> Tensor:
        """The log-ratios, centred by bin."""
        if log_ratio.ndim != 1 or times.shape != log_ratio.shape:
            raise ShapeError(
                f"shapes are {tuple(log_ratio.shape)} and {tuple(times.shape)}; expected a log-ratio and a time for "
                "every sample"
            )
        if not bool(((times >= 0) & (times <= self.horizon)).all()):
            raise InvalidInputError(f"some times are outside [0, {self.horizon:g}]")
        bin_of = (times * (self.bins / self.horizon)).long().clamp(max=self.bins - 1)
        if self.training:
            self._move(log_ratio.detach().double(), bin_of)
        means = torch.nan_to_num(self.log_mean, nan=0.0)  # a bin never seen in training is as it is
        return log_ratio - means[bin_of].to(log_ratio.dtype)

    def _move(self, r: Tensor, bin_of: Tensor) -> None:
        usable = torch.isfinite(r)
        inside = (bin_of == torch.arange(self.bins, device=r.device)[:, None]) & usable
        found = _log_mean(torch.where(usable, r, 0.0).expand(self.bins, -1), inside)
        new = found
        if self.decay > 0:
            moved = torch.logaddexp(self.log_mean + math.log(self.decay), found + math.log1p(-self.decay))
            new = torch.where(torch.isnan(self.log_mean), found, moved)
        self.log_mean = torch.where(inside.any(-1), new, self.log_mean)


def _log_mean(r: Tensor, inside: Tensor | None = None) -> Tensor:
    """The logarithm of the mean of eʳ of every row, over what is inside."""
    if inside is None:
        return r.logsumexp(-1) - math.log(r.shape[-1])
    return torch.where(inside, r, -math.inf).logsumexp(-1) - inside.sum(-1).double().log()
