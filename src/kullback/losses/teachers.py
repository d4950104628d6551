"""Teachers that are tuned to say more about each example than its label does."""

from __future__ import annotations

import torch
from torch import Tensor

from kullback.divergences import Divergence, kl
from kullback.errors import InvalidInputError, ShapeError
from kullback.losses.averaging import averaged
from kullback.losses.engines.sides import raised
from kullback.losses.token import loss


class ClassCentroids(torch.nn.Module):
    r"""The mean prediction for each label, $\bar p_y = \sum_{i: y_i = y} w_i\, p_i / \sum_{i: y_i = y} w_i$.

    `update` takes batches; without a `decay` all examples weigh the same, with one the weight of an example falls by
    that factor with every example of its label in a later batch. A module, so that it is saved and moved with the
    model; it has no parameters. Raises `InvalidInputError`. Source: [ye2024].

    >>> import torch
    >>> centroids = ClassCentroids(2)
    >>> centroids.update(torch.tensor([[0.5, 0.5], [0.25, 0.75]]).log(), torch.tensor([1, 1]))
    >>> [round(x, 6) for x in centroids.log_probs(torch.tensor(1)).exp().tolist()]
    [0.375, 0.625]
    """

    total: Tensor
    weight: Tensor

    def __init__(self, classes: int, *, decay: float | None = None) -> None:
        super().__init__()
        if decay is not None and not 0 < decay < 1:
            raise InvalidInputError(
                f"`decay` is {decay!r}; expected a number between 0 and 1, or None for plain means"
            )
        self.decay = decay
        self.register_buffer("total", torch.zeros(classes, classes, dtype=torch.float64))
        self.register_buffer("weight", torch.zeros(classes, dtype=torch.float64))

    @torch.no_grad()
    def update(self, logits: Tensor, labels: Tensor, *, ignore_index: int = -100) -> None:
        """Takes predictions of shape (..., classes) for labels (...) in; those of `ignore_index` are left out."""
        classes = len(self.weight)
        if logits.shape != (*labels.shape, classes):
            raise ShapeError(
                f"logits of shape {tuple(logits.shape)} for labels of shape {tuple(labels.shape)}; expected "
                f"{(*labels.shape, classes)}"
            )
        rows = labels != ignore_index
        found, p = labels[rows], logits[rows].double().softmax(-1)
        counts = torch.bincount(found, minlength=classes).to(self.weight)
        if self.decay is not None:
            older = self.decay**counts
            self.total.mul_(older[:, None])
            self.weight.mul_(older)
        self.total.index_add_(0, found, p)
        self.weight.add_(counts)

    def log_probs(self, labels: Tensor) -> Tensor:
        """The logarithm of the mean prediction for each of the labels, shape (..., classes)."""
        unseen = torch.unique(labels[self.weight[labels] == 0])
        if len(unseen):
            raise InvalidInputError(
                f"no prediction for the labels {unseen.tolist()} was taken in; call `update` on examples of them first"
            )
        return (self.total[labels] / self.weight[labels][..., None]).log()


def class_information(
    d: Divergence,
    teacher: Tensor,
    labels: Tensor,
    centroids: ClassCentroids,
    *,
    ignore_index: int = -100,
    denominator: float | Tensor | None = None,
) -> Tensor:
    r"""What a teacher's predictions tell of the example beyond its label: how far they are from the label's mean.

    $$\frac1n \sum_i D(p_i \| \bar p_{y_i})$$

    For KL and centroids of the same examples it is the conditional mutual information of example and prediction, given
    the label. `teacher` are logits (..., classes), `labels` (...). No gradient passes through the centroids. In nats.
    Source: [ye2024].

    >>> import torch, kullback as kb
    >>> logits, labels = torch.tensor([[1.0, 0.0], [0.0, 1.0]]).log(), torch.tensor([0, 0])
    >>> centroids = ClassCentroids(2)
    >>> centroids.update(logits, labels)
    >>> round(float(class_information(kb.kl, logits, labels, centroids)), 6)  # one bit, in nats
    0.693147
    """
    rows = labels != ignore_index
    mine = teacher[rows]
    if not len(mine):
        return mine.sum()
    means = centroids.log_probs(labels[rows]).to(raised(mine).dtype)
    return loss(d, student=means, teacher=mine, denominator=denominator)


def informative_teacher(
    d: Divergence,
    teacher: Tensor,
    labels: Tensor,
    centroids: ClassCentroids,
    *,
    weight: float,
    ignore_index: int = -100,
    denominator: float | Tensor | None = None,
) -> Tensor:
    r"""Cross-entropy less the information about the example: fine-tunes a teacher to be worth listening to.

    $$\frac1n \sum_i \left[-\log p_i(y_i) - \lambda\, D(p_i \| \bar p_{y_i})\right], \qquad \lambda = \text{weight}$$

    The teacher's own logits are trained. Call `centroids.update` as it changes. Source: [ye2024].

    >>> import torch, kullback as kb
    >>> logits, labels = torch.tensor([[0.5, 0.5]]).log(), torch.tensor([0])
    >>> centroids = ClassCentroids(2)
    >>> centroids.update(logits, labels)
    >>> round(float(informative_teacher(kb.kl, logits, labels, centroids, weight=0.1)), 6)  # log 2 - 0
    0.693147
    """
    rows = labels != ignore_index
    log_p = raised(teacher[rows]).log_softmax(-1)
    hard = averaged(-log_p.gather(-1, labels[rows][:, None])[:, 0], denominator)
    told = class_information(
        d, teacher, labels, centroids, ignore_index=ignore_index, denominator=denominator
    )
    return hard - weight * told


def conditional_information(teacher: Tensor, labels: Tensor) -> float:
    r"""The conditional mutual information $I(X; \hat Y \mid Y)$ of a teacher's predictions on a whole data set.

    `teacher` are logits (..., classes) and `labels` (...): the centroids are the means over these examples. In nats.
    Source: [ye2024].

    >>> import torch
    >>> round(conditional_information(torch.tensor([[1.0, 0.0], [0.0, 1.0]]).log(), torch.tensor([0, 0])), 6)
    0.693147
    """
    centroids = ClassCentroids(teacher.shape[-1]).to(teacher.device)
    with torch.no_grad():
        centroids.update(teacher, labels)
        return float(class_information(kl, teacher.double(), labels, centroids))
