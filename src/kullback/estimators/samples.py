"""What a caller's rows become: float64 columns that keep order and distances, and codes for what only has names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from kullback.errors import DTypeError, InvalidInputError, ShapeError
from kullback.estimators.columns import Column, columns_of

Kind = Literal["continuous", "discrete"]
Kinds = Kind | Sequence[Kind] | None
Missing = Literal["raise", "drop"]


@dataclass(frozen=True)
class Sample:
    """The rows of one variable.

    `values` (n, d) holds the continuous columns, each moved by its `shift` and all divided by 2**`exponent`, so that
    no power of them leaves float64 and nothing but the shift is rounded; `codes` (n,) numbers the combinations of the
    discrete columns from 0 to `classes` − 1, and is None where there is no such column.
    """

    name: str
    values: NDArray[np.float64]
    codes: NDArray[np.int64] | None = None
    classes: int = 0
    shift: NDArray[np.float64] | None = None
    exponent: int = 0

    @property
    def n(self) -> int:
        """The number of rows."""
        return len(self.values)

    @property
    def dimension(self) -> int:
        """How many continuous columns there are."""
        return self.values.shape[1]

    @property
    def continuous(self) -> bool:
        """Whether every column is continuous."""
        return self.codes is None

    @property
    def discrete(self) -> bool:
        """Whether every column is discrete."""
        return self.codes is not None and self.dimension == 0

    @property
    def mixed(self) -> bool:
        """Whether there are columns of both kinds."""
        return self.codes is not None and self.dimension > 0

    @property
    def scale(self) -> float:
        """What a distance between rows of `values` is multiplied with to be one between the caller's."""
        return float(np.ldexp(1.0, self.exponent))

    def take(self, rows: NDArray[Any]) -> Sample:
        """Some of the rows, by their numbers or by a mask."""
        codes = None if self.codes is None else self.codes[rows]
        return replace(self, values=np.ascontiguousarray(self.values[rows]), codes=codes)


@dataclass(frozen=True)
class Raw:
    """Columns as they were read, before missing rows, codes and scales."""

    name: str
    columns: tuple[Column, ...]

    @property
    def n(self) -> int:
        """The number of rows."""
        return len(self.columns[0].values)

    @property
    def missing(self) -> NDArray[np.bool_]:
        """The rows in which at least one column has no value."""
        return np.logical_or.reduce([column.missing for column in self.columns])


def raw(name: str, data: Any, kind: Kinds) -> Raw:
    """The columns of one argument, each with its kind decided, or the reason why it cannot be."""
    columns = columns_of(name, data)
    if not len(columns[0].values):
        raise InvalidInputError(f"`{name}` has no rows")
    if kind is not None and not isinstance(kind, str | Sequence):
        raise InvalidInputError(f"the kind of `{name}` is {kind!r}; expected 'continuous' or 'discrete'")
    kinds = (kind,) * len(columns) if kind is None or isinstance(kind, str) else tuple(kind)
    if len(kinds) != len(columns):
        raise ShapeError(f"`{name}` has {len(columns)} columns, but {len(kinds)} kinds were given for it")
    return Raw(name, tuple(_decided(c, wish) for c, wish in zip(columns, kinds, strict=True)))


def _decided(column: Column, wish: Kind | None) -> Column:
    if wish not in (None, "continuous", "discrete"):
        raise InvalidInputError(f"the kind of {column.name} is {wish!r}; expected 'continuous' or 'discrete'")
    if wish == "continuous" and column.kind == "discrete":
        raise DTypeError(
            f"{column.name} holds names, not numbers, and cannot be continuous; declare it 'discrete'"
        )
    if wish is None and column.kind == "time":
        raise DTypeError(
            f"{column.name} holds times: declare it, kind='continuous' (read in seconds) or kind='discrete'"
        )
    if wish is None and column.kind == "integer":
        raise DTypeError(
            f"{column.name} holds integers, which may be classes, counts or rounded measurements: "
            "declare it, kind='discrete' or kind='continuous' (equal values are then ties)"
        )
    kind = wish or column.kind
    return (
        replace(column, kind=kind, values=column.numbers)
        if kind == "continuous"
        else (replace(column, kind="discrete"))
    )


def kept_rows(raws: Sequence[Raw], missing: Missing) -> tuple[NDArray[np.bool_], tuple[str, ...]]:
    """Which of the rows that these variables share have every value, and a note about the others."""
    lengths = {r.name: r.n for r in raws}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"`{name}` has {n}" for name, n in lengths.items())
        raise ShapeError(f"the variables need one row for each observation; {told}")
    gone = np.logical_or.reduce([r.missing for r in raws])
    count = int(gone.sum())
    if missing not in ("raise", "drop"):
        raise InvalidInputError(f"missing must be 'raise' or 'drop', got {missing!r}")
    if not count:
        return ~gone, ()
    where = ", ".join(f"{int(r.missing.sum())} in `{r.name}`" for r in raws if r.missing.any())
    if missing == "raise":
        raise InvalidInputError(
            f"{count} of {len(gone)} rows have a missing, NaN or infinite value ({where}); "
            "missing='drop' leaves them out and says so"
        )
    if count == len(gone):
        raise InvalidInputError(f"every row has a missing, NaN or infinite value ({where}); nothing is left")
    return ~gone, (f"{count} of {len(gone)} rows left out: missing, NaN or infinite values ({where})",)


def sample_of(r: Raw, rows: NDArray[np.bool_]) -> Sample:
    """One variable by itself."""
    return samples_of([r], [rows])[0]


def samples_of(raws: Sequence[Raw], rows: Sequence[NDArray[np.bool_]]) -> list[Sample]:
    """Samples of the same columns, which share their codes, shift and scale, so that they can be compared."""
    first = raws[0]
    for other in raws[1:]:
        _same_columns(first, other)
    sizes = np.cumsum([int(keep.sum()) for keep in rows])[:-1]
    joined = [
        np.concatenate([r.columns[i].values[keep] for r, keep in zip(raws, rows, strict=True)])
        for i in range(len(first.columns))
    ]
    kinds = [column.kind for column in first.columns]
    numbers = [v for v, kind in zip(joined, kinds, strict=True) if kind == "continuous"]
    names = [v for v, kind in zip(joined, kinds, strict=True) if kind == "discrete"]
    values = np.column_stack(numbers) if numbers else np.empty((len(joined[0]), 0))
    values, shift, exponent = _placed(np.ascontiguousarray(values, dtype=np.float64))
    codes, classes = _coded(names)
    return [
        Sample(r.name, np.ascontiguousarray(v), c, classes, shift, exponent)
        for r, v, c in zip(
            raws,
            np.split(values, sizes),
            np.split(codes, sizes) if codes is not None else [None] * len(raws),
            strict=True,
        )
    ]


def _same_columns(first: Raw, other: Raw) -> None:
    if len(first.columns) != len(other.columns):
        raise ShapeError(
            f"`{first.name}` has {len(first.columns)} columns and `{other.name}` {len(other.columns)}; "
            "two samples are compared column by column"
        )
    for a, b in zip(first.columns, other.columns, strict=True):
        if a.kind != b.kind:
            raise DTypeError(
                f"{a.name} is {a.kind} and {b.name} {b.kind}: one column needs one kind on both sides"
            )


def _placed(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64], int]:
    """The values about their medians, in units of a power of two near their widest spread."""
    if not values.size:
        return values, np.zeros(values.shape[1]), 0
    # a median that is one of the values: shifting by it loses nothing where values are close together
    middle = np.partition(values, (len(values) - 1) // 2, axis=0)[(len(values) - 1) // 2]
    with np.errstate(over="ignore"):
        moved = values - middle
    reach = np.abs(moved).max()
    if not np.isfinite(reach):
        raise InvalidInputError("the values span more than float64 can hold: divide them by a common factor")
    exponent = int(np.frexp(reach)[1]) if reach > 0 else 0
    return np.ldexp(moved, -exponent), middle, exponent


def _coded(names: Sequence[NDArray[Any]]) -> tuple[NDArray[np.int64] | None, int]:
    """One number for each combination of values that occurs."""
    if not names:
        return None, 0
    code = np.zeros(len(names[0]), dtype=np.int64)
    for column in names:
        levels, inverse = np.unique(column, return_inverse=True)
        code = np.unique(code * len(levels) + inverse, return_inverse=True)[1]
    return code, int(code.max()) + 1
