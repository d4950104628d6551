"""From samples: estimators with an honest interval. `estimate`, `entropy`, `mutual_information` and their methods."""

from __future__ import annotations

from kullback.estimators.verbs import entropy, estimate, mutual_information

__all__ = ["entropy", "estimate", "mutual_information"]
