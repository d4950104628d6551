"""What the best law misses: neighbours, single columns and the law's own draws are asked."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.special import ndtri

from kullback.divergences import kl
from kullback.estimators.ksg import KSG
from kullback.estimators.method import Estimate
from kullback.estimators.mixtures.compared import DRAWS, compared
from kullback.estimators.mixtures.frames import tied
from kullback.estimators.mixtures.held_out import Judged
from kullback.estimators.mixtures.law import Floats, Law
from kullback.estimators.nearest_divergence import NearestKL
from kullback.estimators.problem import JointSample, TwoSamples
from kullback.estimators.samples import Sample

NEAR = 10  # columns up to which neighbours see what a law misses
_CLEAR = 3  # columns up to which neighbours measure the information itself
_VERIFIED = 6  # columns up to which what they do not see is small, or shows
_PAIRS = 16  # of a column of x and one of y, each a bound by itself
_MORE = 1.64  # standard errors by which neighbours must see more, one side of 5 %
_LARGER = 2.0  # by which a pair of columns must say more
_SURE = 2.5  # that a number is not 0
_UNLIKE = 1e-4  # p-value of equal log-densities that tells a wrong law in many columns


def checked(found: Estimate, best: Judged, seed: int) -> Estimate:
    """The estimate after a comparison of the data with rows that the law draws itself."""
    from scipy.stats import ks_2samp  # scipy.stats takes longer to load than all of this room

    x, y = best.candidate.x, best.candidate.y
    law = best.candidate.law
    n, d = len(x), x.shape[1] + y.shape[1]
    samples = law.draw(DRAWS * n, np.random.default_rng([seed, 4])).reshape(DRAWS, n, d)
    drawn = samples[0]
    if d <= NEAR and not tied(x) and not tied(y):  # equal values are not neighbours
        found = _mended(found, law, (x, y), samples)
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


def widened(found: Estimate, doubt: float) -> Estimate:
    """With one more standard deviation of bias, which each end of the interval allows for on top of what it does."""
    error = math.hypot(found.bias_error, doubt)
    ends = found.interval
    if ends is None or not doubt:
        return replace(found, bias_error=error)

    def wider(level: float) -> tuple[float, float]:
        reach = float(ndtri(0.5 + level / 2)) * doubt
        low, high = (end - found.value for end in ends(level))
        return found.value - math.hypot(low, reach), found.value + math.hypot(high, reach)

    return replace(found, bias_error=error, interval=wider)


def _mended(found: Estimate, law: Law, data: tuple[Floats, Floats], samples: Floats) -> Estimate:
    """The law's own information and what neighbours see beyond it, where they do.

    In d columns the nearest see about 2/d of what a law lacks: the rest is the doubt. What they see beyond their own
    noise is in doubt where it is not significant, too.
    """
    seen = compared(*data, law, samples)
    more, missed = seen.fine - found.value, seen.value - found.value
    if not seen.exceeds(found.value, _MORE) or missed <= 0:
        return widened(found, math.sqrt(max(more**2 - seen.fine_error**2, 0.0))) if more > 0 else found
    columns = samples.shape[2]
    distrust = "" if columns <= _VERIFIED else "the law misses much, and neighbours may not see all of it"
    if seen.unresolved:
        distrust = f"x and y are related more finely than {len(data[0])} rows show"
    return Estimate(
        seen.value,
        seen.standard_error,
        math.hypot(seen.bias_error, 0.5 * (columns - 2) * more),
        distrust=distrust,
        notes=(
            *found.notes,
            f"neighbours see {missed:.3g} nats more than the law: counted, and the more doubted the more columns",
        ),
    )


def _raised(found: Estimate, x: Floats, y: Floats) -> Estimate:
    """At least what the most telling column of x says about a column of y: x and y share no less."""
    pairs = [(x[:, [i]], y[:, [j]]) for i in range(x.shape[1]) for j in range(y.shape[1])]
    best = max((KSG().estimate(_joint(*pair)) for pair in pairs), key=lambda e: e.value)
    missed = best.value - found.value
    alone = _error(best)
    if missed > _LARGER * math.hypot(alone, found.bias_error):
        told = f"single columns see {missed:.3g} nats more than the law: counted, with a doubt of half of it"
        return replace(
            found,
            value=best.value,
            standard_error=best.standard_error,
            bias_error=math.hypot(best.bias_error, missed / 2),
            interval=None,
            notes=(*found.notes, told),
        )
    return widened(found, missed) if missed > 0 and best.value > _SURE * alone else found


def _doubted(found: Estimate, data: tuple[Floats, Floats], drawn: Floats) -> Estimate:
    r"""Wider where neighbours tell the rows from rows of the law g, in both variables or in one of them alone.

    $$|I - I_g| \le \max\{D(p_{xy} \| g_{xy}),\, D(p_x \| g_x) + D(p_y \| g_y)\}$$

    with $I_g = E_p \log(g_{xy} / g_x g_y)$. Neighbours see too little of such a divergence, so half of the sum of the
    three, not of the larger, is the deviation of the bias. No divergence of all columns is below that of some: where
    it is seen to be, rows lie too far apart in all columns to tell, as on thin shells.
    """
    columns = data[0].shape[1]
    pairs = [
        (np.hstack(data), drawn),
        (data[0], drawn[:, :columns]),
        (data[1], drawn[:, columns:]),
    ]
    found_apart = [_apart(a, np.ascontiguousarray(b)) for a, b in pairs]
    both, parts = found_apart[0], max(e.value for e in found_apart[1:])
    if all(e.value < _SURE * _error(e) for e in found_apart) or both.value + _SURE * _error(both) < parts:
        return found
    apart = sum(max(e.value, 0.0) for e in found_apart)
    told = f"rows of the law are told from the data by {both.value:.2g} nats: the interval is wider for it"
    return replace(widened(found, apart / 2), notes=(*found.notes, told))


def _apart(data: Floats, drawn: Floats) -> Estimate:
    return NearestKL().estimate(TwoSamples(kl, Sample("x", data), Sample("y", drawn)))


def _error(found: Estimate) -> float:
    return math.hypot(found.standard_error, found.bias_error)


def _joint(x: Floats, y: Floats) -> JointSample:
    return JointSample(Sample("x", x), Sample("y", y))
