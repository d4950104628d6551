"""The 1797 handwritten digits that scikit-learn ships, as tensors; labels that lie, and disturbed views, on request."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Digits:
    """Images of shape (n, 64) in [0, 1] and labels 0 to 9, for training and for test."""

    images: Tensor
    labels: Tensor
    test_images: Tensor
    test_labels: Tensor


def digits(seed: int, *, train: int = 1000, flipped: float = 0.0) -> Digits:
    """A random split; a share `flipped` of the training labels is replaced by another digit, drawn uniformly."""
    from sklearn.datasets import load_digits

    rng = np.random.default_rng(seed)
    images, labels = load_digits(return_X_y=True)
    order = rng.permutation(len(labels))
    x, y = (
        torch.tensor(images[order] / 16.0, dtype=torch.float32),
        torch.tensor(labels[order], dtype=torch.long),
    )
    wrong = torch.tensor(rng.random(train) < flipped)
    shift = torch.tensor(rng.integers(1, 10, train), dtype=torch.long)
    seen = torch.where(wrong, (y[:train] + shift) % 10, y[:train])
    return Digits(x[:train], seen, x[train:], y[train:])


def view(images: Tensor, rng: torch.Generator) -> Tensor:
    """Every image (n, 64) moved by at most a pixel each way, round the edge, with noise."""
    square, n = images.reshape(-1, 8, 8), len(images)
    by = torch.randint(-1, 2, (2, n, 1, 1), generator=rng)
    places = torch.arange(8)
    down, right = (places[:, None] + by[0]) % 8, (places[None] + by[1]) % 8
    moved = square[torch.arange(n)[:, None, None], down, right].reshape(n, 64)
    return moved + 0.1 * torch.randn(moved.shape, generator=rng)
