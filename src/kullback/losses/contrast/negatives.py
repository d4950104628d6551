"""The InfoNCE family: every example tells its own partner from those of others."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from kullback.errors import InvalidInputError, ShapeError
from kullback.losses.batches import NonFinite, averaged
from kullback.losses.contrast.checks import check_number, check_temperature, real
from kullback.losses.contrast.pairs import hollow, matched, over_pairs

_ROUNDED = 1e-3  # what rounding in half precision may take off a cosine


def info_nce(
    scores: Tensor,
    *,
    temperature: float | Tensor = 1.0,
    mask: Tensor | None = None,
    weight: Tensor | None = None,
    nonfinite: NonFinite = "propagate",
) -> Tensor:
    r"""InfoNCE, the cross-entropy of finding every example's partner among the K columns.

    $$\frac1n \sum_i \Big[\log \sum_j e^{s_{ij} / \tau} - s_{ii} / \tau\Big]$$

    `scores` (n, K), K ≥ n: row i's own partner is in column i, all other columns are its negatives; those beyond n (a
    queue of earlier examples) are negatives only. A score of −inf takes a pair out. For independent pairs, log K less
    the loss is a lower bound of the mutual information on average, and never above **log K**, however much there is to
    know: at log K the loss is 0 and has nothing left to say (`kb.bounds.variational.info_nce` is that bound, with its
    cap). `temperature` is τ, a number or a tensor that is trained. Pairs outside `mask` are neither rows nor columns;
    `weight` and `nonfinite` as in `kullback.losses.batches`. In nats. Raises `ShapeError`, `DTypeError` or
    `InvalidInputError`. Source: [oord2018], [poole2019].

    >>> import torch
    >>> round(float(info_nce(torch.tensor([[3.0, 1.0], [1.0, 3.0]]).log())), 6)  # −log(3/4)
    0.287682
    """
    check_temperature(temperature)

    def terms(own: Tensor, other: Tensor) -> Tensor:
        return surprise(log_sum(other), own)

    def sides(s: Tensor) -> tuple[Tensor, ...]:
        return hollow(s / temperature)

    scores = matched(scores)
    return over_pairs(terms, scores, mask=mask, weight=weight, nonfinite=nonfinite, sides=sides)


def symmetric_info_nce(
    scores: Tensor,
    *,
    temperature: float | Tensor = 1.0,
    mask: Tensor | None = None,
    weight: Tensor | None = None,
    nonfinite: NonFinite = "propagate",
) -> Tensor:
    r"""InfoNCE in both directions, the objective of CLIP: rows find their columns, and columns their rows.

    $$\frac1{2n} \sum_i \Big[\log \sum_j e^{s_{ij} / \tau} + \log \sum_j e^{s_{ji} / \tau} - 2 s_{ii} / \tau\Big]$$

    `scores` (n, n). The bound that log n less the loss gives is the mean of two, capped by log n. Other arguments and
    errors as in `info_nce`. Source: [radford2021].

    >>> import torch
    >>> round(float(symmetric_info_nce(torch.tensor([[3.0, 1.0], [1.0, 3.0]]).log())), 6)  # −log(3/4)
    0.287682
    """
    check_temperature(temperature)

    def terms(own: Tensor, across: Tensor, down: Tensor) -> Tensor:
        return 0.5 * (surprise(log_sum(across), own) + surprise(log_sum(down), own))

    def sides(s: Tensor) -> tuple[Tensor, ...]:
        own, other = hollow(s / temperature)
        return own, other, other.T

    scores = matched(scores, square=True)
    return over_pairs(terms, scores, mask=mask, weight=weight, nonfinite=nonfinite, sides=sides)


def debiased_info_nce(
    own: Tensor,
    other: Tensor,
    *,
    class_prior: float,
    temperature: float | Tensor = 1.0,
    hardness: float = 0.0,
    lowest: float = -1.0,
    mask: Tensor | None = None,
    weight: Tensor | None = None,
    nonfinite: NonFinite = "propagate",
) -> Tensor:
    r"""InfoNCE whose negatives are corrected for those that are of the example's own class after all.

    $$\frac1n \sum_i \log\big(1 + N g_i\, e^{-a_{i1} / \tau}\big), \qquad
    g_i = \max\Big(\frac{\sum_j w_{ij}\, e^{b_{ij} / \tau} - \pi \overline{e^{a_i / \tau}}}{1 - \pi},\, e^{l / \tau}
    \Big), \qquad w_{ij} \propto e^{\beta b_{ij} / \tau}$$

    `other` (n, N) are the scores b of each example with N others whose class is unknown, of which a share π
    (`class_prior`) is its own; `own` (n,) or (n, M) the scores a with its partner and, if there are more, with others
    known to be of its class, which make the correction better. As N and M grow, g is the mean of e^{b/τ} over true
    negatives. `hardness` β > 0 dwells on negatives that score high. π = β = 0 is `info_nce`. `lowest` is l, the least
    score there can be (−1 for cosines), which the corrected mean cannot fall below. `split` makes `own` and `other` of
    a matrix. Other arguments and errors as in `info_nce`; a score below `lowest` raises `InvalidInputError`.
    Source: [chuang2020], [robinson2021].

    >>> import torch, math
    >>> a, b = torch.tensor([0.5]), torch.tensor([[0.5, -0.5]])
    >>> loss = debiased_info_nce(a, b, class_prior=0.5)  # g is the mean over b = −0.5, the true negative
    >>> math.isclose(float(loss), math.log(1 + 2 * math.exp(-1)), rel_tol=1e-6)
    True
    """
    check_temperature(temperature)
    check_number("hardness", hardness, zero=True)
    if isinstance(class_prior, bool) or not 0 <= class_prior < 1:
        raise InvalidInputError(f"`class_prior` is {class_prior!r}; expected a share from 0 to below 1")
    own, other = _sides(own, other)
    _check_lowest(lowest, own, other)

    def terms(a: Tensor, b: Tensor) -> Tensor:
        a, b, least = a / temperature, b / temperature, lowest / temperature
        top = torch.maximum(a[:, 0], b.amax(-1)).detach()[:, None]
        near = (b - top).exp()
        mean = ((hardness * b).softmax(-1) * near).sum(-1) if hardness else near.mean(-1)
        corrected = (mean - class_prior * (a - top).exp().mean(-1)) / (1 - class_prior)
        floor = least - top[:, 0]
        low = corrected <= floor.exp()
        logs = torch.where(low, floor, torch.where(low, 1.0, corrected).log())
        return surprise(math.log(b.shape[1]) + logs + top[:, 0], a[:, 0])

    return averaged(terms, own, other, mask=mask, weight=weight, nonfinite=nonfinite)


def log_sum(other: Tensor) -> Tensor:
    """The logarithm of a row's sum of e^other; −inf, without a gradient, where all of the row was taken out."""
    top = other.detach().amax(-1, keepdim=True)
    top = torch.where(top.isfinite(), top, 0.0)
    total = (other - top).exp().sum(-1)
    none = total == 0
    return torch.where(none, -math.inf, torch.where(none, 1.0, total).log() + top[:, 0])


def surprise(others: Tensor, own: Tensor) -> Tensor:
    """−log of e^own / (e^own + e^others), which keeps its digits where the partner is found almost surely."""
    return -torch.nn.functional.logsigmoid(own - others)


def _sides(own: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    if isinstance(own, Tensor) and own.ndim == 1:
        own = own[:, None]
    own = real("own", own, 2, "(n,) or (n, M), the partner first")
    other = real("other", other, 2, "(n, N), N others for every example")
    if len(own) != len(other):
        raise ShapeError(
            f"`own` is of {len(own)} examples and `other` of {len(other)}; expected as many of both"
        )
    return own, other


def _check_lowest(lowest: float, *scores: Tensor) -> None:
    for s in scores:
        below = s.detach() < lowest - _ROUNDED
        if bool((below & s.detach().isfinite()).any()):
            raise InvalidInputError(
                f"a score is {float(s.detach()[below].min()):g}, below `lowest` = {lowest:g}; give the least score "
                "there can be, or scores by `cosines`"
            )
