"""The figures of the page on distillation: students of one mode, fitted to a teacher of two.

`python docs/which_divergence.py` prints the numbers behind them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax

import curve
import kullback as kb
from kullback import FDivergence

GRID = np.linspace(0.0, 10.0, 201)  # the tokens, in a row
ALPHAS = tuple(i / 10 for i in range(11))


@dataclass(frozen=True)
class Fit:
    """The best student of one mode: where it stands, how wide it is, and its logarithms of probabilities."""

    centre: float
    width: float
    log_q: np.ndarray


def bump(centre: float, width: float) -> np.ndarray:
    """Logarithms of the probabilities of a normal law on the grid."""
    return log_softmax(-0.5 * ((GRID - centre) / width) ** 2)


@cache
def teacher() -> np.ndarray:
    """Two modes, the left one of mass 0.6."""
    return np.logaddexp(math.log(0.6) + bump(3.0, 0.6), math.log(0.4) + bump(7.0, 0.6))


def fitted(d: FDivergence) -> Fit:
    """The student that brings D(teacher‖student) down farthest, from several starts."""

    def loss(x: np.ndarray) -> float:
        return float(d.of_logits(teacher(), bump(x[0], math.exp(x[1]))))

    starts = [(c, math.log(w)) for c in (3.0, 5.0, 7.0) for w in (0.5, 2.0)]
    found = [
        minimize(loss, start, method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-12})
        for start in starts
    ]
    centre, log_width = min(found, key=lambda x: x.fun).x
    return Fit(centre, math.exp(log_width), bump(centre, math.exp(log_width)))


@cache
def fits() -> dict[str, Fit]:
    """By both directions of KL and what lies between them."""
    return {d.name: fitted(d) for d in (kb.kl, kb.js, kb.reverse_kl)}


@cache
def widths() -> tuple[float, ...]:
    """How wide the student of `alpha(a)` is, from reverse KL at a = 0 to KL at a = 1."""
    return tuple(fitted(kb.alpha(a)).width for a in ALPHAS)


def modes() -> str:
    """The teacher and three students."""
    shown = {"teacher": teacher(), **{f"student by {name}": fit.log_q for name, fit in fits().items()}}
    lines = [curve.Line(name, partial(np.interp, xp=GRID, fp=np.exp(x))) for name, x in shown.items()]
    top = 1.5 * max(float(np.exp(x).max()) for x in shown.values())
    return curve.svg(lines, marks=(0, 2, 4, 6, 8, 10), caption="probability of every token", top=top)


def path() -> str:
    """The width of the student against a."""
    lines: Sequence[curve.Line] = [
        curve.Line("width of the student by alpha(a)", partial(np.interp, xp=ALPHAS, fp=widths()))
    ]
    return curve.svg(lines, marks=(0, 0.25, 0.5, 0.75, 1), caption="a", top=1.3 * max(widths()))


FIGURES = {"modes": modes, "path": path}


def main() -> None:
    """Print what the figures show."""
    for name, fit in fits().items():
        print(f"{name:<12} centre {fit.centre:.3f}  width {fit.width:.3f}")  # noqa: T201
    for a, width in zip(ALPHAS, widths(), strict=True):
        print(f"alpha({a:g})  width {width:.3f}")  # noqa: T201


if __name__ == "__main__":
    main()
