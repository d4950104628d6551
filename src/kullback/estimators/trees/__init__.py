"""Nearest neighbours and counts of points within reach."""

from __future__ import annotations

from kullback.estimators.trees.by_scipy import Metric
from kullback.estimators.trees.margins import Block, Margin, SortedColumn
from kullback.estimators.trees.tree import Tree

__all__ = ["Block", "Margin", "Metric", "SortedColumn", "Tree"]
