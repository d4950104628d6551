"""The 1797 handwritten digits that scikit-learn ships, as tensors, with labels that lie on request."""

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
