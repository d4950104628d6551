"""Reports made by hand, for the tests of everything that shows them: no statistics run here."""

from __future__ import annotations

import math
from dataclasses import replace

from kullback.answer import Answer
from kullback.tables.report import Cell, Column, Report, Settings, Skipped, Table, Verdict

HOSTILE = [
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "javascript:alert(1)",
    "<svg onload=alert(1)>",
    "{{ 7 * 7 }}{% raw %}",
    "\u202egnp.exe\u2066",
    "a\nb\r\nc\td\0e\x1b[31mf\u2028g\u2029h",
    "x" * 10_000,
    "漢字" * 500,
    "e\u0301" + "\u0301" * 5_000,
    "שלום עולם",
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "a|b`c*d_e[f](g)",
    "\ud800",
    "",
    "   ",
    "&lt;b&gt;&amp;",
    "</style></title></svg><b>",
]


def contributions(before: list[int], after: list[int]) -> list[float]:
    """Jensen–Shannon, written out."""
    n, m = sum(before), sum(after)
    found = []
    for a, b in zip(before, after, strict=True):
        p, q = a / n, b / m
        mid = (p + q) / 2
        found.append(sum(0.5 * (x * math.log(x / mid) - x + mid) if x else mid / 2 for x in (p, q)))
    return found


def column(
    name: str = "age",
    before: tuple[int, ...] = (120, 300, 380, 150, 50),
    after: tuple[int, ...] = (60, 180, 340, 260, 160),
    *,
    kind: str = "number",
    labels: tuple[str, ...] = (),
    verdict: Verdict = Verdict.DRIFT,
) -> Column:
    terms = contributions(list(before), list(after))
    labels = labels or tuple(f"{10 * i} to {10 * i + 10}" for i in range(len(before)))
    cells = tuple(map(Cell, labels, before, after, terms))
    value = math.fsum(terms)
    n, m = sum(before), sum(after)
    tv = 0.5 * sum(abs(a / n - b / m) for a, b in zip(before, after, strict=True))
    return Column(
        name=name,
        kind=kind,
        before=n,
        after=m,
        missing_before=0,
        missing_after=0,
        cells=cells,
        divergence=Answer(
            value * 0.97, value * 0.8, value * 1.2, 0.95, "estimate", "bias-corrected counts", n
        ),
        plugin=value,
        p_value=0.001 if verdict is Verdict.DRIFT else 0.31,
        q_value=0.002 if verdict is Verdict.DRIFT else 0.42,
        accuracy=Answer(
            (1 + tv) / 2, (1 + tv * 0.9) / 2, (1 + tv * 1.1) / 2, 0.95, "estimate", "counts", n, "share"
        ),
        detectable=0.0042,
        verdict=verdict,
        rows_needed=8_734 if verdict is Verdict.CANT_TELL else None,
        new=tuple(x for x, a, b in zip(labels, before, after, strict=True) if not a and kind == "category"),
        gone=tuple(x for x, a, b in zip(labels, before, after, strict=True) if not b and kind == "category"),
        change="median 24 → 29" if kind == "number" else "most frequent: basic → plus",
    )


SETTINGS = Settings(
    measure="js",
    unit="nats",
    unit_limit=math.log(2),
    level=0.95,
    alpha=0.05,
    min_effect=0.01,
    adjust="bh",
    bins=20,
    permutations=999,
    seed=0,
)


def report(*columns: Column, skipped: tuple[Skipped, ...] = ()) -> Report:
    return Report(
        before=Table("train.csv", 10_095, len(columns) + len(skipped)),
        after=Table("test.csv", 10_095, len(columns) + len(skipped)),
        settings=SETTINGS,
        columns=columns,
        skipped=skipped,
        seconds=1.4,
    )


def mixed() -> Report:
    """Every verdict, every kind of column, skipped ones."""
    plan = column(
        "plan",
        (500, 300, 120, 80, 0),
        (450, 280, 230, 0, 40),
        kind="category",
        labels=("basic", "plus", "team", "trial", "family"),
    )
    few = column("region", (22, 18, 10), (20, 17, 15), kind="category", labels=("north", "south", "west"))
    few = replace(few, verdict=Verdict.CANT_TELL, rows_needed=8_734, q_value=0.31, divergence=noisy())
    calm = column("income", tuple([50] * 20), tuple([49, 51] * 10), verdict=Verdict.SAME)
    calm = replace(calm, change="", divergence=replace(noisy(), value=-0.0001, low=-0.0004, high=0.0021))
    flag = column(
        "smoker", (700, 300), (690, 310), kind="boolean", labels=("false", "true"), verdict=Verdict.SAME
    )
    flag = replace(flag, change="", divergence=replace(noisy(), value=0.0, low=0.0, high=0.0013))
    skipped = (
        Skipped("signup", "only in the first table"),
        Skipped("tags", "lists cannot be compared; spread them into columns"),
    )
    return report(column(), plan, few, calm, flag, skipped=skipped)


def infinite() -> Report:
    """Kullback–Leibler where a category is new: the value and its upper end are infinite."""
    plan = column("plan", (500, 500, 0), (450, 450, 100), kind="category", labels=("a", "b", "c"))
    cells = (*plan.cells[:2], replace(plan.cells[2], contribution=math.inf))
    boundless = replace(plan.divergence, value=math.inf, low=0.1, high=math.inf)
    plan = replace(plan, cells=cells, divergence=boundless, plugin=math.inf)
    made = report(plan)
    return replace(made, settings=replace(SETTINGS, measure="reverse_kl", unit_limit=math.inf))


def noisy() -> Answer:
    return Answer(0.0007, -0.002, 0.015, 0.95, "estimate", "bias-corrected counts", 50)


def hostile() -> Report:
    """Names and categories that try to leave their place."""
    counts = tuple(range(1, len(HOSTILE) + 1))
    labels = tuple(HOSTILE)
    columns = [
        replace(
            column(name, counts, counts[::-1], kind="category", labels=labels),
            new=labels,
            gone=labels,
            change=name,
            notes=(name,),
        )
        for name in HOSTILE
    ]
    made = report(*columns, skipped=tuple(Skipped(name, name) for name in HOSTILE))
    return replace(made, before=Table(HOSTILE[0], 1, 1), after=Table(HOSTILE[2], 1, 1), notes=tuple(HOSTILE))
