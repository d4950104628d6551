"""Which columns of a table tell of which: `screen` and its ranked result."""

from __future__ import annotations

from kullback.estimators.screening.ranking import Finding, Screening
from kullback.estimators.screening.screen import screen

__all__ = ["Finding", "Screening", "screen"]
