"""The figure of the page on matching: one normal student of a teacher with two modes, by divergence.

`python docs/objectives/matching.py` prints the numbers behind it, with `docs` on the path of imports.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax

import curve
import kullback as kb

GRID = np.linspace(0.0, 10.0, 401)
SHOWN: tuple[kb.FDivergence, ...] = (kb.reverse_kl, kb.js, kb.squared_hellinger, kb.kl)


@dataclass(frozen=True)
class Student:
    """The best student: where it stands, how wide it is, and the logarithms of its probabilities."""

    centre: float
    width: float
    log_q: np.ndarray


def normal(centre: float, width: float) -> np.ndarray:
    """Logarithms of the probabilities of a normal law on the grid."""
    return log_softmax(-0.5 * ((GRID - centre) / width) ** 2)


@cache
def teacher() -> np.ndarray:
    """Two modes, the left one of mass 0.8."""
    return np.logaddexp(math.log(0.8) + normal(3.4, 0.6), math.log(0.2) + normal(6.2, 0.9))


@cache
def fitted(d: kb.FDivergence) -> Student:
    """The student nearest to the teacher, D_f(teacher‖student) the least, from two starts."""

    def distance(x: np.ndarray) -> float:
        return float(d.of_logits(teacher(), normal(x[0], math.exp(x[1]))))

    starts = ((3.4, math.log(0.6)), (4.0, math.log(1.5)))
    found = [
        minimize(distance, x, method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-12}) for x in starts
    ]
    centre, log_width = min(found, key=lambda x: x.fun).x
    return Student(float(centre), math.exp(log_width), normal(centre, math.exp(log_width)))


def students() -> str:
    """The teacher and the student of every divergence."""
    shown = {"teacher": teacher(), **{f"student by {d.name}": fitted(d).log_q for d in SHOWN}}
    step = GRID[1] - GRID[0]
    lines = [curve.Line(name, partial(np.interp, xp=GRID, fp=np.exp(x) / step)) for name, x in shown.items()]
    return curve.svg(lines, marks=(0, 2, 4, 6, 8, 10), caption="density of a sample", top=1.0)


FIGURES = {"students": students}


def main() -> None:
    """Print what the figure shows."""
    for d in SHOWN:
        student = fitted(d)
        right = np.exp(student.log_q)[GRID > 5].sum()
        print(f"{d.name:<12} centre {student.centre:.3f}  width {student.width:.3f}  right {right:.3f}")  # noqa: T201


if __name__ == "__main__":
    main()
