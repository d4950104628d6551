"""What the best law misses: neighbours, single columns and the law's own draws are asked."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from kullback.divergences import kl
from kullback.estimators.ksg import KSG
from kullback.estimators.method import Estimate
from kullback.estimators.mixtures.frames import tied
from kullback.estimators.mixtures.held_out import Judged
from kullback.estimators.mixtures.law import Floats, Law, pointwise
from kullback.estimators.nearest_divergence import NearestKL
from kullback.estimators.problem import JointSample, TwoSamples
from kullback.estimators.samples import Sample

NEAR = 10  # columns up to which neighbours see what a law misses
_CLEAR = 3  # columns up to which neighbours measure the information itself
_VERIFIED = 6  # columns up to which what they do not see is small, or shows
_PAIRS = 16  # of a column of x and one of y, each a bound by itself
_NEIGHBOUR = 3
_SURE = 2.5  # standard errors
_UNLIKE = 1e-4  # p-value of equal log-densities that tells a wrong law in many columns


def checked(found: Estimate, best: Judged, seed: int) -> Estimate:
    """The estimate after a comparison of the data with rows that the law draws itself."""
    from scipy.stats import ks_2samp  # scipy.stats takes longer to load than all of this room

    x, y = best.candidate.x, best.candidate.y
    law = best.candidate.law
    drawn = law.draw(len(x), np.random.default_rng([seed, 4]))
    d = drawn.shape[1]
    if d <= NEAR and not tied(x) and not tied(y):  # equal values are not neighbours
        found = _mended(found, law, (x, y), drawn)
    if x.shape[1] * y.shape[1] <= _PAIRS:
        found = _raised(found, x, y)
    if _CLEAR < d <= _VERIFIED and not tied(x) and not tied(y):
        found = _doubted(found, (x, y), drawn)
    if d > _VERIFIED:
        apart: Any = ks_2samp(law.log_density(np.hstack([x, y])), law.log_density(drawn))
        if apart.pvalue < _UNLIKE:
            return replace(found, distrust=f"no law that was tried describes these {d} columns")
    if d > NEAR:
        told = f"the interval is the law's: in {d} columns dependence of other shapes can go unseen"
        return replace(found, notes=(*found.notes, told))
    return found


def _mended(found: Estimate, law: Law, data: tuple[Floats, Floats], drawn: Floats) -> Estimate:
    """The law's own information and what neighbours see beyond it, where they do."""
    made = drawn[:, : data[0].shape[1]], drawn[:, data[0].shape[1] :]
    method = KSG(k=_NEIGHBOUR, scores=False)
    seen, expected = (method.estimate(_joint(*pair)) for pair in (data, made))
    value = float(pointwise(law, *made).mean()) + seen.value - expected.value
    error = math.hypot(seen.standard_error, expected.standard_error)
    return _larger(found, Estimate(value, error), "neighbours", drawn.shape[1])


def _raised(found: Estimate, x: Floats, y: Floats) -> Estimate:
    """At least what the most telling column of x says about a column of y."""
    pairs = [(x[:, [i]], y[:, [j]]) for i in range(x.shape[1]) for j in range(y.shape[1])]
    best = max((KSG().estimate(_joint(*pair)) for pair in pairs), key=lambda e: e.value)
    return _larger(found, best, "single columns", x.shape[1] + y.shape[1])


def _doubted(found: Estimate, data: tuple[Floats, Floats], drawn: Floats) -> Estimate:
    r"""Wider where neighbours tell the rows from rows of the law g, in both variables or in one of them alone.

    $$|I - I_g| \le \max\{D(p_{xy} \| g_{xy}),\, D(p_x \| g_x) + D(p_y \| g_y)\}$$

    with $I_g = E_p \log(g_{xy} / g_x g_y)$. Neighbours see too little of such a divergence, so half of the sum of the
    three, not of the larger, is the deviation of the bias.
    """
    columns = data[0].shape[1]
    pairs = [
        (np.hstack(data), drawn),
        (data[0], drawn[:, :columns]),
        (data[1], drawn[:, columns:]),
    ]
    found_apart = [_apart(a, np.ascontiguousarray(b)) for a, b in pairs]
    if all(e.value < _SURE * math.hypot(e.standard_error, e.bias_error) for e in found_apart):
        return found
    apart = sum(max(e.value, 0.0) for e in found_apart)
    told = f"rows of the law are told from the data by {found_apart[0].value:.2g} nats: the interval is wider for it"
    doubt = math.hypot(found.bias_error, apart / 2)
    return replace(found, bias_error=doubt, interval=None, notes=(*found.notes, told))


def _apart(data: Floats, drawn: Floats) -> Estimate:
    return NearestKL().estimate(TwoSamples(kl, Sample("x", data), Sample("y", drawn)))


def _larger(found: Estimate, seen: Estimate, who: str, columns: int) -> Estimate:
    """The larger number where it is significantly so, with the doubt that it may still be too small."""
    missed = seen.value - found.value
    noise = math.hypot(seen.standard_error, seen.bias_error, found.bias_error)
    if missed < _SURE * noise:
        return found
    told = f"{who} see {missed:.3g} nats more than the law: counted, with a doubt of half of it"
    distrust = "" if columns <= _VERIFIED else "the law misses much, and neighbours may not see all of it"
    return Estimate(
        seen.value, seen.standard_error, missed / 2, distrust=distrust, notes=(*found.notes, told)
    )


def _joint(x: Floats, y: Floats) -> JointSample:
    return JointSample(Sample("x", x), Sample("y", y))
