"""Problems to tune on: other laws, maps and dimensions than those that judge."""

from __future__ import annotations

from functools import cache

import numpy as np

from problems import samples_copulas as copulas
from problems import samples_flows as flows
from problems import samples_joint_laws as laws
from problems import samples_regressions as made
from problems.samples_problem import Generator, JointProblem, Rows, tags

OWN = "own"


@cache
def own() -> tuple[JointProblem, ...]:
    """Every joint problem that a choice may be tuned on."""
    return (*_line(), *_copulas(), *_regressions(), *_wide(), *_heavy(), *_null(), *_discrete(), *_given())


def _line() -> list[JointProblem]:
    found = [laws.normal(f"normal-{rho}", OWN, laws.dense(1, 1, rho), 1) for rho in (0.3, 0.6, 0.95, 0.999)]
    clusters = [[x, y] for x, y in zip((0, 1, 2, 3), (1, 3, 0, 2), strict=True)]
    angles = 2 * np.pi * np.arange(9) / 9
    ring = 3 * np.column_stack([np.cos(angles), np.sin(angles)])
    return [
        *found,
        laws.additive("additive-0.3", OWN, 0.3),
        found[2].through("skewed-normal-0.95", lambda x: np.exp(1.5 * x), np.exp),
        found[1].through("tight-normal-0.6", flows.signed_power(0.4), np.arctan),
        laws.normal_mixture(
            "clusters-4", OWN, [0.4, 0.3, 0.2, 0.1], clusters, np.tile(0.05 * np.eye(2), (4, 1, 1))
        ),
        laws.normal_mixture("ring-9", OWN, np.full(9, 1 / 9), ring, np.tile(0.3 * np.eye(2), (9, 1, 1))),
    ]


def _copulas() -> list[JointProblem]:
    c = copulas
    return [
        c.coupled("clayton-2", OWN, c.clayton(2), c.exponential, c.normal),
        c.coupled("clayton-5-uniform", OWN, c.clayton(5), c.uniform, c.uniform, words="edge"),
        c.coupled("gumbel-1.5", OWN, c.gumbel(1.5), c.normal, c.exponential),
        c.coupled("gumbel-3-cauchy", OWN, c.gumbel(3), c.cauchy, c.normal, words="heavy"),
        c.coupled("frank-6", OWN, c.frank(6), c.normal, c.normal),
        c.coupled("frank-15-uniform", OWN, c.frank(15), c.uniform, c.exponential, words="edge"),
    ]


def _regressions() -> list[JointProblem]:
    def even(width: float) -> flows.Flow:
        return lambda x: np.full_like(x, width)

    def double_sine(x: Rows) -> Rows:
        return np.sin(2 * np.pi * x)

    return [
        made.regression("sine", OWN, double_sine, even(0.3)),
        made.regression("absolute", OWN, np.abs, even(0.1)),
        made.regression("square", OWN, np.square, even(0.2)),
        made.regression("spread", OWN, np.zeros_like, lambda x: np.exp(1.5 * x)),
        made.regression("sine-3", OWN, double_sine, even(0.3), noise_columns=2),
        made.regression("absolute-5", OWN, np.abs, even(0.1), noise_columns=4),
        made.regression("square-10", OWN, np.square, even(0.2), noise_columns=9),
        made.regression("line-20", OWN, lambda x: x, even(0.3), noise_columns=19),
    ]


def _rotated(dims: int, rhos: tuple[float, ...]) -> JointProblem:
    """Canonical correlations that no column shows."""
    name = f"rotated-{dims}-{len(rhos)}"
    base = laws.normal(name, OWN, laws.sparse(dims, dims, rhos), dims)
    return base.through(name, flows.rotation(dims, 1), flows.rotation(dims, 2))


def _wide() -> list[JointProblem]:
    three, five = _rotated(3, (0.9, 0.6, 0.3)), _rotated(5, (0.85, 0.7, 0.5, 0.3, 0.1))
    ten, twenty = _rotated(10, (0.9, 0.7, 0.5)), _rotated(20, (0.7,) * 4)
    uneven = laws.normal("uneven-2-6", OWN, laws.sparse(2, 6, (0.9, 0.5)), 2)
    strong = laws.normal("strong-4", OWN, laws.sparse(4, 4, (0.97, 0.95, 0.9, 0.8)), 4)
    bend, squash = flows.shear(), flows.signed_power(0.6)
    return [
        three,
        five,
        ten,
        twenty,
        _rotated(30, (0.9, 0.8, 0.5)),
        uneven.through("uneven-2-6", y=flows.rotation(6, 3)),
        strong.through("strong-4", flows.rotation(4, 4)),
        three.through("sheared-3", bend, bend, tags="hard"),
        five.through("sheared-5", flows.after(bend, flows.rotation(5, 5)), bend, tags="hard"),
        five.through("sinh-5", np.sinh, np.sinh, tags="heavy"),
        ten.through("tight-10", squash, np.arctan),
        ten.through("sheared-10", flows.shear(0.5), tags="hard"),
        twenty.through("sheared-20", flows.shear(0.5), flows.shear(0.5), tags="hard"),
        laws.inliers("inliers-3", OWN, 3, 0.3, 0.95),
        laws.inliers("inliers-12", OWN, 12, 0.3, 0.95),
    ]


def _heavy() -> list[JointProblem]:
    line = laws.student("t-1-4", OWN, laws.dense(1, 1, 0.5), 1, 4)
    three = laws.student("t-3-5", OWN, laws.sparse(3, 3, (0.7,)), 3, 5)
    return [
        line,
        line.through("t-1-4-skewed", lambda x: np.exp(0.5 * x), np.cbrt),
        three.through("t-3-5-rotated", flows.rotation(3, 6), flows.rotation(3, 7)),
        laws.student("t-2-1.5", OWN, laws.dense(2, 2, 0.4), 2, 1.5),
        laws.student("t-8-3", OWN, laws.dense(8, 8, 0.2), 8, 3),
    ]


def _null() -> list[JointProblem]:
    """Nothing to be found."""

    def apart(n: int, rng: Generator) -> tuple[Rows, Rows]:
        return rng.standard_cauchy((n, 1)), rng.exponential(size=(n, 1))

    found = [laws.normal(f"independent-{d}", OWN, np.eye(2 * d), d, "smooth null") for d in (1, 3, 10, 30)]
    return [*found, JointProblem("independent-cauchy", apart, 0.0, OWN, tags=tags("heavy null"))]


def _discrete() -> list[JointProblem]:
    rng = np.random.default_rng(11)
    few, many = rng.dirichlet(np.full(20, 0.5)), rng.dirichlet(np.full(900, 0.3))
    normal = laws.normal("normal-0.8", OWN, laws.dense(1, 1, 0.8), 1)
    return [
        made.table("table-5-4", OWN, few.reshape(5, 4)),
        made.table("table-30-30", OWN, many.reshape(30, 30)),
        made.table("table-independent", OWN, np.outer(rng.dirichlet(np.ones(8)), rng.dirichlet(np.ones(6)))),
        made.labelled("label-3", OWN, (0.5, 0.3, 0.2), (0.0, 1.5, 4.0)),
        made.switched("switched-slopes", OWN, (-1.0, 0.0, 2.0), 0.5),
        made.counted("gamma-poisson", OWN, 2.5),
        made.masked(normal, "zeros-0.4-0.2", 0.4, 0.2),
        made.rounded(normal, "rounded-0.25", 0.8, 0.25),
    ]


def _given() -> list[JointProblem]:
    """Information of x about y within z."""
    c = np.array([[1, 0.7, 0.6], [0.7, 1, 0.5], [0.6, 0.5, 1]])
    root = np.linalg.cholesky(c)
    inverse = np.linalg.inv(c)
    partial = float(-0.5 * np.log1p(-(inverse[0, 1] ** 2) / (inverse[0, 0] * inverse[1, 1])))

    def triple(n: int, rng: Generator) -> tuple[Rows, Rows, Rows]:
        rows = rng.standard_normal((n, 3)) @ root.T
        return rows[:, :1], rows[:, 1:2], rows[:, 2:]

    def by_class(n: int, rng: Generator) -> tuple[Rows, Rows, Rows]:
        k, x = rng.integers(3, size=(n, 1)), rng.standard_normal((n, 1))
        rho = np.array([0.0, 0.6, -0.9])[k]
        return x + 3 * k, rho * x + np.sqrt(1 - rho**2) * rng.standard_normal((n, 1)) - 2 * k, k

    shared = float(-0.5 * np.mean(np.log1p(-(np.array([0.0, 0.6, -0.9]) ** 2))))
    options = {"kind_given": "discrete"}
    return [
        JointProblem("normal-given-normal", triple, partial, OWN, tags=tags("smooth given")),
        JointProblem("normal-given-class", by_class, shared, OWN, tags=tags("mixed given"), options=options),
    ]
