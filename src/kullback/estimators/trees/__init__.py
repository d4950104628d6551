"""Nearest neighbours and counts of points within reach."""

from __future__ import annotations

from kullback.estimators.trees.by_scipy import Metric, Tree

__all__ = ["Metric", "Tree"]
