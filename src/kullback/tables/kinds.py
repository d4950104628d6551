"""What a column holds, told by its type alone, and whether two columns of one name can be compared."""

from __future__ import annotations

from dataclasses import dataclass

import narwhals as nw

from kullback.wording import visible


@dataclass(frozen=True)
class Kind:
    """`name` is number, category, date, boolean, or empty where the type says that nothing is there."""

    name: str
    shown: str  # the type in the words of the engine
    integer: bool = False
    daily: bool = False
    zone: str | None = None


@dataclass(frozen=True)
class NotComparable:
    """Why a column cannot be compared."""

    reason: str
    differs: bool = False  # whether the types of the two tables differ


def kind_of(series_type: nw.dtypes.DType) -> Kind | NotComparable:
    """The kind of a column by its type."""
    shown = visible(str(series_type))
    if series_type.is_integer():
        # NumPy has no 128-bit integers: these are counted as floats
        return Kind("number", shown, integer=series_type not in (nw.Int128, nw.UInt128))
    if series_type.is_float() or series_type == nw.Decimal:
        return Kind("number", shown)
    if isinstance(series_type, nw.Datetime):
        return Kind("date", shown, zone=series_type.time_zone)
    for kind, types in _SIMPLE.items():
        if any(series_type == one for one in types):
            return Kind(kind, shown, daily=kind == "date")
    return NotComparable(_reason(series_type, shown))


_SIMPLE = {
    "category": (nw.String, nw.Categorical, nw.Enum),
    "boolean": (nw.Boolean,),
    "date": (nw.Date,),
}


def _reason(series_type: nw.dtypes.DType, shown: str) -> str:
    if series_type.is_nested():
        return f"nested values ({shown}): unnest them into columns of their own"
    if series_type == nw.Object:
        return "Python objects of several types, or of one that no cells exist for: convert the column to one type"
    if series_type in (nw.Duration, nw.Time):
        return f"values of type {shown}: convert them to a number, such as seconds"
    return (
        f"values of type {shown}, for which no cells exist: convert them to numbers, text, dates or booleans"
    )


def together(before: Kind | NotComparable, after: Kind | NotComparable) -> Kind | NotComparable:
    """The kind under which both columns are counted; a column without any value fits every other one."""
    for side in (before, after):
        if isinstance(side, NotComparable):
            return side
    assert isinstance(before, Kind)
    assert isinstance(after, Kind)
    if before.name == "empty" or after.name == "empty":
        kind = after if before.name == "empty" else before
        return NotComparable("no value in either table") if kind.name == "empty" else kind
    if before.name != after.name:
        types = f"{before.name} ({before.shown}) before, {after.name} ({after.shown}) after"
        return NotComparable(f"type differs: {types}", differs=True)
    if (before.zone is None) != (after.zone is None):
        types = f"{before.shown} before, {after.shown} after: one has no time zone"
        return NotComparable(f"type differs: {types}", differs=True)
    return Kind(
        before.name,
        before.shown,
        integer=before.integer and after.integer,
        daily=before.daily and after.daily,
        zone=before.zone,
    )
