"""The columns of x and y where their neighbours are searched: by their normal scores, or as they are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kullback.estimators.ksg_pass import Joint
from kullback.estimators.normal_scores import Ranked, ranked, scores
from kullback.estimators.trees import Block, Margin, ScorePair, SortedColumn, Tree

Floats = NDArray[np.float64]
Places = NDArray[np.int64]


def scored(both: Floats, width: int) -> Joint | ScorePair:
    """The normal scores of columns (n, d), of which the first `width` are those of x."""
    return placed(ranked(both), width)


def placed(ranks: Ranked, width: int) -> Joint | ScorePair:
    """The same of columns whose ranks are known."""
    if ranks.places.shape[1] == 2:
        return scored_pair(np.ascontiguousarray(ranks.places[:, 1]))
    return searched(scores(len(ranks.places))[ranks.places], width)


def searched(both: Floats, width: int) -> Joint:
    """The columns as they are, in a tree that knows neighbours by both sides."""
    tree = Tree(both)
    ordered = tree.points[tree.rows]
    return Joint(tree, _margin(ordered[:, :width]), _margin(ordered[:, width:]))


def scored_pair(places: Places) -> Joint | ScorePair:
    """Two columns of normal scores: the rows ascend in x, and have these places in y."""
    column = scores(len(places))
    pair = ScorePair.of(column, places)
    return searched(np.column_stack([column, column[places]]), 1) if pair is None else pair


def _margin(columns: Floats) -> Margin:
    return SortedColumn.of(columns[:, 0]) if columns.shape[1] == 1 else Block.of(columns)
