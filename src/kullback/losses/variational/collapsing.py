"""Which latent dimensions of a Gaussian guide carry information, and which have collapsed onto the prior."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Normal

from kullback.divergences import kl as kl_divergence
from kullback.errors import InvalidInputError, ShapeError
from kullback.exact import between

_SHOWN = 16  # dimensions in the printed table
_ELEMENTS = 2**22  # of a block of pairwise densities


@dataclass(frozen=True)
class Collapse:
    r"""What `collapse` found, one number a latent dimension on the CPU; prints as a table.

    $$\mathrm{kl}_d = E_x\,\mathrm{KL}(q(z_d|x) \| p(z_d)), \quad \mathrm{activity}_d = \mathrm{Var}_x\, E[z_d|x],
    \quad \mathrm{information}_d = I_q(x; z_d)$$

    `information_together` is I_q(x; z) of all dimensions, at most log n for n examples; kl summed less it is
    KL(q(z)‖p(z)), how far the aggregated posterior is from the prior. In nats.

    >>> import torch
    >>> report = collapse(torch.tensor([[3.0, 0.0], [-3.0, 0.0]]), torch.tensor([[0.1, 1.0], [0.1, 1.0]]))
    >>> report.active.tolist()
    [True, False]
    """

    kl: Tensor
    activity: Tensor
    information: Tensor
    information_together: float
    threshold: float
    n: int

    @property
    def active(self) -> Tensor:
        """Which dimensions' means vary more than the threshold from example to example."""
        return self.activity > self.threshold

    def __str__(self) -> str:
        order = torch.argsort(self.kl, descending=True).tolist()
        total = float(self.kl.sum())
        lines = [
            f"{int(self.active.sum())} of {len(self.kl)} latent dimensions active, {self.n} examples (nats)",
            f"{'dimension':>9}  {'KL':>10}  {'Var of mean':>11}  {'I(x; z)':>10}",
        ]
        for d in order[:_SHOWN]:
            row = f"{d:>9}  {self.kl[d]:>10.4g}  {self.activity[d]:>11.4g}  {self.information[d]:>10.4g}"
            lines.append(row + ("" if self.active[d] else "  collapsed"))
        if rest := order[_SHOWN:]:
            lines.append(f"{len(rest)} more, of KL {float(self.kl[rest].sum()):.4g} together")
        told = self.information_together
        lines.append(f"{'together':>9}  {total:>10.4g}  {'':>11}  {told:>10.4g}")
        lines.append(
            f"aggregated posterior to prior: KL {total - told:.4g}; I(x; z) <= log n = {math.log(self.n):.4g}"
        )
        return "\n".join(lines)


def collapse(means: Tensor, scales: Tensor, *, threshold: float = 0.01, seed: int = 0) -> Collapse:
    r"""The posterior-collapse report of a guide with independent normal dimensions and a standard normal prior.

    $$q(z|x_i) = \prod_d N(z_d; m_{id}, s_{id}^2), \qquad
    I_q(x; z) \approx \frac1n \sum_i \log \frac{q(z_i | x_i)}{\frac1n \sum_j q(z_i | x_j)},\quad z_i \sim q(\cdot|x_i)$$

    `means` and `scales` (standard deviations) have shape (n, dimensions), one row an example. A dimension is active
    where the variance of its means over the examples is above `threshold` [burda2016]. KL is exact; the information
    takes one draw an example, seeded by `seed`, against the posteriors of all n, itself included [hoffman2016]: it
    cannot exceed log n. The work is n² times dimensions, in blocks. Raises `ShapeError`, and `InvalidInputError` for
    fewer than two examples and scales that are not positive.

    >>> import torch
    >>> report = collapse(torch.tensor([[1.0], [-1.0]]), torch.ones(2, 1))
    >>> float(report.kl[0]), float(report.activity[0])  # ½·1² each, and the variance of ±1 over n − 1
    (0.5, 2.0)
    """
    m, s = _checked(means, scales)
    n = len(m)
    noise = torch.as_tensor(np.random.default_rng(seed).standard_normal(tuple(m.shape)))
    kl = torch.as_tensor(
        between(kl_divergence, Normal(m, s), Normal(torch.zeros_like(m), torch.ones_like(m))).value
    )
    own, mixed, mixed_together = _densities(m, s, m + s * noise)
    return Collapse(
        kl.mean(0),
        m.var(0),
        (own - mixed).mean(0),
        float((own.sum(1) - mixed_together).mean()),
        threshold,
        n,
    )


def linear_vae(variances: Tensor, *, noise: float, beta: float = 1.0) -> Tensor:
    r"""The KL of every latent dimension of a linear VAE at its optimum: 0 below a threshold, where it collapses.

    $$\mathrm{KL}_i = \tfrac12 \log^+ \frac{\lambda_i}{\beta \eta^2}$$

    for a decoder x = Wz + b with noise of variance η² = `noise`, prior N(0, I), a linear Gaussian encoder of diagonal
    variance, and the β-ELBO; `variances` are the λ, the eigenvalues of the covariance of the data (for a conditional
    VAE: of what is left of y after regression on x), largest first in as many dimensions as there are latent ones. In
    nats. Raises `InvalidInputError` for negative variances and for noise or β that are not positive.
    Source: [lucas2019], [dang2024].

    >>> import torch
    >>> linear_vae(torch.tensor([4.0, 1.0, 0.25]), noise=1.0).tolist()  # ½ log 4, and two that collapse
    [0.6931471824645996, 0.0, 0.0]
    """
    if not (noise > 0 and beta > 0):
        raise InvalidInputError(f"noise is {noise} and beta is {beta}; expected positive numbers")
    if not bool((variances >= 0).all()):
        raise InvalidInputError(
            "`variances` has negative numbers or NaN; expected eigenvalues of a covariance"
        )
    level = beta * noise
    return 0.5 * torch.where(variances > level, variances / level, 1.0).log()


def _densities(m: Tensor, s: Tensor, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Log densities of the draws under their own posteriors and under the mixture, by dimension; and all together."""
    block = max(1, _ELEMENTS // m.numel())
    mixed, together = [], []
    for rows in z.split(block):
        pairs = Normal(m, s).log_prob(rows[:, None])  # (rows, examples, dimensions)
        mixed.append(torch.logsumexp(pairs, 1) - math.log(len(m)))
        together.append(torch.logsumexp(pairs.sum(2), 1) - math.log(len(m)))
    return Normal(m, s).log_prob(z), torch.cat(mixed), torch.cat(together)


def _checked(means: Tensor, scales: Tensor) -> tuple[Tensor, Tensor]:
    if means.ndim != 2 or means.shape != scales.shape or means.shape[1] == 0:
        raise ShapeError(
            f"`means` has shape {tuple(means.shape)} and `scales` {tuple(scales.shape)}; expected (n, dimensions)"
        )
    if len(means) < 2:
        raise InvalidInputError("one example has no variance of means; pass two at least")
    m, s = means.detach().double().cpu(), scales.detach().double().cpu()
    if not bool((s > 0).all() and s.isfinite().all() and m.isfinite().all()):
        raise InvalidInputError(
            "expected finite means and positive finite scales: standard deviations, not logarithms"
        )
    return m, s
