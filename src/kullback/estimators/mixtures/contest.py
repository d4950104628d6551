"""Which law describes the columns: normal, Student's, or a mixture, on scores or on the values."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.special import ndtri

from kullback.estimators.mixtures import normals, student
from kullback.estimators.mixtures.frames import levels, normal_scores, student_quantiles
from kullback.estimators.mixtures.held_out import Candidate, Judged, judge
from kullback.estimators.mixtures.law import Floats

NORMAL = "a normal copula"
_COMPONENTS = (2, 4, 8, 16)
_LIGHT = 100.0  # spreads: with values beyond, covariances tell of single rows
_PATIENCE = 2  # candidates in a row that do not help
_CLEARLY = 2.0  # standard errors
_DROP = 0.005  # of skill, after which larger mixtures cannot catch up


def contest(x: Floats, y: Floats, folds: int, seed: int) -> list[Judged]:
    """All candidates that were tried, the most skilful first, but the normal copula where none clearly beats it."""
    families = [
        _mixtures(normal_scores(x), normal_scores(y), "the normal scores", seed),
        iter([_student(x, y)]),
    ]
    if max(np.abs(x).max(), np.abs(y).max()) < _LIGHT:
        families.append(_mixtures(x, y, "the values", seed))
    first = judge(_normal(x, y), folds, seed)
    judged = [first]
    for family in families:
        best, failures = first.skill, 0
        for candidate in family:
            found = judge(candidate, folds, seed)
            judged.append(found)
            failures = 0 if found.skill > best else failures + 1
            if failures == _PATIENCE or found.skill < best - _DROP:
                break
            best = max(best, found.skill)
    judged.sort(key=lambda j: -j.skill)
    if not judged[0].beats(first, _CLEARLY):
        judged.sort(key=lambda j: j is not first)
    return judged


def _normal(x: Floats, y: Floats) -> Candidate:
    def fit(z: Floats) -> normals.NormalMixture:
        return normals.fit(z, 1, np.random.default_rng(0))  # one component has no start to draw

    return Candidate(NORMAL, normal_scores(x), normal_scores(y), fit)


def _student(x: Floats, y: Floats) -> Candidate:
    """Of the likeliest degrees of freedom: one number, which costs the rows that are left out nothing."""
    at = levels(np.hstack([x, y]))
    start = np.atleast_2d(np.corrcoef(ndtri(at).T))
    freedom = student.likeliest(lambda v: student_quantiles(at, v), start)
    name = f"a Student copula with {freedom:.3g} degrees of freedom"
    a, b = np.split(student_quantiles(at, freedom), [x.shape[1]], axis=1)
    return Candidate(
        name, a, b, lambda z: student.fit(z, freedom, start), lambda rows: _student(x[rows], y[rows])
    )


def _mixtures(x: Floats, y: Floats, of: str, seed: int) -> Iterator[Candidate]:
    """From few to many components, while there are two rows for each parameter."""
    d = x.shape[1] + y.shape[1]
    for components in _COMPONENTS:
        if components * d * (d + 3) > len(x):
            return

        def fit(z: Floats, k: int = components) -> normals.NormalMixture:
            return normals.fit(z, k, np.random.default_rng([seed, 3]))

        yield Candidate(f"a mixture of {components} normal laws on {of}", x, y, fit)
