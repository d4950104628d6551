"""Divergences by the ratio of densities: models of log p/q, and what turns their scores into an estimate."""

from __future__ import annotations

from kullback.estimators.ratios.scores import from_scores

__all__ = ["from_scores"]
