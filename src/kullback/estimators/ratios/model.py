"""What a model of a density ratio is: training rows in, a function that scores rows out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import numpy as np

from kullback.estimators.ratios.rows import Floats, Rows

LogRatio = Callable[[Rows], Floats]


class RatioModel(ABC):
    """A model of log p/q: `fit` turns training rows of both laws into a function that scores rows."""

    def tuned(self, p: Rows, q: Rows, rng: np.random.Generator) -> RatioModel:  # noqa: ARG002
        """The model with what it chooses by itself chosen on these rows."""
        return self

    @abstractmethod
    def fit(self, p: Rows, q: Rows, rng: np.random.Generator) -> LogRatio:
        """The log-ratio as the model sees it after these rows."""

    @property
    @abstractmethod
    def name(self) -> str:
        """The name in an answer."""

    def unfit(self, discrete: bool) -> str:
        """Why the model cannot use columns of this kind; empty where it can."""
        return "discrete columns have no kernel here; use ClassifierRatio(), or counts" if discrete else ""
