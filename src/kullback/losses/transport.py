"""Distillation by what it costs to move: between classes that resemble each other, rows of a batch, channels."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from kullback.errors import InvalidInputError, ShapeError
from kullback.losses.averaging import averaged, check_logits, kept
from kullback.losses.engines.sides import raised, tempered
from kullback.losses.sinkhorn import Sinkhorn


def class_transport(
    student: Tensor,
    teacher: Tensor,
    costs: Tensor,
    *,
    labels: Tensor | None = None,
    ignore_index: int = -100,
    mask: Tensor | None = None,
    temperature: float = 1.0,
    solver: Sinkhorn | None = None,
    denominator: float | Tensor | None = None,
) -> Tensor:
    r"""What it costs to carry the teacher's masses to the student's, when some classes are near each other.

    $$\frac1n \sum_i \langle P_i, C \rangle, \qquad P_i \text{ the plan from } \mathrm{softmax}(\text{teacher}_i / T)
    \text{ to } \mathrm{softmax}(\text{student}_i / T)$$

    Logits of shape (..., classes) and `costs` of shape (classes, classes), such as `class_costs` makes; `solver` is a
    `Sinkhorn`, whose regularisation is in the unit of the costs. With `labels` the label's class is left out on both
    sides, the others renormalised, and rows of `ignore_index` do not count; its part is then the place of
    `target_cross_entropy`. Gradients reach student, teacher and costs. In the unit of the costs. Raises
    `ConvergenceError` where the solver stops too early. Source: [lv2024].

    >>> import torch
    >>> costs = torch.tensor([[0.0, 1.0, 3.0], [1.0, 0.0, 3.0], [3.0, 3.0, 0.0]])
    >>> p, near = torch.tensor([[0.8, 0.1, 0.1]]).log(), torch.tensor([[0.5, 0.4, 0.1]]).log()
    >>> round(float(class_transport(near, p, costs)), 4)  # 0.3 has moved, by 1
    0.3
    """
    check_logits(student, teacher)
    lead = student.shape[:-1]
    rows = kept(lead, mask, None if labels is None else labels != ignore_index).to(student.device)
    sides = [tempered(raised(x[rows]), float(temperature)) for x in (teacher, student)]
    if labels is not None:
        sides = [x.scatter(-1, labels[rows][:, None].long(), -math.inf) for x in sides]
    return averaged((solver or Sinkhorn()).cost(sides[0], sides[1], costs), denominator)


def batch_transport(
    student: Tensor,
    teacher: Tensor,
    *,
    mask: Tensor | None = None,
    temperature: float = 1.0,
    solver: Sinkhorn | None = None,
) -> Tensor:
    r"""What it costs to carry the teacher's batch of distributions to the student's, whichever row goes to which.

    $$\langle P, C \rangle, \quad C_{ij} = \| \mathrm{softmax}(\text{teacher}_i / T)
    - \mathrm{softmax}(\text{student}_j / T) \|_1, \quad P 1 = P^\top 1 = \tfrac1n 1$$

    It compares the batches as sets: a permutation of the student's rows changes nothing, so that it goes beside a loss
    of row against row. All rows where `mask` is true are one batch of n. Of order one whatever n is: the sum over the
    rows that some use is n times as much. Without rows it is 0. `solver` as in `class_transport`, with a default
    regularisation of 0.1 here. Source: [cui2024].

    >>> import torch
    >>> p = torch.tensor([[1.0, 0.0], [0.0, 1.0]]).log()
    >>> round(float(batch_transport(p.flip(0), p)), 6)
    0.0
    """
    check_logits(student, teacher)
    rows = kept(student.shape[:-1], mask).to(student.device)
    sides = [tempered(raised(x[rows]), float(temperature)).softmax(-1) for x in (teacher, student)]
    if not len(sides[0]):
        return sides[1].sum()
    costs = torch.cdist(sides[0], sides[1], p=1)
    even = costs.new_zeros(1, len(costs))
    return (solver or Sinkhorn(0.1)).cost(even, even, costs)[0]


def class_costs(similarity: Tensor, *, sharpness: float | None = 1.0) -> Tensor:
    r"""Costs between classes from their similarities, at most 1 each.

    $$C_{ij} = 1 - e^{-\kappa (1 - s_{ij})}, \qquad \text{or } 1 - s_{ij} \text{ for sharpness } \kappa = \text{None}$$

    `similarity` has shape (classes, classes), largest at 1, from `class_cosines` or `class_alignments`. A cost that
    rounding brings below 0 is 0. Source: [lv2024].

    >>> import torch
    >>> class_costs(torch.tensor([[1.0, 0.5], [0.5, 1.0]]), sharpness=None).tolist()
    [[0.0, 0.5], [0.5, 0.0]]
    """
    if similarity.ndim != 2 or similarity.shape[0] != similarity.shape[1]:
        raise ShapeError(f"`similarity` has shape {tuple(similarity.shape)}; expected (classes, classes)")
    if sharpness is not None and not (math.isfinite(sharpness) and sharpness > 0):
        raise InvalidInputError(f"`sharpness` is {sharpness!r}; expected a number above 0, or None")
    distance = (1.0 - similarity).clamp(min=0.0)
    return distance if sharpness is None else -(-sharpness * distance).expm1()


def class_cosines(weight: Tensor) -> Tensor:
    r"""Cosines between the rows of a classifier, $\langle w_i, w_j \rangle / (\|w_i\| \|w_j\|)$.

    `weight` has shape (classes, width), the result (classes, classes): of the teacher's last layer, or the mean
    features of its classes. Source: [lv2024].

    >>> import torch
    >>> class_cosines(torch.tensor([[1.0, 0.0], [3.0, 4.0]]))[0, 1].item()
    0.6000000238418579
    """
    unit = torch.nn.functional.normalize(raised(weight), dim=-1, eps=0.0)
    if not bool(torch.isfinite(unit).all()):
        raise InvalidInputError("a class has a vector of zeros, NaN or infinities, which has no direction")
    return unit @ unit.T


def linear_alignment(x: Tensor, y: Tensor) -> Tensor:
    r"""Linear centred kernel alignment of two matrices of features of the same rows, between 0 and 1.

    $$\frac{\|Y^\top X\|_F^2}{\|X^\top X\|_F\, \|Y^\top Y\|_F}, \qquad \text{columns centred}$$

    `x` has shape (..., rows, width), `y` (..., rows, other width). The same after any rotation or scaling of either, so
    that hidden states of models of different widths compare: 1 − alignment is a loss for them. Source:
    [kornblith2019].

    >>> import torch
    >>> x = torch.tensor([[1.0, 0.0], [0.0, 2.0], [3.0, 1.0]])
    >>> round(float(linear_alignment(x, 5.0 * x.flip(1))), 6)
    1.0
    """
    if x.shape[-2] != y.shape[-2]:
        raise ShapeError(
            f"features of shape {tuple(x.shape)} and {tuple(y.shape)}; expected (..., rows, width) of the same rows"
        )
    x, y = (z - z.mean(-2, keepdim=True) for z in (raised(x), raised(y)))

    def size(a: Tensor, b: Tensor) -> Tensor:
        return (a.mT @ b).square().sum((-2, -1))

    return size(y, x) / (size(x, x) * size(y, y)).sqrt()


def class_alignments(features: Tensor) -> Tensor:
    r"""Linear alignment $s_{ij}$ between the channels of every two classes, shape (classes, classes).

    `features` has shape (classes, examples, width): the teacher's features of as many examples of every class. The
    channels are what two classes share, so that they are the rows that `linear_alignment` compares, and the order of
    the examples does not matter; the choice is our reading of [lv2024]. Source: [kornblith2019].

    >>> import torch
    >>> x = torch.tensor([[1.0, 0.0, 2.0], [0.0, 2.0, 1.0]])
    >>> round(float(class_alignments(torch.stack([x, x.flip(0)]))[0, 1]), 6)
    1.0
    """
    if features.ndim != 3:
        raise ShapeError(f"`features` has shape {tuple(features.shape)}; expected (classes, examples, width)")
    channels = features.mT
    return torch.stack([linear_alignment(one, channels) for one in channels])


def gaussian_features(
    student: Tensor,
    teacher: Tensor,
    *,
    mean_weight: float = 1.0,
    variance_floor: float = 1e-5,
    denominator: float | Tensor | None = None,
) -> Tensor:
    r"""Squared Wasserstein distance of the normal laws of each channel's features, which a map of features makes up.

    $$\frac1n \sum_i \sum_c \left[\rho\, (\mu_{ic} - \mu'_{ic})^2 + (\sigma_{ic} - \sigma'_{ic})^2\right], \qquad
    \sigma^2 = \text{variance over places} + \text{floor}$$

    Features of shape (n, channels, ...) with the places behind; channels must agree (project the student's first).
    `mean_weight` is ρ: at 1 it is $W_2^2$ of diagonal normal laws. The floor keeps the gradient of σ finite in a
    channel that is constant. Source: [lv2024].

    >>> import torch
    >>> x = torch.tensor([[[1.0, 3.0]]])  # mean 2, deviation 1; after scaling by 2: 4 and 2
    >>> round(float(gaussian_features(2 * x, x, variance_floor=0.0)), 6)
    5.0
    """
    if student.shape[:2] != teacher.shape[:2] or min(student.ndim, teacher.ndim) < 3:
        raise ShapeError(
            f"features of shape {tuple(student.shape)} and {tuple(teacher.shape)}; expected (n, channels, ...) with "
            "the same n and channels, and places behind"
        )
    (mean, deviation), (other, spread) = (_moments(x, variance_floor) for x in (student, teacher))
    values = mean_weight * (mean - other).square() + (deviation - spread).square()
    return averaged(values.sum(-1), denominator)


def _moments(features: Tensor, floor: float) -> tuple[Tensor, Tensor]:
    flat = raised(features).flatten(2)
    return flat.mean(-1), (flat.var(-1, correction=0) + floor).sqrt()
