"""Did the United States economy change in 1984? Growth and inflation before and after the Great Moderation began."""

from __future__ import annotations

import math
from pathlib import Path

import polars as pl

import kullback as kb
from kullback.tables import readers

DATA = Path(__file__).parent / "data" / "macrodata.csv"
BREAK = 1984  # the year in which the volatility of growth is commonly dated to have fallen
QUARTERS = 4


def main() -> None:
    table = rates(readers.read(DATA))
    before, after = table.filter(pl.col("year") < BREAK), table.filter(pl.col("year") >= BREAK)
    report = kb.compare(before, after, exclude=["year"]).named(f"before {BREAK}", f"{BREAK} to 2009")
    print(report)
    print("\nSPREAD (standard deviation, per cent a year)")
    for name in report_columns(table):
        print(f"  {name:10} {spread(before, name):5.2f} → {spread(after, name):5.2f}")
    print("\nSERIAL DEPENDENCE")
    for name in report_columns(table):
        r = autocorrelation(table[name])
        print(f"  {name:10} correlation with the quarter before {r:.2f}: {effective(len(table), r)}")
    print(WARNING)


def rates(table: pl.LazyFrame) -> pl.DataFrame:
    """Growth of real output and inflation, in per cent a year; the first quarter has no quarter before it."""
    growth = 100 * QUARTERS * pl.col("realgdp").log().diff()
    return table.select("year", growth.alias("growth"), pl.col("infl").alias("inflation")).slice(1).collect()


def report_columns(table: pl.DataFrame) -> list[str]:
    return [name for name in table.columns if name != "year"]


def spread(table: pl.DataFrame, name: str) -> float:
    found = table[name].std()
    assert isinstance(found, float)
    return found


def autocorrelation(series: pl.Series) -> float:
    """Of neighbours in time, both periods together: a break in the mean would raise it, and is part of the caution."""
    centred = (series - series.mean()).to_numpy()
    return float(centred[1:] @ centred[:-1] / (centred @ centred))


def effective(rows: int, correlation: float) -> str:
    """The number of independent rows with a mean as sure as that of an autoregressive series, n (1 − r)/(1 + r)."""
    worth = math.floor(rows * (1 - correlation) / (1 + correlation))
    return f"{rows} quarters tell about as much as {worth} independent ones"


WARNING = """
Quarters are not independent draws: each resembles the one before. The p-values, q-values and
intervals above take them for independent and are therefore too sure, the more so the higher
the correlation; the estimates of the difference itself are not affected in the same way. Read
"drift" here as "the two periods look different", not as a test at level 5 %.
"""


if __name__ == "__main__":
    main()
