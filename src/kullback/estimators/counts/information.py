"""How much one discrete variable tells of another, from the table of their counts."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from kullback.divergences import FDivergence, kl
from kullback.estimators.counts import kinked, lacking, noncentral
from kullback.estimators.counts.crossed import Crossed, at_equality, crossed
from kullback.estimators.counts.tally import LEAST_ROWS, unseen_share
from kullback.estimators.method import Estimate, InformationMethod, Interval
from kullback.estimators.problem import JointSample

_EMPTY = 0.02  # cells expected empty for each degree of freedom, beyond which the chi-square limit is far
_FULL = 1.0  # cells expected empty up to which a table without any is no rare luck


@dataclass(frozen=True)
class Contingency(InformationMethod):
    r"""The divergence of the observed cells from the product of the observed margins, less its bias.

    $$\hat D - B, \qquad \hat D = \sum_{ab} \hat p_a \hat q_b\, f\Big(\frac{\hat p_{ab}}{\hat p_a \hat q_b}\Big), \qquad
      B \to \frac{f''(1)}{2n} (r - 1)(c - 1) \text{ at independence};$$

    for kl it is Miller and Madow's correction of the entropies, $B = (K_{xy} - K_x - K_y + 1)/2n$. Any `divergence` of
    `mutual_information` is taken, and a discrete `given`, within whose classes the table is counted and averaged. The
    interval is that of $\hat D / c \sim \chi'^2_k(\lambda)$, matched in bias and variance: the limit law at
    independence, nearly normal far from it; it holds 0 where the data do not contradict independence. Where f has a
    kink at 1, as in total variation, it runs from what one half of the rows would show of a rule learnt on the other to
    the plug-in value, with the normal width at both ends, which holds at independence too, and there more often than it
    says. Where f(0) is infinite and a cell has no rows though its row and column have, the value is +inf; its
    lower end is then that of f made straight below the ratio that no rows leave possible, small classes joined, and
    the permutation test counts such cells as half a row. Where rows are few for the table there is no interval, and the
    permutation test still holds. Refuses continuous columns. Source: [miller1955].

    >>> import kullback as kb
    >>> from kullback.estimators import Contingency
    >>> x = ["a", "b"] * 50
    >>> answer = kb.mutual_information(x, x, method=Contingency())  # log 2, less (2 − 2 − 2 + 1)/200
    >>> round(answer.value, 6)
    0.698147
    """

    @property
    def name(self) -> str:
        return "counts"

    def refusal(self, problem: JointSample) -> str:
        mixed = [f"`{s.name}`" for s in problem.variables if not s.discrete]
        if not mixed:
            return ""
        return (
            f"{' and '.join(mixed)} {'has' if len(mixed) == 1 else 'have'} continuous columns, which have no counts; "
            "declare them discrete, or take a nearest-neighbour method"
        )

    def statistic(self, problem: JointSample) -> float:
        measure, table = problem.divergence or kl, crossed(problem)
        return table.value(measure) if math.isfinite(measure.at_zero) else lacking.filled(measure, table)

    def estimate(self, problem: JointSample) -> Estimate:
        return estimate(problem.divergence or kl, crossed(problem))


def estimate(measure: FDivergence, table: Crossed) -> Estimate:
    """How far the cells of a table are from independence, and how sure."""
    if table.freedom == 0:
        return _one_line(measure, table)
    found = table.value(measure)
    if not kinked.known(measure):
        return Estimate(found, math.nan, distrust=_unknown(measure))
    if found == math.inf:
        return _endless(measure, table)
    bias, variance = table.bias(measure), table.variance(measure)
    unit = at_equality(measure, table.n)
    if math.isnan(unit):
        return _folded(measure, table, found)
    error = math.sqrt(max(variance - 2.0 * unit * abs(bias), 0.0) + 2.0 * unit * abs(bias))
    notes, distrust = _told(table)
    interval = _interval(found, bias, variance, unit)
    if table.empty:
        interval = _lowered(measure, table, interval)
    return Estimate(found - bias, error, interval=interval, distrust=distrust, notes=notes)


def _one_line(measure: FDivergence, table: Crossed) -> Estimate:
    """Nothing, up to what a class tells of itself that is rare enough to stay unseen."""

    def interval(level: float) -> tuple[float, float]:
        most = [
            unseen_share(n, level / len(table.layers) + 1.0 - 1.0 / len(table.layers)) for n in table.layers
        ]
        return 0.0, float(table.layers @ [_largest_entropy(measure, share) for share in most]) / table.n

    note = "x or y has one class only, and tells nothing; the upper end allows for a second"
    if table.layers.min() >= LEAST_ROWS:
        return Estimate(0.0, 0.0, interval=interval, notes=(note,))
    told = (
        "x or y has one class only"
        if len(table.layers) == 1
        else "x or y has one class only in every class of given"
    )
    return Estimate(
        0.0,
        0.0,
        distrust=f"{told}, in as few as {table.layers.min():g} rows: others may just not have been seen",
    )


def _largest_entropy(measure: FDivergence, most: float) -> float:
    """What one of two classes tells of itself at most, where the rarer has a share up to `most`."""
    if math.isinf(measure.at_zero) or measure.dual.power_at_zero > 1:
        return math.inf
    shares = np.geomspace(np.finfo(float).eps, min(most, 0.5), 60)
    return float(np.max(measure.entropy(np.stack([shares, 1.0 - shares], axis=1))))


def _lowered(measure: FDivergence, table: Crossed, inner: Interval) -> Interval:
    """From the lower end of the f that cells without rows may have: no rows do not show that there never are any."""

    def interval(level: float) -> tuple[float, float]:
        least = lacking.straightened(measure, table, (1.0 - level) / 2.0)
        found, bias, variance = table.value(least), table.bias(least), table.variance(least)
        low, high = inner(level)
        return min(low, _interval(found, bias, variance, at_equality(measure, table.n))(level)[0]), high

    return interval


def _endless(measure: FDivergence, table: Crossed) -> Estimate:
    """+inf by definition, with the lower end of what is finite and no larger."""

    def interval(level: float) -> tuple[float, float]:
        least = estimate(*lacking.shown(measure, table, (1.0 - level) / 2.0))
        return max(least.interval(level)[0], 0.0) if least.interval else 0.0, math.inf

    note = (
        f"cells have no rows where the margins expect some: {measure.name} is +inf on these counts, and its lower end "
        "that of a smaller divergence, of joined classes where they are rare"
    )
    return Estimate(math.inf, math.inf, interval=interval, notes=(note,))


def _folded(measure: FDivergence, table: Crossed, found: float) -> Estimate:
    """Between what the plug-in value shows at least and at most, and as much again as it varies."""
    folds, rise = kinked.Folds.of(table), measure.jump_at_one
    bias = table.bias(measure, beside=kinked.BESIDE)
    smooth = kinked.roundness(measure) / table.n * abs(bias)
    error = math.sqrt(max(table.variance(measure), rise**2 * folds.variance) + smooth)
    value = found - 2.0 / 3.0 * rise * folds.excess - bias
    lowest = found - rise * folds.excess - max(bias, 0.0)
    highest = found + rise * folds.short - min(bias, 0.0)
    notes, distrust = _told(table)

    def interval(level: float) -> tuple[float, float]:
        reach = float(ndtri(0.5 + level / 2)) * error
        return min(lowest - reach, value), max(highest + reach, value)

    return Estimate(value, error, interval=interval, distrust=distrust, notes=notes)


def _unknown(measure: FDivergence) -> str:
    what = "is so flat at 1" if kinked.flat(measure) else "has a slope so steep at 1, or a kink so near it,"
    return f"f of {measure.name} {what} that the law of its estimate at independence is not known"


def _told(table: Crossed) -> tuple[tuple[str, ...], str]:
    """A note about cells without rows, and the reason why they leave no interval."""
    empty = table.expected_empty
    if empty <= _EMPTY * table.freedom or (table.empty == 0.0 and empty <= _FULL):
        return (), ""
    note = f"{len(table.counts)} cells have rows; of independent variables about {empty:.3g} cells would be empty"
    return (note,), (
        f"rows are few for the table: {table.n:g} on {table.freedom:g} degrees of freedom leave a bias not known; join "
        "classes, or ask for the p-value with permutations=1000"
    )


def _interval(found: float, bias: float, variance: float, unit: float) -> Interval:
    def normal(level: float) -> tuple[float, float]:
        reach = float(ndtri(0.5 + level / 2)) * math.sqrt(max(variance, 2.0 * unit * abs(bias)))
        return found - bias - reach, found - bias + reach

    def matched(level: float) -> tuple[float, float]:
        scale, freedom = noncentral.matched(found, bias, variance, unit)
        sure = (1.0 + level) / 2.0
        low = scale * noncentral.lower_limit(found / scale, freedom, sure)
        high = scale * noncentral.upper_limit(found / scale, freedom, sure)
        return min(low, found - bias), max(high, found - bias)

    # a bias below 0 is that of an entropy: x and y tell all of each other, and independence is far
    return matched if bias >= 0.25 * unit else normal
