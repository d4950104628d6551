"""Where the sequences of a step come from: fixed data, the student itself, the teacher, in given proportions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from kullback.errors import InvalidInputError


@dataclass(frozen=True)
class Sources:
    r"""Which source every sequence of a training step is taken from, with $P(s) = w_s / \sum w$.

    `weights` maps names, such as "data", "student" and "teacher", to numbers of any sum: all on "data" is supervised
    distillation, all on "student" fully on-policy. A draw depends on `seed` and the number of the step alone, so that
    training that resumes goes on as if it had not stopped. Raises `InvalidInputError`. Source: [agarwal2024],
    [zhou2024].

    >>> Sources({"student": 1.0, "data": 0.0}, seed=0).draw(step=7, count=3)
    ('student', 'student', 'student')
    """

    weights: Mapping[str, float]
    seed: int

    def __post_init__(self) -> None:
        values = list(self.weights.values())
        if not values or any(not (math.isfinite(w) and w >= 0) for w in values) or sum(values) == 0:
            raise InvalidInputError(
                f"`weights` are {dict(self.weights)!r}; expected numbers of 0 or more, at least one above 0"
            )
        object.__setattr__(self, "weights", MappingProxyType(dict(self.weights)))

    @property
    def shares(self) -> dict[str, float]:
        """The proportions, of sum 1."""
        total = math.fsum(self.weights.values())
        return {name: w / total for name, w in self.weights.items()}

    def draw(self, *, step: int, count: int) -> tuple[str, ...]:
        """The source of each of `count` sequences, independent of each other."""
        rng = np.random.default_rng((self.seed, step))
        names = list(self.weights)
        return tuple(names[i] for i in rng.choice(len(names), size=count, p=list(self.shares.values())))
