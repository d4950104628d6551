"""Accuracy of kullback and its peers against mpmath: the table that the documentation shows.

    python benchmarks/peer_numerics.py

Prints the tables and writes them to peer_numerics.md, with every number in peer_numerics.csv. Seeded; two minutes.
"""

from __future__ import annotations

import csv
import warnings
from collections.abc import Sequence
from pathlib import Path

import mpmath as mp
import numpy as np
import torch

import measure
from numerics import bad_input, logits, masses, truth
from numerics.scoring import Section, cells

TABLES = Path(__file__).with_suffix(".md")
NUMBERS = Path(__file__).with_suffix(".csv")
SETTING = measure.Setting("peer_numerics.py", 1, ("kullback", "numpy", "scipy", "torch", "mpmath"))
SECTIONS = (
    masses.kullback_leibler,
    masses.jensen_shannon,
    logits.kullback_leibler,
    logits.gradient,
    logits.jensen_shannon,
    masses.generators,
    masses.relatives,
)


def summary(sections: Sequence[Section]) -> str:
    meaning = (
        f"Relative error against {truth.DIGITS}-digit arithmetic, largest / median over the draws of one case; "
        "then the share of results that are negative or not a number. Each line shows the peer that did best."
    )
    head = [
        "### In short",
        "",
        meaning,
        "",
        cells("case", "best peer", "kullback"),
        cells("---", "---", "---"),
    ]
    return "\n".join(
        [*head, *(section.summary() for section in sections), "", f"Measured with {SETTING.versions}."]
    )


def write_numbers(sections: Sequence[Section]) -> None:
    with NUMBERS.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(
            ("table", "case", "function", "draws", "largest", "median", "negative", "nan", "versions")
        )
        for section in sections:
            for case, row in section.scores.items():
                for name, score in row.items():
                    numbers = (score.worst, score.median, score.negative, score.not_a_number)
                    written = (f"{number:.3g}" for number in numbers)
                    writer.writerow(
                        (section.title, case, name, len(score.errors), *written, SETTING.versions)
                    )


def main() -> None:
    mp.mp.dps = truth.DIGITS
    torch.set_num_threads(1)
    # peers divide by zero on the way; what they return is what is measured
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        sections = [build() for build in SECTIONS]
        parts = [summary(sections), *(section.markdown() for section in sections)]
        parts += [bad_input.known_answers(), bad_input.refusals()]
    text = "\n\n".join(parts) + "\n"
    TABLES.write_text(text, encoding="utf-8")
    write_numbers(sections)
    print(text)


if __name__ == "__main__":
    main()
