"""Is my train/test split fair? Asked of the RAND Health Insurance Experiment, split in two ways.

A split is fair when training and test rows follow the same distribution. The file is sorted, which nobody notices in
its ten columns: cut in its own order, it trains on some places and tests on others.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

import kullback as kb
from kullback.tables import readers

ROOT = Path(__file__).parents[1]
DATA = ROOT / "examples" / "data" / "randhie.csv"
REPORTS = ROOT / "reports"
TRAINING = 0.75  # of the rows
SEED = 0


def main() -> None:
    REPORTS.mkdir(exist_ok=True)
    table = readers.read(DATA).collect()
    print(f"RAND Health Insurance Experiment: {len(table)} rows, {table.width} columns, public domain.")
    print("Is the split into training and test rows fair?\n")

    print("1. CUT IN THE ORDER OF THE FILE\n")
    ordered = split(table, "in file order")
    print(f"{ordered}\n")
    print("2. SPLIT AT RANDOM\n")
    shuffled = split(table.sample(fraction=1.0, shuffle=True, seed=SEED), f"at random, seed {SEED}")
    print(f"{shuffled}\n")

    print(EXPLANATION)
    for name, report in (("file-order", ordered), ("random", shuffled)):
        print(f"report: {report.to_html(REPORTS / f'split-{name}.html').relative_to(ROOT)}")


def split(table: pl.DataFrame, how: str) -> kb.Report:
    """Compare the first rows of a table, for training, with the rest, for the test."""
    end = round(TRAINING * len(table))
    return kb.compare(table[:end], table[end:], seed=SEED).named(f"training rows, {how}", f"test rows, {how}")


EXPLANATION = """\
WHAT THIS MEANS
The file is sorted by person, and persons by the place where the experiment ran. Its last
quarter comes from two of the six places, and one of these two is nowhere in the training rows.
Cut in that order, a model trains on one population and is tested on another. Split at random,
both parts are the same.

WHAT TO KEEP IN MIND
A row is a person in a year: 20190 rows are 5912 persons, and no column says whose row it is. In
file order, p-values and intervals are therefore too sure, about as if there were three to four
times as many rows as there are; the size of a difference is not affected. For the random split
the p-values are exact, because the split was drawn just as the test assumes. But nearly every
person of the test rows then has training rows too: a fair split of these data would draw
persons, not rows (examples/data/SOURCES.md).
"""


if __name__ == "__main__":
    main()
