"""Tables for the tests of comparisons: one law with every kind of column, and the same rows on every engine."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa

ENGINES: dict[str, Callable[[pl.DataFrame], Any]] = {
    "polars": lambda frame: frame,
    "polars lazy": lambda frame: frame.lazy(),
    "pyarrow": lambda frame: frame.to_arrow(),
    "pandas": lambda frame: frame.to_pandas(),
    "pandas nullable": lambda frame: frame.to_arrow().to_pandas(types_mapper=_NULLABLE.get),
    "pandas arrow": lambda frame: frame.to_arrow().to_pandas(types_mapper=pd.ArrowDtype),
}
_NULLABLE = {
    pa.int64(): pd.Int64Dtype(),
    pa.int8(): pd.Int8Dtype(),
    pa.float64(): pd.Float64Dtype(),
    pa.bool_(): pd.BooleanDtype(),
    pa.large_string(): pd.StringDtype(),
    pa.string(): pd.StringDtype(),
}


def mixed(rows: int, seed: int, *, shift: float = 0.0) -> pl.DataFrame:
    """Numbers, categories, dates and booleans with gaps and oddities; `shift` moves the column x alone."""
    rng = np.random.default_rng(seed)
    x = rng.normal(shift, 1, rows)
    gaps = rng.random(rows) < 0.1
    first = dt.datetime(2024, 1, 1)
    odd = rng.choice([0.0, -0.0, np.nan, np.inf, -np.inf, 1.5, -2.5, 1e300, 5e-324], rows)
    return pl.DataFrame({
        "x": x,
        "gap": pl.Series(x).set(pl.Series(gaps), None),
        "odd": odd,
        "whole": rng.poisson(4, rows),
        "whole_gap": pl.Series(rng.poisson(2, rows), dtype=pl.Int64).set(pl.Series(gaps), None),
        "small": pl.Series(rng.integers(-100, 100, rows), dtype=pl.Int8),
        "id": rng.integers(1_700_000_000_000_000_000, 1_700_000_000_000_100_000, rows),
        "inflated": np.where(rng.random(rows) < 0.4, 0.0, rng.lognormal(0, 1, rows)),
        "text": pl.Series(rng.choice(["a", "b", "c", ""], rows)).set(pl.Series(gaps), None),
        "coded": pl.Series(rng.choice(["low", "mid", "high"], rows), dtype=pl.Categorical),
        "flag": pl.Series(rng.random(rows) < 0.3).set(pl.Series(gaps), None),
        "moment": [first + dt.timedelta(minutes=int(m)) for m in rng.integers(-50_000_000, 100_000, rows)],
        "day": [first.date() + dt.timedelta(days=int(d)) for d in rng.integers(0, 90, rows)],
        "zoned": pl.Series(
            [first + dt.timedelta(hours=int(h)) for h in rng.integers(0, 5_000, rows)]
        ).dt.replace_time_zone("UTC").dt.convert_time_zone("Europe/Berlin"),
    })  # fmt: skip
