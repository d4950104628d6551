"""Where networks are made and trained; the only place among the estimators that imports torch."""
