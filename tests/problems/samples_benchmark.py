"""The 53 tasks of the benchmark of Czyż et al., from its definitions: 40 of the first paper, 13 mixtures of the second.

They judge `method="auto"` and are never tuned on. Source: [czyz2023], [czyz2025].
"""

from __future__ import annotations

from functools import cache

import numpy as np

from problems import samples_flows as flows
from problems import samples_joint_laws as laws
from problems.samples_problem import JointProblem, Rows

ONE, TWO = "benchmark-1", "benchmark-2"
PAIRS = (3, 5, 25)  # columns of x and of y in the two-pair laws that are mapped


@cache
def benchmark_1() -> tuple[JointProblem, ...]:
    """The 40 tasks of the first paper, in its order."""
    return (*_line(), *_normals(), *_students(), *_mapped_pairs(), *_mapped_students())


@cache
def benchmark_2() -> tuple[JointProblem, ...]:
    """What the second paper adds: X, AI, waves, galaxy, concentric balls, inliers."""
    crossed = [[[1, r], [r, 1]] for r in (0.9, -0.9)]
    return (
        laws.normal_mixture("1v1-X-0.9", TWO, [0.5, 0.5], np.zeros((2, 2)), crossed),
        _letters(),
        _waves(),
        _galaxy(),
        laws.concentric("3v1-concentric_gaussians-5", TWO, 3, 5),
        laws.concentric("5v1-concentric_gaussians-5", TWO, 5, 5),
        laws.concentric("3v1-concentric_gaussians-10", TWO, 3, 10),
        laws.concentric("5v1-concentric_gaussians-10", TWO, 5, 10),
        laws.concentric("25v1-concentric_gaussians-5", TWO, 25, 5),
        *(
            laws.inliers(f"mult-sparse-w-inliers-{d}-{d}-2-2.0-{share}", TWO, d, share)
            for share in (0.2, 0.5)
            for d in (5, 25)
        ),
    )


def _line() -> list[JointProblem]:
    """One x and one y, and the Swiss roll made of them."""
    base = laws.normal("1v1-normal-0.75", ONE, laws.dense(1, 1, 0.75), 1)
    uniform = base.through("normal_cdf-1v1-normal-0.75", flows.normal_cdf, flows.normal_cdf, tags="edge")
    student = laws.student("student-identity-1-1-1", ONE, np.eye(2), 1, 1)
    left, right = flows.two_bumps((0.3, 0.7), (0.0, 5.0)), flows.two_bumps((0.5, 0.5), (-1.0, 3.0))
    return [
        base,
        uniform,
        laws.additive("1v1-additive-0.1", ONE, 0.1),
        laws.additive("1v1-additive-0.75", ONE, 0.75),
        base.through("1v1-bimodal-0.75", left, right),
        base.through("wiggly-1v1-normal-0.75", flows.wiggly_x, flows.wiggly_y),
        base.through("half_cube-1v1-normal-0.75", flows.half_cube, flows.half_cube),
        student,
        student.through("asinh-student-identity-1-1-1", np.arcsinh, np.arcsinh),
        uniform.through("swissroll_x-normal_cdf-1v1-normal-0.75", flows.swiss_roll, tags="hard"),
    ]


def _normals() -> list[JointProblem]:
    full = [
        laws.normal(f"multinormal-dense-{d}-{d}-0.5", ONE, laws.dense(d, d), d) for d in (2, 3, 5, 25, 50)
    ]
    return full + [_two_pairs(d) for d in (2, 3, 5, 25)]


def _two_pairs(d: int) -> JointProblem:
    return laws.normal(f"multinormal-sparse-{d}-{d}-2-2.0", ONE, laws.sparse(d, d), d)


def _students() -> list[JointProblem]:
    shapes = [(2, 1), (2, 2), (3, 2), (3, 3), (5, 2), (5, 3)]
    return [laws.student(f"student-identity-{d}-{d}-{df}", ONE, np.eye(2 * d), d, df) for d, df in shapes]


def _mapped_students() -> list[JointProblem]:
    found = []
    for d, df in ((2, 1), (3, 2), (5, 2)):
        base = laws.student(f"student-identity-{d}-{d}-{df}", ONE, np.eye(2 * d), d, df)
        found.append(base.through(f"asinh-{base.name}", np.arcsinh, np.arcsinh))
    return found


def _mapped_pairs() -> list[JointProblem]:
    pairs = [_two_pairs(d) for d in PAIRS]
    uniform = [
        p.through(f"normal_cdf-{p.name}", flows.normal_cdf, flows.normal_cdf, tags="edge") for p in pairs
    ]
    cubes = [p.through(f"half_cube-{p.name}", flows.half_cube, flows.half_cube) for p in pairs]
    return [*uniform, *cubes, *map(_spiral, pairs), *map(_spiral, uniform)]


def _spiral(p: JointProblem) -> JointProblem:
    dx, dy = p.dims
    return p.through(f"spiral-{p.name}", flows.spiral(0, 1, 1 / dx), flows.spiral(1, 2, 1 / dy), tags="hard")


def _letters() -> JointProblem:
    """The letters A and I, three strokes each."""
    lean = 0.95 * np.sqrt(0.04 * 0.2)
    means = [[1, 0], [1, 1], [1, -1], [-0.8, -0.2], [-1.2, 0], [-0.4, 0]]
    strokes = [[[0.01, 0], [0, 0.2]], [[0.05, 0], [0, 0.001]], [[0.05, 0], [0, 0.001]]]
    strokes += [[[0.03, 0], [0, 0.001]], [[0.04, lean], [lean, 0.2]], [[0.04, -lean], [-lean, 0.2]]]
    return laws.normal_mixture("1v1-AI", TWO, np.full(6, 1 / 6), means, strokes)


def _waves() -> JointProblem:
    """Twelve upright stripes, bent by a sine of the column that y knows nothing of."""
    k = np.arange(12)
    means = 1.5 * np.column_stack([k, k % 4])
    stripes = laws.normal_mixture("", TWO, np.full(12, 1 / 12), means, np.tile(0.1 * np.eye(2), (12, 1, 1)))
    plane = laws.with_noise_column(stripes, "")

    def bend(x: Rows) -> Rows:
        return np.column_stack([0.1 * (x[:, 0] + 5 * np.sin(3 * x[:, 1])) - 0.8, 0.5 * x[:, 1]])

    return plane.through("2v1-waves-12-5.0-3.0", bend)


def _galaxy() -> JointProblem:
    """Two balls on the diagonal of space; the plane of x is turned into a spiral.

    Across the diagonal of that plane x knows nothing, so that the truth is an integral over one x and one y.
    """
    along = np.sqrt(2.0)
    centres = 1.5 * np.array([[-along, -1], [along, 1]])
    balls = laws.normal_mixture("", TWO, [0.5, 0.5], centres, np.tile(np.eye(2), (2, 1, 1)))
    plane = laws.with_noise_column(balls, "")

    def wind(x: Rows) -> Rows:
        diagonal = np.column_stack([x[:, 0] - x[:, 1], x[:, 0] + x[:, 1]]) / along
        return flows.spiral(0, 1, 0.5)(diagonal)

    return plane.through("2v1-galaxy-0.5-3.0", wind)
