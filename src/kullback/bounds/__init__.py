"""What can be said without knowing everything: inequalities, variational bounds, worst cases over a divergence ball."""

from kullback.bounds.ball import WorstCase, lower_expectation, upper_expectation
from kullback.bounds.joint_range import Edge, bound, joint_range

__all__ = ["Edge", "WorstCase", "bound", "joint_range", "lower_expectation", "upper_expectation"]
