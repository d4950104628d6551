"""Nearest neighbours and counts of points within reach."""

from __future__ import annotations

from kullback.estimators.trees.by_scipy import Metric
from kullback.estimators.trees.margins import Block, Margin, SortedColumn
from kullback.estimators.trees.pair import Deletions, ScorePair
from kullback.estimators.trees.tree import Tree, expect

__all__ = ["Block", "Deletions", "Margin", "Metric", "ScorePair", "SortedColumn", "Tree", "expect"]
