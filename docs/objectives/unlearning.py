"""The figure of the page on unlearning: what is kept while eight answers of forty are forgotten.

`python docs/objectives/unlearning.py` prints the numbers behind it, with `docs` on the path of imports.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

import numpy as np
from scipy.special import softmax

import chart
import kullback as kb

PROMPTS, FORGET, RANK, ANSWERS = 40, 8, 8, 20  # answer 0 is the template
STEPS = 120
SLICE = np.s_[:FORGET]

Pull = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def flat(d: kb.FDivergence) -> Pull:
    """The derivatives of the loss in the probabilities of template and forgotten answer, at `LogRatio()`."""
    return lambda t, f: (-d.curvature(t) * np.exp(-t), d.curvature(f))


def flat_total_variation(t: np.ndarray, f: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same for a kink, at `Direct()`: of half the hyperbolic tangent."""
    return -0.5 / np.cosh(t) ** 2, 0.5 / np.cosh(f) ** 2


def ascent(t: np.ndarray, f: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The derivatives of the forgotten answer's log-probability."""
    return np.zeros_like(t), 1 / f


SHOWN: dict[str, Pull] = {
    "kl": flat(kb.kl),
    "total_variation": flat_total_variation,
    "gradient ascent": ascent,
}


def descended(
    table: np.ndarray, gradient: Callable[[np.ndarray], np.ndarray], steps: int, rate: float
) -> Iterator[np.ndarray]:
    """The table after every step of Adam."""
    first, second = np.zeros_like(table), np.zeros_like(table)
    for i in range(1, steps + 1):
        g = gradient(table)
        first, second = 0.9 * first + 0.1 * g, 0.999 * second + 0.001 * g**2
        move = first / (1 - 0.9**i) / (np.sqrt(second / (1 - 0.999**i)) + 1e-8)
        table = table - rate * move
        yield table


@cache
def memorised() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Prompts, the right answers, and a table of rank 8 that has learnt most of them."""
    draws = np.random.default_rng(0)
    prompts = draws.normal(size=(PROMPTS, RANK))
    answers = draws.integers(1, ANSWERS, PROMPTS)
    right = np.eye(ANSWERS)[answers]

    def cross_entropy(table: np.ndarray) -> np.ndarray:
        return prompts.T @ (softmax(prompts @ table, -1) - right) / PROMPTS

    *_, table = descended(0.1 * draws.normal(size=(RANK, ANSWERS)), cross_entropy, 400, 0.05)
    return prompts, answers, table


@cache
def path(name: str) -> np.ndarray:
    """Mean probability of the forgotten answers and of the others, before and after every step."""
    prompts, answers, start = memorised()
    right = np.eye(ANSWERS)[answers]
    pull = SHOWN[name]

    def gradient(table: np.ndarray) -> np.ndarray:
        p = softmax(prompts[SLICE] @ table, -1)
        t, f = p[:, 0], (p * right[SLICE]).sum(-1)
        by_t, by_f = pull(t, f)
        upward = by_t[:, None] * t[:, None] * (np.eye(ANSWERS)[0] - p)
        upward += by_f[:, None] * f[:, None] * (right[SLICE] - p)
        return prompts[SLICE].T @ upward / FORGET

    def shares(table: np.ndarray) -> tuple[float, float]:
        own = (softmax(prompts @ table, -1) * right).sum(-1)
        return own[:FORGET].mean(), own[FORGET:].mean()

    return np.array([shares(start), *(shares(x) for x in descended(start, gradient, STEPS, 0.01))])


def unlearning_paths() -> str:
    """What is kept against what is still known of the rest, step by step."""
    series = [
        chart.Series(name, tuple(chart.Point(float(x), float(y)) for x, y in path(name)[::10]))
        for name in SHOWN
    ]
    return chart.lines(
        series,
        at=(0, 0.2, 0.4, 0.6, 0.8),
        levels=(0.5, 0.6, 0.7, 0.8, 0.9),
        caption="probability of the answers to forget",
        label="probability of the others",
    )


FIGURES = {"unlearning_paths": unlearning_paths}


def main() -> None:
    """Print what the figure shows."""
    for name in SHOWN:
        (a, b), (c, d) = path(name)[0], path(name)[-1]
        print(f"{name:<16} forget {a:.3f} -> {c:.3f}  keep {b:.3f} -> {d:.3f}")  # noqa: T201


if __name__ == "__main__":
    main()
