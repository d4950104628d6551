"""Seven small data sets on which well-known estimators fail; 2000 rows each."""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from problems import samples_joint_laws as laws
from problems import samples_regressions as made
from problems.samples_problem import Generator, JointProblem, Rows, tags

FAILURES = "failures"
ROWS = 2000


@cache
def failures() -> tuple[JointProblem, ...]:
    """A baseline, rounding, a discrete cause, near certainty, independence, a constant."""
    base = laws.normal("baseline-0.6", FAILURES, laws.dense(1, 1, 0.6), 1)

    def stairs(n: int, rng: Generator) -> tuple[Rows, Rows]:
        x = rng.integers(5, size=(n, 1))
        return x, x + 2 * rng.uniform(size=(n, 1))

    def constant(n: int, rng: Generator) -> tuple[Rows, Rows]:
        return np.ones((n, 1)), rng.standard_normal((n, 1))

    # the heights of y's density are 1/10 at both ends and 1/5 between
    overlap = 0.2 * math.log(10) + 0.8 * math.log(5) - math.log(2)
    return (
        base,
        made.rounded(base, "rounded-0.1", 0.6, 0.1),
        made.rounded(base, "rounded-1", 0.6, 1.0),
        JointProblem(
            "discrete-5", stairs, overlap, FAILURES, tags=tags("mixed"), options={"kind_x": "discrete"}
        ),
        laws.normal("near-certain-0.999", FAILURES, laws.dense(1, 1, 0.999), 1),
        laws.normal("independent", FAILURES, np.eye(2), 1, "smooth null"),
        JointProblem("constant", constant, 0.0, FAILURES, tags=tags("atoms null")),
    )
