"""What a model of the ratio misses, judged in cells: do the rows of p among all rows of a cell come as foretold?"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import expit

from kullback.divergences import FDivergence
from kullback.estimators.ratios.rows import Floats, Ints, Rows
from kullback.estimators.ratios.scores import Scores

_ROWS = 50  # of both samples together in a cell, at least
_DOUBT = 2.0  # the least variance of a cell's count that lets it judge


def cells_of(table: Floats, rows: int = _ROWS) -> Ints:
    """The cell of every row: halves, by the median of the column that spreads most, down to `rows` rows."""
    cell = np.zeros(len(table), dtype=np.int64)
    todo, number = [np.arange(len(table))], 0
    while todo:
        inside = todo.pop()
        spread = np.ptp(table[inside], axis=0) if table.shape[1] else np.zeros(1)
        column = int(np.argmax(spread))
        if len(inside) < 2 * rows or spread[column] == 0.0:
            cell[inside], number = number, number + 1
            continue
        values = table[inside, column]
        middle = np.median(values)
        left = values <= middle if middle < values.max() else values < middle
        todo += [inside[~left], inside[left]]
    return cell


def missed(d: FDivergence, p: Rows, q: Rows, scores: Scores) -> float:
    r"""By how much the value may be too small because the scores are wrong, with the noise of judging that.

    A score that is off by δ costs $\tfrac12 E_q[t^2 f''(t)\, \delta^2]$. A cell with W of the logistic variance, in
    which the rows of p exceed their expectation by O, has $\delta = O / W$, and $O^2$ less its variance is unbiased.
    """
    cell = cells_of(np.concatenate([p.table, q.table]))
    number = int(cell.max()) + 1
    mass = np.concatenate([p.mass, q.mass])
    log_odds = math.log(p.mass.sum() / q.mass.sum())
    chance = expit(np.concatenate([scores.at_p, scores.at_q]) + log_odds)
    label = np.concatenate([np.ones(p.n), np.zeros(q.n)])
    doubt = chance * (1.0 - chance)
    excess = np.bincount(cell, mass * (label - chance), number)
    weight = np.bincount(cell, mass * doubt, number)
    variance = np.bincount(cell, mass * mass * doubt, number)
    share = q.mass / q.mass.sum() * np.asarray(d.curvature(scores.at_q))
    price = np.bincount(cell[p.n :], share, number)
    able = weight > _DOUBT
    price, excess, weight, variance = (v[able] for v in (price, excess, weight, variance))
    found = 0.5 * float(np.sum(price * (excess**2 - variance) / weight**2))
    noise = math.sqrt(0.5) * float(np.linalg.norm(price * variance / weight**2))
    return math.hypot(max(found, 0.0), noise)
