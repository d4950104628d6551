"""Hidden states of student and teacher drawn together by how much one tells of the other."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from kullback.bounds.variational import interpolated
from kullback.errors import InvalidInputError, ShapeError


class Critic(torch.nn.Module):
    r"""Scores of every student's state with every teacher's, $T(x, y) = \langle A x, B y \rangle / \sqrt{w} + c(y)$.

    A, B and c are linear, with biases; `width` is w. States (n, student width) and (n, teacher width) give (n, n)
    scores, a row for each teacher's state. It is trained along with the student. Source: [he2021].

    >>> import torch
    >>> Critic(3, 5, width=4)(torch.zeros(2, 3), torch.zeros(2, 5)).shape
    torch.Size([2, 2])
    """

    def __init__(self, student: int, teacher: int, *, width: int = 128) -> None:
        super().__init__()
        self.student = torch.nn.Linear(student, width)
        self.teacher = torch.nn.Linear(teacher, width)
        self.offset = torch.nn.Linear(teacher, 1)

    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """The scores, one row for each teacher's state."""
        a, b = self.student(student), self.teacher(teacher)
        return b @ a.T / a.shape[-1] ** 0.5 + self.offset(teacher)


def feature_information(
    critic: Callable[[Tensor, Tensor], Tensor], student: Tensor, teacher: Tensor, *, alpha: float
) -> Tensor:
    r"""Minus a lower bound of the mutual information of the hidden states, $-I_\alpha(\text{student}; \text{teacher})$.

    $$I_\alpha = 1 + E\left[\log \frac{e^{T(x_1, y)}}{\alpha m + (1 - \alpha)}\right]
    - E'\left[\frac{m}{\alpha m + (1 - \alpha)}\right], \qquad m = \frac1K \sum_k e^{T(x_k, y)}$$

    States of shape (n, width), one row an example, of any two widths; `critic` is a `Critic` or any function of the two
    that gives scores (n, n), a row for each teacher's state. The K = n − 1 states of the student in m are those of the
    batch: with y's own in the first expectation, without it in the second. At `alpha` = 1 it is the contrastive bound,
    which says log K at most; towards 0 the cap is log(K/α) and the variance grows. In nats. Raises `ShapeError` or
    `InvalidInputError`. Source: [he2021], [poole2019].

    >>> import torch
    >>> states = torch.zeros(4, 2)
    >>> float(feature_information(lambda x, y: torch.zeros(4, 4), states, states, alpha=0.5))
    -0.0
    """
    n = len(student)
    if len(teacher) != n:
        raise ShapeError(
            f"states of shape {tuple(student.shape)} and {tuple(teacher.shape)}; expected a row for every example in "
            "both"
        )
    if n < 3:
        raise InvalidInputError(f"{n} examples; the bound compares each with at least two others")
    scores = critic(student, teacher)
    if tuple(scores.shape) != (n, n):
        raise ShapeError(f"the critic's scores have shape {tuple(scores.shape)}; expected {(n, n)}")
    place = torch.arange(n, device=scores.device)
    # each row begins with its own state
    turned = scores.gather(-1, (place[:, None] + place) % n)
    return -interpolated(turned[:, :-1], turned[:, 1:], alpha=alpha).value
