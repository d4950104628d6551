"""Adaptation without labels and source: sure predictions whose mean keeps to known shares of the classes."""

from __future__ import annotations

import math
from functools import partial

import torch
from torch import Tensor

from kullback.divergences import Divergence
from kullback.errors import InvalidInputError, ShapeError
from kullback.losses.batches import NonFinite, averaged, counted
from kullback.losses.supervision.groups import Groups, check_laws, check_numbers, check_rows


def weighted_entropy(
    logits: Tensor,
    *,
    class_weights: Tensor | None = None,
    mask: Tensor | None = None,
    weight: Tensor | None = None,
    nonfinite: NonFinite = "propagate",
) -> Tensor:
    r"""The mean entropy of predictions, each class at its weight: entropy minimisation.

    $$-\frac1n \sum_i \sum_k w_k\, p_{ik} \log p_{ik}, \qquad p_i = \mathrm{softmax}(z_i)$$

    Logits z (n, K), `class_weights` w (K,), 1 where not given: Shannon's entropy, in nats. Alone it is least where
    every example is surely of one class, be it the same for all. −inf takes a class out. Masks and policy as in
    `kullback.losses.batches.averaged`. Raises `ShapeError`, `DTypeError`, `InvalidInputError`. Source:
    [grandvalet2004], [bateson2021].

    >>> import math, torch
    >>> z = torch.tensor([[0.0, math.log(3.0)]])
    >>> round(float(weighted_entropy(z)), 6)  # log 4 − (3/4) log 3
    0.562335
    """
    z = check_rows("logits", logits, "n, K")
    terms = partial(_entropies, _class_weights(class_weights, z))
    return averaged(terms, z, mask=mask, weight=weight, nonfinite=nonfinite)


def prior_matching(
    d: Divergence,
    logits: Tensor,
    *,
    prior: Tensor,
    strength: float = 1.0,
    class_weights: Tensor | None = None,
    groups: Tensor | None = None,
    mask: Tensor | None = None,
    weight: Tensor | None = None,
    nonfinite: NonFinite = "propagate",
) -> Tensor:
    r"""`weighted_entropy`, and the divergence of the mean prediction of an image or batch from a prior of the classes.

    $$-\frac1n \sum_i \sum_k w_k\, p_{ik} \log p_{ik} + \frac\lambda G \sum_g D_f(\bar p_g \| \tau_g), \qquad
    \bar p_g = \frac{1}{n_g} \sum_{i \in g} p_i$$

    D_f(mean prediction‖prior), the mean prediction first: with `kb.kl` and one image a group it is the objective of
    source-free adaptation, and for a uniform prior entropy minimisation becomes the maximisation of the mutual
    information of input and prediction. `kb.reverse_kl` is the other direction, infinite in a class that the prior
    has and the predictions lack. Logits z (n, K), one row a pixel or an example; `groups` (n,) says by whole numbers
    which image each is of, all of one where not given. `prior` τ (K,), or (G, K) with row g for the group of that
    number; a constant, whose zeros are exact: class k costs λ p̄_k lim f(t)/t there. λ is `strength` > 0.

    Rows outside `mask` reach nothing; `weight` multiplies the entropies and is the mass of a row in its group's mean.
    `nonfinite` is about rows whose entropy is not finite. Raises `ShapeError`, `DTypeError`, `InvalidInputError`.
    Source: [bateson2021].

    >>> import torch, kullback as kb
    >>> sure = torch.tensor([[0.0, -torch.inf]] * 3)  # every prediction in one class: no entropy, and log 2 away
    >>> round(float(prior_matching(kb.kl, sure, prior=torch.tensor([0.5, 0.5]))), 6)
    0.693147
    """
    z = check_rows("logits", logits, "n, K")
    if not 0 < strength < math.inf:
        raise InvalidInputError(f"`strength` is {strength!r}; expected a finite positive number")
    terms = partial(_entropies, _class_weights(class_weights, z))
    numbers = torch.zeros_like(z[:, 0], dtype=torch.long) if groups is None else groups
    check_numbers("groups", numbers, len(z))
    masses = None if weight is None else _masses(weight, z, mask)
    rows = counted(terms, z, mask=mask, nonfinite=nonfinite)
    if len(rows) == 0:
        return z[:0].sum()
    z, sets = z[rows], Groups.of(numbers[rows])
    masses = None if masses is None else masses[rows]
    entropies = terms(z) if masses is None else masses * terms(z)
    if masses is not None and bool((sets.total(masses) == 0).any()):
        raise InvalidInputError(
            "all rows of a group have a `weight` of 0, and no mean; leave them out by `mask`"
        )
    means = sets.log_mean(z.log_softmax(-1), weight=masses)
    distances = torch.as_tensor(d.of_logits(means, _of_groups(prior, sets.numbers, means)))
    return entropies.mean() + strength * distances.mean()


def _entropies(class_weights: Tensor | None, z: Tensor) -> Tensor:
    """Σ −w p log p of every row; a class of probability 0 adds 0, to the gradient too."""
    log_p = z.log_softmax(-1)
    surprise = -torch.where(torch.isneginf(log_p), 0.0, log_p)
    return (log_p.exp() * (surprise if class_weights is None else class_weights * surprise)).sum(-1)


def _of_groups(prior: Tensor, numbers: Tensor, means: Tensor) -> Tensor:
    """Logarithms of the prior of each group."""
    laws = check_laws("prior", prior, means.shape[-1]).to(means)
    if laws.ndim == 1:
        return laws.expand_as(means)
    least, most = int(numbers.min()), int(numbers.max())
    if laws.ndim != 2 or least < 0 or most >= len(laws):
        raise ShapeError(
            f"`prior` has shape {tuple(laws.shape)} and groups go from {least} to {most}; expected (K,), or (G, K) "
            "with a row for each number"
        )
    return laws[numbers]


def _class_weights(weights: Tensor | None, z: Tensor) -> Tensor | None:
    if weights is None:
        return None
    if weights.shape != z.shape[-1:]:
        raise ShapeError(f"`class_weights` has shape {tuple(weights.shape)}; expected ({z.shape[-1]},)")
    if not bool(((weights >= 0) & (weights < math.inf)).all()):
        raise InvalidInputError("`class_weights` must be finite and not negative")
    return weights.to(z)


def _masses(weight: Tensor, z: Tensor, mask: Tensor | None) -> Tensor:
    if weight.shape != z.shape[:1]:
        raise ShapeError(f"`weight` has shape {tuple(weight.shape)}; expected ({len(z)},), one a row")
    if not bool(((weight if mask is None else weight[mask]) >= 0).all()):
        raise InvalidInputError("`weight` must not be negative: it is the mass of a row in its group's mean")
    return weight.to(z)
