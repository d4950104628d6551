"""The figure of the page on robust training: what a worst case makes of the weights of the examples.

`python docs/objectives/robust.py` prints the numbers behind it, with `docs` on the path of imports.
"""

from __future__ import annotations

from functools import cache, partial

import numpy as np

import curve
import kullback as kb

LOSSES = np.linspace(0.0, 1.0, 201)
RADIUS = 0.3
NOUNS = (kb.pearson_chi2, kb.kl, kb.js, kb.reverse_kl)


@cache
def weights() -> dict[str, np.ndarray]:
    """p/q of losses spread evenly over [0, 1], at one radius of every divergence scaled to f''(1) = 1."""
    return {
        d.name: len(LOSSES) * kb.upper_expectation(d.normalised(), LOSSES, radius=RADIUS).weights
        for d in NOUNS
    }


def worst_weights() -> str:
    """The weight of an example against its loss."""
    lines = [curve.Line(name, partial(np.interp, xp=LOSSES, fp=w)) for name, w in weights().items()]
    return curve.svg(
        lines, marks=(0, 0.25, 0.5, 0.75, 1), caption="weight of an example against its loss", top=6.0
    )


FIGURES = {"worst weights": worst_weights}


def main() -> None:
    """Print what the figure shows."""
    for name, w in weights().items():
        shown = "  ".join(f"{w[i]:.3f}" for i in (0, 50, 100, 150, 200))
        print(f"{name:<14} {shown}")  # noqa: T201


if __name__ == "__main__":
    main()
