"""Mutual information of two sets by submodular functions of their similarities."""

from __future__ import annotations

import torch
from torch import Tensor

from kullback.errors import InvalidInputError, ShapeError
from kullback.losses.contrast.checks import check_number, real


def facility_location_information(
    similarities: Tensor, *, relevance: float = 1.0, temperature: float = 0.0
) -> Tensor:
    r"""How well two sets stand for each other, by the nearest in the other set.

    $$\sum_{q} \max_{a} s_{aq} + \eta \sum_{a} \max_{q} s_{aq}$$

    `similarities` s (|A|, |Q|), from 0 on: then the information is at least 0 and grows with both sets (with negative
    ones it is neither sure). `relevance` is η. A `temperature` T > 0 replaces each max by the soft one,
    $T \log \sum e^{s / T}$, whose gradient reaches all pairs; it is larger than the max by T times the logarithm of the
    number of pairs at most. Used as a penalty it drives sets apart. Raises `ShapeError`, `DTypeError` or
    `InvalidInputError`. Source: [iyer2021], [majee2024].

    >>> import torch
    >>> float(facility_location_information(torch.tensor([[0.5, 0.25], [0.125, 0.75]])))
    2.5
    """
    check_number("relevance", relevance, zero=True)
    check_number("temperature", temperature, zero=True)
    s = real("similarities", similarities, 2, "(size of A, size of Q)")
    return _best(s, 0, temperature).sum() + relevance * _best(s, 1, temperature).sum()


def graph_cut_information(similarities: Tensor, *, scale: float = 1.0) -> Tensor:
    r"""Twice the cut between two sets, $2 \lambda \sum_{aq} s_{aq}$.

    `similarities` s (|A|, |Q|); `scale` is λ. Linear in every similarity. Raises `ShapeError`, `DTypeError` or
    `InvalidInputError`. Source: [iyer2021].

    >>> import torch
    >>> float(graph_cut_information(torch.tensor([[0.5, 0.25]])))
    1.5
    """
    check_number("scale", scale)
    return 2 * scale * real("similarities", similarities, 2, "(size of A, size of Q)").sum()


def log_determinant_information(
    similarities: Tensor, *, within_first: Tensor, within_second: Tensor, ridge: float = 0.5
) -> Tensor:
    r"""What the volumes of two sets have in common, $\log\det S_A + \log\det S_Q - \log\det S_{A \cup Q}$.

    Twice the mutual information, in nats, of normal variables with covariance S, so at least 0 and exactly 0 where the
    sets are orthogonal. `similarities` (|A|, |Q|), `within_first` (|A|, |A|) and `within_second` (|Q|, |Q|) are blocks
    of one positive semidefinite S, such as cosines; `ridge` times the identity is added to it. Computed from canonical
    correlations, so that small values keep their digits. Raises `ShapeError`, `DTypeError`, and `InvalidInputError`
    where S is not positive definite. Source: [iyer2021].

    >>> import torch
    >>> one = torch.ones(1, 1)  # −log(1 − 1/2²)
    >>> round(float(log_determinant_information(0.75 * one, within_first=one, within_second=one)), 6)
    0.287682
    """
    check_number("ridge", ridge, zero=True)
    s = real("similarities", similarities, 2, "(size of A, size of Q)")
    first = _root(within_first, "within_first", s.shape[0], ridge)
    second = _root(within_second, "within_second", s.shape[1], ridge)
    whitened = torch.linalg.solve_triangular(first, s, upper=False)
    whitened = torch.linalg.solve_triangular(second, whitened.T, upper=False)
    shared = torch.linalg.svdvals(whitened).square()
    if bool((shared.detach() >= 1).any()):
        raise InvalidInputError(
            "the two sets' similarities are not blocks of one positive definite matrix: a canonical correlation is "
            "1 or more; give a kernel such as `cosines`, or a larger `ridge`"
        )
    return -torch.log1p(-shared).sum()


def _best(s: Tensor, axis: int, temperature: float) -> Tensor:
    return temperature * (s / temperature).logsumexp(axis) if temperature else s.amax(axis)


def _root(within: Tensor, name: str, size: int, ridge: float) -> Tensor:
    """The Cholesky factor of a set's own similarities, ridge included."""
    within = real(name, within, 2, f"({size}, {size})")
    if tuple(within.shape) != (size, size):
        raise ShapeError(f"`{name}` has shape {tuple(within.shape)}; expected {(size, size)}")
    factor, failed = torch.linalg.cholesky_ex(
        within + ridge * torch.eye(size, dtype=within.dtype, device=within.device)
    )
    if bool(failed):
        raise InvalidInputError(
            f"`{name}` is not positive definite; give a kernel such as `cosines`, or a larger `ridge`"
        )
    return factor
