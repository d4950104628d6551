"""A teacher of digits who saw many of them, and a small student who sees few."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from gallery.toys.digits import digits
from gallery.toys.nets import batches, perceptron, train

FEW, BATCH, WIDTH = 300, 32, 12


@dataclass(frozen=True)
class Lesson:
    """What a student may see: images, labels, the teacher's logits; and the same of the test images."""

    images: Tensor
    labels: Tensor
    teacher: Tensor
    test_images: Tensor
    test_labels: Tensor
    test_teacher: Tensor
    weights: Tensor  # the teacher's last layer, a row a class
    seed: int


def lesson(seed: int) -> Lesson:
    """A perceptron of 128 units learns 1000 digits by cross-entropy; the student will have the first 300 of them."""
    data = digits(seed)
    net, rows = perceptron((64, 128, 10), seed=seed), batches(len(data.images), 64, seed=seed)
    train(
        net,
        lambda step: functional.cross_entropy(net(data.images[rows(step)]), data.labels[rows(step)]),
        steps=400,
        rate=3e-3,
    )
    with torch.no_grad():
        taught, tested = net(data.images[:FEW]), net(data.test_images)
    weights = dict(net.named_parameters())["2.weight"].detach()
    return Lesson(
        data.images[:FEW],
        data.labels[:FEW],
        taught,
        data.test_images,
        data.test_labels,
        tested,
        weights,
        seed,
    )


def student(
    of: Lesson,
    loss: Callable[[Tensor, Tensor, Tensor], Tensor],
    *,
    steps: int,
    rate: float = 5e-3,
    width: int = WIDTH,
    outputs: int = 10,
) -> Tensor:
    """The test logits of a small perceptron, trained by a loss of its logits, the teacher's and the labels."""
    net, rows = perceptron((64, width, outputs), seed=of.seed + 100), batches(FEW, BATCH, seed=of.seed)

    def of_step(step: int) -> Tensor:
        i = rows(step)
        return loss(net(of.images[i]), of.teacher[i], of.labels[i])

    train(net, of_step, steps=steps, rate=rate)
    with torch.no_grad():
        return net(of.test_images)
