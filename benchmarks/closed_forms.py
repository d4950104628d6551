"""Closed forms of KL divergences next to PyTorch's: digits lost near equality, and microseconds per call.

    python benchmarks/closed_forms.py

Relative error against 80-digit arithmetic, the largest over three members of each family, by how far the second law is
from the first; then the time of one call. Seeded; half a minute.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mpmath as mp
import torch

import kullback as kb

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
# the members and formulas that the tests hold the closed forms against
from exact import members, textbook  # pyright: ignore[reportMissingImports]

DELTAS = (1e-1, 1e-4, 1e-8)
LAWS = torch.distributions
FAMILIES: dict[str, Callable[..., Any]] = {
    "normal": LAWS.Normal,
    "half_normal": LAWS.HalfNormal,
    "multivariate_normal": lambda loc, scale_tril: LAWS.MultivariateNormal(loc, scale_tril=scale_tril),
    "gamma": LAWS.Gamma,
    "exponential": LAWS.Exponential,
    "beta": LAWS.Beta,
    "dirichlet": LAWS.Dirichlet,
    "gumbel": LAWS.Gumbel,
    "laplace": LAWS.Laplace,
    "cauchy": LAWS.Cauchy,
    "poisson": LAWS.Poisson,
    "bernoulli": LAWS.Bernoulli,
    "binomial": LAWS.Binomial,
    "geometric": LAWS.Geometric,
}


def as_law(name: str, parameters: dict[str, object]) -> Any:
    return FAMILIES[name](**{key: torch.tensor(x, dtype=torch.float64) for key, x in parameters.items()})


def error(value: object, truth: Any) -> float:
    return float(abs((mp.mpf(float(torch.as_tensor(value))) - truth) / truth))


def microseconds(call: Callable[[], object]) -> float:
    call()
    start, n = time.perf_counter(), 0
    while time.perf_counter() - start < 0.1:
        call()
        n += 1
    return 1e6 * (time.perf_counter() - start) / n


def row(name: str) -> str:
    ours, theirs = [], []
    for delta in DELTAS:
        pairs = [(first, members.moved(first, delta)) for first in members.MEMBERS[name]]
        truths = [textbook.kl(name, *pair) for pair in pairs]
        laws = [(as_law(name, first), as_law(name, second)) for first, second in pairs]
        ours.append(max(error(kb.between(kb.kl, *law).value, t) for law, t in zip(laws, truths, strict=True)))
        theirs.append(max(error(LAWS.kl_divergence(*law), t) for law, t in zip(laws, truths, strict=True)))
    p, q = laws[0]
    times = microseconds(lambda: kb.between(kb.kl, p, q)), microseconds(lambda: LAWS.kl_divergence(p, q))
    numbers = "  ".join(f"{a:8.1e} {b:8.1e}" for a, b in zip(ours, theirs, strict=True))
    return f"{name:20} {numbers}   {times[0]:8.0f} {times[1]:8.0f}"


def main() -> None:
    heads = "  ".join(f"{'delta ' + format(delta, 'g'):^17}" for delta in DELTAS)
    print(f"{'':20} {heads}   {'us per call':^17}")
    print(f"{'':20} {'  '.join(['kullback    torch'] * len(DELTAS))}   kullback    torch")
    for name in FAMILIES:
        print(row(name), flush=True)


if __name__ == "__main__":
    main()
