"""Which method `method="auto"` takes, and why, in words for the notes."""

from __future__ import annotations

from kullback.estimators.choose.choice import Choice
from kullback.estimators.choose.divergence import for_divergence
from kullback.estimators.choose.entropy import for_entropy
from kullback.estimators.choose.information import for_information

__all__ = ["Choice", "for_divergence", "for_entropy", "for_information"]
