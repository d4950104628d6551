"""One entry in a process of its own: `python -m gallery.worker FILE BUDGET SEED paper|control TARGET`."""

from __future__ import annotations

import sys
import time
import traceback
from pathlib import Path
from typing import Any

from gallery import drawing
from gallery.entry import Budget, Entry, Verdict
from gallery.record import Order, Record


def measured(entry: Entry, order: Order) -> Record:
    """Run every seed, judge, draw; an error is a record too."""
    began = time.perf_counter()
    try:
        verdicts, figure = _judged(entry, order)
        return Record(entry.key, time.perf_counter() - began, verdicts, figure)
    except Exception as error:  # noqa: BLE001  (whatever an entry does, the others go on, and its reason is shown)
        frame = traceback.extract_tb(error.__traceback__)[-1]
        reason = f"{type(error).__name__}: {error} ({Path(frame.filename).name}, line {frame.lineno})"
        return Record(entry.key, time.perf_counter() - began, error=reason)


def _judged(entry: Entry, order: Order) -> tuple[tuple[Verdict, ...], str]:
    module: Any = entry.module()
    run = module.control if order.control else module.run
    runs = [run(seed, order.budget) for seed in range(order.seed, order.seed + entry.seeds)]
    verdicts = tuple(module.check(runs))
    if not verdicts:
        raise ValueError("check() returned no verdict")
    return verdicts, drawing.svg(lambda ax: module.figure(runs[0], ax), title=entry.claim)


def main(path: str, budget: str, seed: str, variant: str, target: str) -> None:
    """Run the entry in a file and write its record, or say on the standard error why there is none."""
    record = measured(Entry.read(Path(path)), Order(Budget(budget), int(seed), variant == "control"))
    if record.error:
        sys.exit(record.error)
    record.write(Path(target))


if __name__ == "__main__":
    main(*sys.argv[1:])
