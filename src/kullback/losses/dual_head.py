"""Logits as one yes-or-no question a class, for an auxiliary head beside the one that is trained on labels."""

from __future__ import annotations

import torch
from torch import Tensor

from kullback.divergences import Divergence
from kullback.losses.averaging import averaged, check_logits, kept
from kullback.losses.token import per_token


def binary_loss(
    d: Divergence,
    student: Tensor,
    teacher: Tensor,
    *,
    mask: Tensor | None = None,
    temperature: float = 1.0,
    squared_temperature: bool = False,
    denominator: float | Tensor | None = None,
) -> Tensor:
    r"""The divergence class by class, each logit the log-odds of a coin of its own.

    $$\frac1n \sum_i \sum_k D\big(\mathrm{Ber}(\sigma(\text{teacher}_{ik} / T)) \,\|\,
    \mathrm{Ber}(\sigma(\text{student}_{ik} / T))\big)$$

    Logits of shape (..., classes). Unlike softmax it sees a constant that is added to all of them. Next to
    cross-entropy on the same head the two pull the classifier apart, so it is meant for a second head on the student's
    features. `squared_temperature=True` multiplies by T²; rows count where `mask` is true, `denominator` replaces their
    number. In nats. Source: [yang2024].

    >>> import math, torch, kullback as kb
    >>> teacher, student = torch.zeros(1, 3), torch.full((1, 3), math.log(1 / 3))  # coins of 1/2 and of 1/4
    >>> round(float(binary_loss(kb.kl, student, teacher)), 6), round(3 * kb.kl([0.5, 0.5], [0.25, 0.75]), 6)
    (0.431523, 0.431523)
    """
    check_logits(student, teacher)
    rows = kept(student.shape[:-1], mask).to(student.device)
    # a coin is a softmax of its log-odds and 0
    coins = [torch.stack([x[rows], torch.zeros_like(x[rows])], -1) for x in (student, teacher)]
    values = per_token(d, coins[0], coins[1], temperature=temperature).sum(-1)
    return averaged(values, denominator) * (temperature**2 if squared_temperature else 1.0)
