"""Names of intervals: as few digits as tell the edges apart, and dates without a clock where days are enough."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

DAY = 86_400_000_000  # microseconds

Unit = Literal["D", "m", "s", "us"]
_UNITS: tuple[Unit, ...] = ("D", "m", "s", "us")


def of_integers(edges: Sequence[int]) -> list[str]:
    """The cells between whole numbers, both ends included, the two open ones outside.

    >>> of_integers([0, 1, 5])
    ['≤ -1', '0', '1 to 4', '≥ 5']
    """
    inner = [str(low) if high == low + 1 else f"{low} to {high - 1}" for low, high in pairwise(edges)]
    return [f"≤ {edges[0] - 1}", *inner, f"≥ {edges[-1]}"]


def of_floats(edges: Sequence[float]) -> list[str]:
    """The cells between numbers; the cell that holds a single number has that number's name.

    >>> of_floats([0.0, math.nextafter(0.0, 1.0), 0.123456])
    ['< 0', '0', '(0, 0.123)', '≥ 0.123']
    """
    closes_atom = [False, *(high == math.nextafter(low, math.inf) for low, high in pairwise(edges))]
    shown = [edges[i - 1] if closes_atom[i] else edge for i, edge in enumerate(edges)]
    texts = _told_apart(shown)
    names = [f"< {texts[0]}"]
    for i in range(1, len(edges)):
        if closes_atom[i]:
            names.append(texts[i])
        else:
            names.append(f"{'(' if closes_atom[i - 1] else '['}{texts[i - 1]}, {texts[i]})")
    return [*names, f"{'>' if closes_atom[-1] else '≥'} {texts[-1]}"]


def of_dates(edges: Sequence[int], daily: bool, zone: str | None) -> list[str]:
    """The cells between moments, in microseconds since 1970; between days where the column holds days.

    >>> of_dates([0, DAY, 31 * DAY], True, None)
    ['before 1970-01-01', '1970-01-01', '1970-01-02 to 1970-01-31', 'from 1970-02-01']
    """
    step = DAY if daily else 1
    local = [edge + offset(edge, zone) for edge in edges]
    unit = _resolution(local, step)
    texts = [_moment(edge, unit) for edge in local]
    names = [f"before {texts[0]}"]
    for i in range(1, len(edges)):
        if edges[i] == edges[i - 1] + step:
            names.append(texts[i - 1])
        elif daily:
            names.append(f"{texts[i - 1]} to {_moment(local[i] - DAY, unit)}")
        else:
            names.append(f"{texts[i - 1]} to {texts[i]}")
    return [*names, f"from {texts[-1]}"]


def _told_apart(numbers: Sequence[float]) -> list[str]:
    different = len({float(x) for x in numbers})
    for digits in range(3, 18):
        texts = [_number(x, digits) for x in numbers]
        if len(set(texts)) == different:
            return texts
    raise AssertionError(f"17 digits tell all floats apart, not these: {numbers}")


def _number(x: float, digits: int) -> str:
    rounded = float(f"{x:.{digits}g}")
    if rounded == 0 or 1e-5 <= abs(rounded) < 1e15:
        return np.format_float_positional(rounded + 0.0, trim="-")
    mantissa, exponent = f"{x:.{digits - 1}e}".split("e")
    mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
    return f"{mantissa}e{int(exponent)}"


def _resolution(moments: Sequence[int], step: int) -> Unit:
    for unit in _UNITS:
        if _distinct(moments, unit, step):
            return unit
    return "us"


def _distinct(moments: Sequence[int], unit: Unit, step: int) -> bool:
    """Whether names of this resolution tell the edges apart; the two edges of an atom may share theirs."""
    names = [_moment(edge, unit) for edge in moments]
    pairs = zip(moments, moments[1:], names, names[1:], strict=False)
    return all(left != right or high == low + step for low, high, left, right in pairs)


def _moment(microseconds: int, unit: Unit) -> str:
    return str(np.datetime_as_string(np.datetime64(microseconds, "us"), unit=unit)).replace("T", " ")


def offset(microseconds: int, zone: str | None) -> int:
    """Microseconds that the clocks of a zone are ahead of UTC; 0 where zone or moment are beyond the calendar."""
    if zone is None:
        return 0
    try:
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
        ahead = moment.astimezone(ZoneInfo(zone)).utcoffset()
    except (ZoneInfoNotFoundError, ValueError, OverflowError):
        return 0
    return 0 if ahead is None else int(ahead / timedelta(microseconds=1))
