"""Information by laws fitted to all columns at once: mixtures of normal laws and Student's law, on held-out rows."""

from __future__ import annotations

from kullback.estimators.mixtures.information import MixtureInformation

__all__ = ["MixtureInformation"]
