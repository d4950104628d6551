"""One block of rows of logits and a class chosen in each: numbers and gradients without differences of large terms."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

_NOWHERE = (
    -1000.0
)  # its exponential is 0 in every precision, and 0 times it is 0, which it would not be with −inf


class Sums(NamedTuple):
    r"""What is kept of a row z: max z, $\sum e^{z - \max z}$ over all other classes, and the mean $E_p[\max z - z]$."""

    top: Tensor
    rest: Tensor
    depth: Tensor

    @property
    def entropy(self) -> Tensor:
        """In nats: two terms, neither of them negative, so that a sure row keeps its digits."""
        return torch.log1p(self.rest) + self.depth

    def log_probs(self, z: Tensor, ids: Tensor) -> Tensor:
        """Of the chosen classes: two terms, neither of them positive; −inf for a masked class."""
        return z.gather(-1, ids[:, None])[:, 0] - self.top - torch.log1p(self.rest)

    def at(self, place: slice) -> Sums:
        """Of some of the rows."""
        return Sums(*(x[place] for x in self))


def summed(z: Tensor) -> Sums:
    """The sums of every row of logits of shape (rows, classes)."""
    place = z.argmax(-1, keepdim=True)
    top = z.gather(-1, place)
    fallen = _below(z, top)
    e = torch.exp(fallen).scatter_(-1, place, 0.0)
    rest = e.sum(-1)
    return Sums(top[:, 0], rest, -torch.linalg.vecdot(e, fallen) / (1.0 + rest))


def log_ratios(z: Tensor, y: Tensor, ids: Tensor, rough: Tensor) -> Tensor:
    r"""log p − log q of the chosen classes, p = softmax(z), q = softmax(y), with the digits that z − y has.

    With g = z − y it is $g_c - \log \sum_v q_v e^{g_v}$, the sum formed around the mean of g. `rough`, a difference of
    log-probabilities, stands where that sum overflows or q has a class masked that p has not.
    """
    g, q = z - y, torch.softmax(y, -1)
    chosen = g.gather(-1, ids[:, None])[:, 0]
    centre = torch.linalg.vecdot(q, g)
    if not bool(torch.isfinite(centre).all()):
        g = g.masked_fill_(torch.isneginf(z) & torch.isneginf(y), 0.0)  # in neither side
        centre = torch.linalg.vecdot(q, g.masked_fill(torch.isinf(g), 0.0))
    growth = torch.linalg.vecdot(q, g.sub_(centre[:, None]).expm1_())
    ratio = chosen - centre - torch.log1p(growth)
    return torch.where(torch.isfinite(growth) & torch.isfinite(chosen), ratio, rough)


def gradient(z: Tensor, sums: Sums, ids: Tensor, a: Tensor | None, h: Tensor | None) -> Tensor:
    r"""∂/∂z of a × log p of the chosen class + h × entropy: $a\,(1_c - p) - h\,p\,(\log p + \text{entropy})$.

    A class that is masked cannot be made likelier: where it is the chosen one, its log-probability has no gradient.
    """
    fallen = _below(z, sums.top[:, None])
    p = torch.exp(fallen).mul_(1.0 / (1.0 + sums.rest[:, None]))
    chosen = ids[:, None]
    if a is None:
        a = torch.zeros_like(sums.top)
    possible = ~torch.isneginf(z.gather(-1, chosen))
    a = torch.where(possible, a[:, None], 0.0)
    mass, depth = p.gather(-1, chosen), fallen.gather(-1, chosen)
    # 1 − p of the largest class, of which rounding leaves nothing where it has nearly all of the mass
    others = torch.where(depth == 0.0, sums.rest[:, None] * mass, 1.0 - mass)
    if h is None:
        return p.mul_(-a).scatter_(-1, chosen, a * others)
    h, mean = h[:, None], sums.depth[:, None]  # log p + entropy is fallen + mean
    at_chosen = a * others - h * mass * (depth + mean)
    return fallen.add_(mean).mul_(-h).sub_(a).mul_(p).scatter_(-1, chosen, at_chosen)


def _below(z: Tensor, top: Tensor) -> Tensor:
    return (z - top).clamp_(min=_NOWHERE)
