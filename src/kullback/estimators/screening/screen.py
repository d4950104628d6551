"""The verb that measures many pairs of columns, in blocks that fit in memory and can travel to other machines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import combinations
from typing import Any, Literal

from kullback.errors import DTypeError, InvalidInputError, MissingDependencyError
from kullback.estimators import asked
from kullback.estimators.columns import Column, kept
from kullback.estimators.samples import Kind
from kullback.estimators.screening.measure import Settings, measure
from kullback.estimators.screening.ranking import Finding, Screening
from kullback.estimators.screening.table import Table, decided, table_of
from kullback.estimators.trees import expect
from kullback.progress import Reporter

_BLOCK_BYTES = 32_000_000
_MOST_COLUMNS = 200  # in a block: short enough for progress and for a worker that is lost

Pair = tuple[Column, Column]


def screen(
    table: Any,
    *,
    target: str | None,
    against: Literal["all"] | Sequence[str] = "all",
    kinds: Mapping[str, Kind] | None = None,
    neighbours: int = 10,
    permutations: int = 199,
    level: float | None = 0.95,
    seed: int = 0,
    progress: bool = True,
) -> Screening:
    r"""How much each column of a table tells of a target: ranked mutual information with intervals, p- and q-values.

    $$I(X_j; Y) = \mathrm{KL}\big(p_{x_j y} \,\|\, p_{x_j}\, p_y\big), \quad j = 1, \dots, m$$

    in nats. `table` is a dataframe of any engine (a lazy one is read in blocks of columns), a mapping of names to
    columns, or an array (rows, columns). `against` names the columns to measure, `"all"` of them unless told;
    `target=None` measures all pairs among them. Rows with a missing value leave the pairs of that column only. Text and
    booleans are classes, and so are numbers of at most 20 values with ten rows each on average; `kinds` overrides that
    by column.

    Two columns of numbers are compared by `KSG`, numbers and classes by `Ross`, both with that many `neighbours` (few
    of them follow fine structure, many rank better and cost more), classes by `Contingency`. Their p-values are
    permutations', `permutations` of them (0 leaves them out); under independence two columns of numbers are two
    rankings, so that one set of permutations serves all of them, and as many more are drawn of it as a pair alone needs
    for q = 0.05, within some ten seconds. q-values are Benjamini and Hochberg's. `level` is that of the intervals; None
    leaves them out, which is faster. The order is that of `Screening`.

    The blocks go through joblib, and nothing here names a backend: within `joblib.parallel_config(n_jobs=8)` they run
    in 8 processes, within `parallel_config(backend="dask")` on a cluster, with the same numbers. Progress is told on
    the standard error after two seconds unless `progress` is false.

    A column that cannot be measured, by its type or for want of rows, keeps its line, and its note says why. Raises
    `InvalidInputError` for a column that the table does not have, `DTypeError` for a target that cannot be measured,
    `ShapeError` for columns of several lengths. Source: [kraskov2004], [ross2014].

    >>> import kullback as kb
    >>> x = [i / 100 for i in range(100)]
    >>> table = {"y": x, "square": [v * v for v in x], "label": ["a", "b"] * 50}
    >>> print([f.column for f in kb.screen(table, target="y")])
    ['square', 'label']
    """
    asked.check(level=0.95 if level is None else level, seed=seed, permutations=permutations)
    asked.check_whole("neighbours", neighbours, least=1)
    source = table_of(table)
    names, wishes = _measured_names(source, target, against), _declared(source, kinds)
    if target is not None:
        blocks, total = _against_target(source, target, names, wishes), len(names)
    else:
        blocks, total = _all_pairs(source, names, wishes), len(names) * (len(names) - 1) // 2
    settings = Settings(permutations, level, seed, neighbours, total)
    with Reporter(quiet=not progress) as told:
        findings: list[Finding] = []
        told("screening", 0, total)
        for part in _mapped(blocks, settings):
            findings += part
            told("screening", len(findings), total)
    return Screening.ranked(findings)


def _measured_names(source: Table, target: str | None, against: str | Sequence[str]) -> list[str]:
    """The columns to measure, each once and none of them the target."""
    if isinstance(against, str) and against != "all":
        raise InvalidInputError(
            f"against is the text {against!r}; expected 'all' or a list of names: against=[{against!r}]"
        )
    names = list(source.names) if against == "all" else [source.named(name) for name in against]
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        raise InvalidInputError(f"against names {', '.join(map(repr, twice))} more than once")
    if target is None:
        return names
    source.named(target)
    left = [name for name in names if name != target]
    if not left:
        raise InvalidInputError(f"there is no column but the target {target!r} to measure")
    return left


def _declared(source: Table, kinds: Mapping[str, Kind] | None) -> dict[str, Kind]:
    """The kinds by column, as a caller declares them."""
    if not isinstance(kinds, Mapping | None):
        raise DTypeError(
            f"kinds is {kinds!r}; expected a mapping of columns to kinds, such as {{'code': 'discrete'}}"
        )
    wishes: dict[str, Kind] = {} if kinds is None else dict(kinds)
    for name, wish in wishes.items():
        source.named(name)
        if wish not in ("continuous", "discrete"):
            raise InvalidInputError(
                f"the kind of {name!r} in kinds is {wish!r}; expected 'continuous' or 'discrete'"
            )
    return wishes


def _mapped(blocks: Iterable[list[Pair]], settings: Settings) -> Iterator[list[Finding]]:
    """Each block's findings, in the blocks' order; joblib runs them as it is configured, one by one unless told."""
    try:
        from joblib import Parallel, delayed
    except ImportError:
        raise MissingDependencyError(
            "screening runs through joblib, which is not installed: pip install 'kullback[fast]'"
        ) from None
    found: Any = Parallel(return_as="generator")(delayed(_measured)(block, settings) for block in blocks)
    yield from found


def _measured(block: list[Pair], settings: Settings) -> list[Finding]:
    # each process learns how much is to come: alone, no pair is worth loading the compiled searches for
    expect(len(block) + settings.permutations, 2 * len(block[0][0].values))
    return [measure(a, b, settings) for a, b in block]


def _against_target(
    source: Table, target: str, names: Sequence[str], wishes: Mapping[str, Kind]
) -> Iterator[list[Pair]]:
    goal = _read(source, [target], wishes)[0]
    if goal.trouble:
        raise DTypeError(f"the target cannot be measured: {goal.trouble}")
    for part in _parts(names, len(goal.values)):
        yield [(column, goal) for column in _read(source, part, wishes)]


def _all_pairs(source: Table, names: Sequence[str], wishes: Mapping[str, Kind]) -> Iterator[list[Pair]]:
    """Blocks of pairs: those within each part of the columns, and those between two parts."""
    if len(names) < 2:
        raise InvalidInputError(f"all pairs need at least two columns, got {len(names)}")
    rows = len(source.read([names[0]])[0].values)
    parts = _parts(names, rows, most=16)
    for i, part in enumerate(parts):
        here = _read(source, part, wishes)
        yield list(combinations(here, 2))
        for other in parts[i + 1 :]:
            there = _read(source, other, wishes)
            yield [(a, b) for a in here for b in there]


def _parts(names: Sequence[str], rows: int, *, most: int = _MOST_COLUMNS) -> list[Sequence[str]]:
    step = max(1, min(most, _BLOCK_BYTES // (8 * max(1, rows))))
    return [names[i : i + step] for i in range(0, len(names), step)]


def _read(source: Table, names: Sequence[str], wishes: Mapping[str, Kind]) -> list[Column]:
    columns = source.read(names)
    return [
        replace(kept(name, len(column.values), partial(decided, column, wishes.get(name))), name=name)
        for name, column in zip(names, columns, strict=True)
    ]
