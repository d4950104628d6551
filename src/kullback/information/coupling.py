"""Couplings of least entropy: the joint law of two given ones in which each tells the most of the other."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kullback.divergences import kl
from kullback.errors import InvalidInputError, ShapeError

Floats = NDArray[np.float64]

_MOST_CELLS = 25  # of an exact coupling: 5 by 5 takes two seconds, 3 by 8 ten at worst


@dataclass(frozen=True)
class Coupling:
    r"""A joint law with two given margins, with its entropy and the least that any coupling could have, in nats.

    $$H(p \wedge q) \le \min_{\gamma \in \Pi(p, q)} H(\gamma) \le \texttt{entropy}, \qquad
    I = H(p) + H(q) - \texttt{entropy}$$

    `joint` (n, m) has the margins p and q, `lower_bound` is the entropy of their greatest lower bound under
    majorisation, and `information` what each side tells of the other. Source: [cicalese2019].

    >>> minimum_entropy_coupling([0.5, 0.5], [0.5, 0.5]).joint.tolist()
    [[0.5, 0.0], [0.0, 0.5]]
    """

    joint: Floats
    lower_bound: float

    @cached_property
    def entropy(self) -> float:
        """The joint entropy."""
        return entropy_of(self.joint)

    @cached_property
    def information(self) -> float:
        """The mutual information of the two sides, as the divergence from their independence."""
        independent = np.outer(self.joint.sum(axis=1), self.joint.sum(axis=0))
        return float(kl(self.joint.ravel(), independent.ravel(), normalize=True))


def greedy_coupling(p: Any, q: Any) -> Coupling:
    r"""A joint law of nearly least entropy: again and again the two largest masses that are left are matched.

    $$\texttt{entropy} \le H(p \wedge q) + \frac{\log_2 e}{e} \log 2 \approx H(p \wedge q) + 0.368 \text{ nats}$$

    `p` (n,) and `q` (m,) are masses that sum to 1; O((n + m)²) steps at most, n + m − 1 cells are filled. Raises as
    `minimum_entropy_coupling`, whatever the size. Source: [kocaoglu2017], [compton2023].

    >>> greedy_coupling([0.5, 0.5], [0.75, 0.25]).joint.tolist()
    [[0.5, 0.0], [0.25, 0.25]]
    """
    left, right = masses_of("p", p), masses_of("q", q)
    joint = np.zeros((len(left), len(right)))
    bound = entropy_of(meet(left, right))
    for _ in range(len(left) + len(right) - 1):
        i, j = int(left.argmax()), int(right.argmax())
        mass = min(left[i], right[j])
        joint[i, j] += mass
        left[i] -= mass
        right[j] -= mass
    return Coupling(joint, bound)


def minimum_entropy_coupling(p: Any, q: Any) -> Coupling:
    r"""The joint law of least entropy with margins p and q, which makes each tell the most of the other.

    $$\min_{\gamma \in \Pi(p, q)} H(\gamma) = H(p) + H(q) - \max_{\gamma \in \Pi(p, q)} I(\gamma)$$

    Exact, by the corners of the polytope of couplings: at a corner some cell takes all that its row or its column has
    left, and so again for the rest; sums that cannot beat the best one so far are left out by their lower bound. `p`
    (n,) and `q` (m,) are masses. The problem is NP-hard: raises `InvalidInputError` for more than 25 cells, where
    `greedy_coupling` is near; also for what are no masses. Source: [kovacevic2015], [cicalese2019].

    >>> found = minimum_entropy_coupling([0.5, 0.25, 0.25], [0.5, 0.5])
    >>> round(found.entropy, 6) == round(found.lower_bound, 6)  # 1.5 log 2, the entropy of p itself
    True
    """
    left, right = masses_of("p", p), masses_of("q", q)
    rows, columns = np.flatnonzero(left), np.flatnonzero(right)
    if len(rows) * len(columns) > _MOST_CELLS:
        raise InvalidInputError(
            f"an exact coupling of {len(rows)} by {len(columns)} masses has more than {_MOST_CELLS} cells to choose "
            "from; use greedy_coupling, which is within 0.37 nats of it"
        )
    start = greedy_coupling(left, right)
    search = _Search({}, start.entropy, _cells(start.joint))
    search.descend(left, right, 0.0, ())
    joint = np.zeros((len(left), len(right)))
    for i, j, mass in search.cells:
        joint[i, j] += mass
    return Coupling(joint, start.lower_bound)


@dataclass
class _Search:
    """The best corner so far, and the least sum with which each rest was reached."""

    reached: dict[tuple[tuple[float, ...], tuple[float, ...]], float]
    best: float
    cells: tuple[tuple[int, int, float], ...]

    def descend(self, left: Floats, right: Floats, paid: float, cells: tuple) -> None:
        """All ways to place what is left, after cells that have cost `paid`."""
        if left.max() <= _GONE or right.max() <= _GONE:
            if paid < self.best:
                self.best, self.cells = paid, cells
            return
        if paid + _terms(meet(left, right)).sum() >= self.best - 1e-13:
            return
        rest = _sorted(left), _sorted(right)  # which row it is does not matter for the sum
        if self.reached.get(rest, math.inf) <= paid:
            return
        self.reached[rest] = paid
        for i, j, mass in _moves(left, right):
            a, b = left.copy(), right.copy()
            a[i], b[j] = _less(a[i], mass), _less(b[j], mass)
            self.descend(a, b, paid + float(_terms(np.array([mass]))[0]), (*cells, (i, j, mass)))


_GONE = 1e-14  # what rounding leaves of a mass that is used up


def _less(mass: float, taken: float) -> float:
    return 0.0 if mass - taken <= _GONE else mass - taken


def _sorted(masses: Floats) -> tuple[float, ...]:
    return tuple(np.sort(masses[masses > 0]).round(13).tolist())


def _moves(left: Floats, right: Floats) -> list[tuple[int, int, float]]:
    """The cells that a row or a column can be emptied into, large masses first."""
    found = [
        (int(i), int(j), float(min(left[i], right[j])))
        for i in np.flatnonzero(left)
        for j in np.flatnonzero(right)
    ]
    return sorted(found, key=lambda move: -move[2])


def _cells(joint: Floats) -> tuple[tuple[int, int, float], ...]:
    return tuple((int(i), int(j), float(joint[i, j])) for i, j in np.argwhere(joint > 0))


def meet(p: Floats, q: Floats) -> Floats:
    """The greatest masses that both p and q majorise: increments of the smaller of their two Lorenz curves."""
    n = max(len(p), len(q))
    curves = [np.cumsum(np.pad(np.sort(x)[::-1], (0, n - len(x)))) for x in (p, q)]
    return np.diff(np.minimum(*curves), prepend=0.0)


def _terms(masses: Floats) -> Floats:
    live = masses > 0
    return np.where(live, -masses * np.log(np.where(live, masses, 1.0)), 0.0)


def entropy_of(masses: Floats) -> float:
    """Shannon's entropy of masses in nats."""
    return float(_terms(masses).sum())


def masses_of(name: str, masses: Any) -> Floats:
    """A copy of the masses of one law, or an error that says why they are none."""
    p = np.array(masses, dtype=float)
    if p.ndim != 1 or p.size == 0:
        raise ShapeError(f"`{name}` has shape {p.shape}; expected the masses of one law, (n,)")
    kl(p, p)  # refuses what are no masses
    return p
