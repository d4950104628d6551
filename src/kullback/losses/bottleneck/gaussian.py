"""The information curve of jointly normal variables, in closed form."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from kullback.errors import InvalidInputError
from kullback.losses.bottleneck.checks import check_number


class GaussianPoint(NamedTuple):
    """I(X;T), I(T;Y) in nats, and how many directions of X the code has."""

    complexity: Tensor
    relevance: Tensor
    directions: int


def gaussian_bottleneck(correlations: Tensor, *, beta: float) -> GaussianPoint:
    r"""The best code of jointly normal X and Y at the trade-off β: I(X;T) − β I(T;Y) at its least.

    $$I(X;T) = \tfrac12 \sum_{\beta \rho_i^2 > 1} \log \frac{(\beta - 1)\, \rho_i^2}{1 - \rho_i^2}, \qquad
    I(T;Y) = \tfrac12 \sum_{\beta \rho_i^2 > 1} \log \frac{1 - 1/\beta}{1 - \rho_i^2}$$

    `correlations` (k,) are the canonical correlations ρ of X and Y. The code is normal, and a direction joins it when β
    passes 1/ρ². For β → ∞ all of I(X;Y) is kept and I(X;T) grows without end. Raises `InvalidInputError` unless
    |ρ| < 1 and β > 0. Source: [chechik2005].

    >>> import torch
    >>> point = gaussian_bottleneck(torch.tensor([0.5**0.5]), beta=4.0)  # ½ log 3, ½ log 1.5
    >>> round(float(point.complexity), 6), round(float(point.relevance), 6)
    (0.549306, 0.202733)
    """
    check_number("beta", beta)
    square = torch.as_tensor(correlations, dtype=torch.float64).square().reshape(-1)
    if not bool((square < 1).all()):
        raise InvalidInputError(
            f"a correlation has the square {float(square.max()):g}; expected numbers between −1 and 1, whose codes are "
            "finite"
        )
    kept = square[beta * square > 1]
    rest = 1.0 - kept
    # how far past its threshold each direction is, which both logarithms are small with
    complexity = torch.log1p((beta * kept - 1.0) / rest)
    relevance = torch.log1p((beta * kept - 1.0) / (beta * rest))
    return GaussianPoint(0.5 * complexity.sum(), 0.5 * relevance.sum(), len(kept))
