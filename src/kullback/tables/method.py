"""How each number of a report was made, in sentences: formula, cells, correction, settings."""

from __future__ import annotations

import math
import re

from kullback.divergences.catalogue import catalogue
from kullback.errors import InvalidInputError
from kullback.tables import summary
from kullback.tables.report import Report
from kullback.wording import amount, count, share, visible, with_unit

_WORDS = {
    r"\log": "log ", r"\exp": "exp ", r"\sqrt": "√", r"\beta": "β", r"\alpha": "α", r"\lambda": "λ", r"\infty": "∞",
    r"\cdot": "·", r"\times": "×", r"\left": "", r"\right": "", r"\quad": "  ", r"\qquad": "   ", r"\,": " ",
    r"\le": "≤", r"\ge": "≥", r"\lvert": "|", r"\rvert": "|", r"\max": "max", r"\min": "min", r"\pi": "π",
}  # fmt: skip
_FRACTION = re.compile(r"\\[td]?frac\s*(?:\{([^{}]*)\}\s*\{([^{}]*)\}|(\d)(\d))")
_ONE_FACTOR = re.compile(r"\w+|\([^()]*\)(\^\d)?")
_RAISED = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


def steps(report: Report) -> list[tuple[str, str]]:
    """A heading and a paragraph for each number."""
    chosen = report.settings
    return [
        ("Cells", _cells(report)),
        ("Difference", _difference(report)),
        (f"Its {share(chosen.level)} interval", _INTERVAL),
        ("p", _p_value(report)),
        (
            "q",
            f"p after the correction over the {count(len(report.columns))} columns. {summary.correction(report)}.",
        ),
        ("Best guess of the table", _GUESS),
        ("Verdict", _verdict(report)),
    ]


_INTERVAL = (
    "From the law of the plug-in value, a scaled noncentral chi-square (exact in the limit at equality, normal "
    "far from it), with bias and variance measured on the counts. Cells with fewer than five expected rows are "
    "joined first, and what they might add goes on top of the upper end. It treats rows as independent: rows "
    "that repeat a person, or follow each other in time, make interval, p and q too sure. A value below zero is "
    "kept: the tables differ less than chance alone would make them."
)
_GUESS = (
    "(1 + TV)/2 with the total variation TV over the cells: how often the best possible rule tells from one value, and "
    "nothing else, which of the two tables a row came from, each table being equally likely. 50 % is chance."
)


def _cells(report: Report) -> str:
    return (
        f"Numbers and dates are cut into about {count(report.settings.bins)} cells of equal mass in a sample "
        "pooled from both tables, so no outlier stretches them; a value that fills a cell by itself gets its own, as "
        "do −∞, +∞ and the missing values. Every category is a cell. Both tables are counted on the same cells, and "
        "everything else follows from these two rows of counts."
    )


def _difference(report: Report) -> str:
    return (
        f"D = Σ qᵢ f(pᵢ/qᵢ) over the cells, p before and q after, {formula(report.settings.measure)}. "
        f"{_limit(report)} Two samples of one law differ by chance alone; the mean of that is subtracted. The parts "
        "of the cells, in drawings and tables, are those before this correction."
    )


def formula(measure: str) -> str:
    """The generator of a measure for reading.

    >>> formula("kl")
    'with f(t) = t log t − t + 1 (kl)'
    """
    name = visible(measure, 60)
    try:
        found = getattr(catalogue().find(measure), "formula", None)
    except InvalidInputError:
        found = None  # a measure of the caller's own, or one that this version does not know
    return f"with f(t) = {readable(found)} ({name})" if isinstance(found, str) else f"by the measure {name}"


def readable(latex: str) -> str:
    r"""A short formula in LaTeX as plain text.

    >>> readable(r"\tfrac12\left[t \log t - (t + 1) \log \tfrac{t + 1}{2}\right]")
    '½ [t log t − (t + 1) log ((t + 1)/2)]'
    """
    text = latex
    while _FRACTION.search(text):
        text = _FRACTION.sub(_fraction, text)
    for word in sorted(_WORDS, key=len, reverse=True):
        text = text.replace(word, _WORDS[word])
    text = re.sub(r"\^\{?(-?\d+)\}?", lambda found: found.group(1).translate(_RAISED), text)
    text = text.replace("{", "").replace("}", "").replace("-", "−")
    return re.sub(r"√ ", "√", re.sub(r" +", " ", text)).strip()


def _fraction(found: re.Match[str]) -> str:
    upper, lower = (found.group(i) or found.group(i + 2) for i in (1, 2))
    if (upper, lower) == ("1", "2"):
        return "½ "
    parts = [part if _ONE_FACTOR.fullmatch(part) else f"({part})" for part in (upper, lower)]
    fraction = "/".join(parts)
    stands_alone = found.start() == 0 and found.string[found.end() : found.end() + 1] in ("", ",")
    return fraction if stands_alone else f"({fraction})"


def _limit(report: Report) -> str:
    limit = report.settings.unit_limit
    if math.isinf(limit):
        return "It has no upper limit, and is infinite where one table has what the other lacks."
    return f"It is 0 for equal tables and at most {with_unit(amount(limit), report.settings.unit)}."


def _p_value(report: Report) -> str:
    return (
        "The chance of a difference at least this large if the rows of both tables were shuffled together and dealt "
        f"out anew: {count(report.settings.permutations)} such deals, drawn on the counts themselves (multivariate "
        f"hypergeometric, seed {report.settings.seed})."
    )


def _verdict(report: Report) -> str:
    chosen = report.settings
    least = summary.least(report)
    return (
        f"Drift: q ≤ {amount(chosen.alpha)}, and the whole interval at or above {least}. Same: the whole "
        f"interval below {least}, so a difference that counts is ruled out. Can't tell: neither; the rows needed "
        "are a forecast that takes the estimate for the truth."
    )


def settings(report: Report) -> list[tuple[str, str]]:
    """Every choice that the numbers depend on."""
    chosen = report.settings
    return [
        ("measure", visible(chosen.measure, 60)),
        ("bins", count(chosen.bins)),
        ("alpha", amount(chosen.alpha)),
        ("adjust", visible(chosen.adjust, 20)),
        ("min effect", summary.least(report)),
        ("level", share(chosen.level)),
        ("permutations", count(chosen.permutations)),
        ("seed", str(chosen.seed)),
    ]
