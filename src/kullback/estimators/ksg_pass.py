"""One pass over a joint sample: the estimates of Kraskov, Stögbauer and Grassberger at many k, and without each row."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma

from kullback.estimators.trees import Deletions, Margin, ScorePair, Tree

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Joint:
    """Points of x and y together, and the two margins with their rows in the order of the tree."""

    tree: Tree
    x: Margin
    y: Margin

    @property
    def n(self) -> int:
        """The number of rows."""
        return len(self.tree.points)

    def inside(self, k: int) -> Ints:
        """How many other rows (n, 2) are closer than the k-th neighbour in x and in y alone."""
        radii = self.tree.kth(k)[:, None]
        counts = [margin.counts(radii)[:, 0] for margin in (self.x, self.y)]
        return np.maximum(np.column_stack(counts) - 1, 0)  # no radius holds nothing, not even the row itself


@dataclass(frozen=True)
class Pass:
    """The estimates over a grid of k; combinations of them without each row in turn, less a constant; and the counts.

    `deleted` is (combinations, n); `inside` the median over rows of the smaller margin count at the k nearest 5.
    """

    values: Floats
    deleted: Floats
    inside: float


@dataclass(frozen=True)
class _Reach:
    """What the neighbours of order k and of order k + 1 see in one margin, for every k of the grid, (n, K) each."""

    counts: Ints
    share: Floats  # 1/counts, and 0 where a strip is empty: what a row in the strip loses with its deletion
    next_psi: Floats  # digamma of the count without one row, when the k-th neighbour becomes the (k + 1)-th


def value(joint: Joint | ScorePair, k: int) -> float:
    r"""The estimate at one k: $\psi(k) + \psi(n) - \langle \psi(n_x + 1) + \psi(n_y + 1) \rangle$."""
    psi = _psi(joint.n)
    return float(psi[k] + psi[joint.n] - 2 * psi[joint.inside(k) + 1].mean())


def values(joint: Joint | ScorePair, ks: tuple[int, ...]) -> Floats:
    """The estimates at several k, ascending."""
    if isinstance(joint, ScorePair):
        return np.array([value(joint, k) for k in ks])
    psi = _psi(joint.n)
    radii = joint.tree.in_order(ks[-1])[0][:, [k - 1 for k in ks]]
    seen = sum(psi[np.maximum(margin.counts(radii), 1)].mean(axis=0) for margin in (joint.x, joint.y))
    return psi[list(ks)] + psi[joint.n] - seen


def rectangles(joint: Joint, k: int) -> float:
    r"""The paper's second estimate: $\psi(k) - 1/k + \psi(n) - \langle \psi(n_x) + \psi(n_y) \rangle$."""
    near = joint.tree.in_order(k)[1]
    rows = np.arange(joint.n)
    psi = _psi(joint.n)
    total = 0.0
    for margin in (joint.x, joint.y):
        side = np.max([margin.apart(rows, others) for others in near.T], axis=0)
        total += float(psi[margin.counts(side[:, None], strict=False) - 1].mean())
    return float(psi[k] - 1 / k + psi[joint.n]) - total


def run(joint: Joint | ScorePair, ks: tuple[int, ...], combinations: Floats) -> Pass:
    """All k at once, and `combinations` (c, K) of them without each row."""
    n = joint.n
    psi = _psi(n)
    found = (
        joint.deletions(ks, combinations, psi)
        if isinstance(joint, ScorePair)
        else _deletions(joint, ks, combinations, psi)
    )
    values = psi[list(ks)] + psi[n] - found.total / n
    nearest = int(np.argmin(np.abs(np.array(ks) - 5)))
    inside = float(np.median(found.counts[:, nearest], axis=0).min())
    return Pass(values, np.ascontiguousarray((found.own - found.change).T) / (n - 1), inside)


def _deletions(joint: Joint, ks: tuple[int, ...], combinations: Floats, psi: Floats) -> Deletions:
    """The same as of a `ScorePair`, for any joint sample."""
    distances, places = joint.tree.in_order(ks[-1] + 1)
    wanted = sorted({*ks, *(k + 1 for k in ks)})
    radii = distances[:, [k - 1 for k in wanted]]
    here = [wanted.index(k) for k in ks]
    behind = [wanted.index(k + 1) for k in ks]
    reaches = [_reach(margin.counts(radii), here, behind, psi) for margin in (joint.x, joint.y)]
    sums = psi[reaches[0].counts + 1] + psi[reaches[1].counts + 1]
    gained = sum((reach.next_psi + reach.share for reach in reaches), -sums)
    change = _to_neighbours(gained, ks, combinations, places)
    own = radii[:, here]
    for margin, reach in zip((joint.x, joint.y), reaches, strict=True):
        lost = _suffix(reach.share, combinations)
        change += _at_the_edge(margin, reach.share, own, distances, places, ks, combinations)
        # every row is inside its own strips, but is not what is deleted there
        first = (own <= 0).sum(axis=1)
        change += np.take_along_axis(lost, first[:, None, None], axis=1)[:, 0] - margin.spread(own, lost)
    counts = np.stack([reach.counts for reach in reaches], axis=2)
    return Deletions(sums.sum(axis=0), sums @ combinations.T, change, counts)


@lru_cache(maxsize=4)
def _digammas(size: int) -> Floats:
    return digamma(np.maximum(np.arange(size), 0.5))


def _psi(n: int) -> Floats:
    """The digamma function of the integers up to n + 1; entry 0 is never asked for."""
    return _digammas(1 << (n + 2).bit_length())


def _reach(counts: Ints, here: list[int], behind: list[int], psi: Floats) -> _Reach:
    others = np.maximum(counts - 1, 0)  # a strip of no width does not hold the row itself
    inside = others[:, here]
    share = np.where(inside > 0, 1.0 / np.maximum(inside, 1), 0.0)
    return _Reach(inside, share, psi[np.maximum(others[:, behind], 1)])


def _suffix(amounts: Floats, combinations: Floats) -> Floats:
    """Amounts (n, K), weighted and summed over all k from the t-th on: (n, K + 1, c)."""
    n, size = amounts.shape
    found = np.zeros((n, size + 1, len(combinations)))
    weighted = amounts[:, :, None] * combinations.T
    found[:, :-1] = np.cumsum(weighted[:, ::-1], axis=1)[:, ::-1]
    return found


def _to_neighbours(gained: Floats, ks: tuple[int, ...], combinations: Floats, places: Ints) -> Floats:
    """What the sum gains by a neighbour's deletion, handed to that neighbour, as if it lay inside both strips."""
    n = len(gained)
    suffix = _suffix(gained, combinations)
    change = np.zeros((n, len(combinations)))
    for t in range(ks[-1]):
        first = int(np.searchsorted(ks, t, side="right"))
        for c in range(len(combinations)):
            change[:, c] += np.bincount(places[:, t], weights=suffix[:, first, c], minlength=n)
    return change


def _at_the_edge(
    margin: Margin,
    share: Floats,
    radii: Floats,
    distances: Floats,
    places: Ints,
    ks: tuple[int, ...],
    combinations: Floats,
) -> Floats:
    """Takes back what neighbours got that lie on the edge of a strip, not inside: the k-th, or any as far as it.

    Where the next is no further, the strips stay as wide without them, and nothing was got that they do not give.
    """
    n = len(share)
    change = np.zeros((n, len(combinations)))
    rows = np.arange(n)
    for i, k in enumerate(ks):
        for t in range(k - 1, -1, -1):
            far = rows[(distances[:, t] >= radii[:, i]) & (distances[:, k] > radii[:, i])]
            if not far.size:
                break
            edge = far[margin.apart(far, places[far, t]) >= radii[far, i]]
            got = np.bincount(places[edge, t], weights=share[edge, i], minlength=n)
            change -= got[:, None] * combinations[:, i]
    return change
