"""What can be said without knowing everything: inequalities, variational bounds, worst cases over a divergence ball."""

from kullback.bounds.ball import WorstCase, lower_expectation, upper_expectation

__all__ = ["WorstCase", "lower_expectation", "upper_expectation"]
