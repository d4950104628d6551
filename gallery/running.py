"""Many entries, several at once: what was kept is not run again, what fails stops nobody."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from pathlib import Path

from gallery.entry import HERE, Entry
from gallery.record import Order, Record, kept, place

LIMIT = {"small": 600.0, "full": 86_400.0}  # seconds after which an entry counts as stuck


def untold(_: Entry) -> None:
    """Nobody wants to know what was started."""


def records(
    chosen: Iterable[Entry],
    order: Order,
    *,
    jobs: int | None = None,
    again: bool = False,
    folder: Path | None = None,
    started: Callable[[Entry], None] = untold,
) -> Iterator[tuple[Entry, Record]]:
    """Every entry with its record, as they come; `again` runs what was kept once more.

    Each runs in its own process on one thread, `jobs` of them at a time (one a core). Records are written as soon as
    they are made, so that an interrupted call goes on where it stopped.
    """
    todo = []
    for entry in chosen:
        found = None if again else kept(entry, order, folder=folder)
        if found is None:
            todo.append(entry)
        else:
            yield entry, found
    running: set[subprocess.Popen[str]] = set()
    with ThreadPoolExecutor(jobs or os.cpu_count() or 1) as pool:
        waiting = {pool.submit(_run, entry, order, folder, running, started): entry for entry in todo}
        try:
            while waiting:
                done, _ = wait(waiting, return_when=FIRST_COMPLETED)
                for future in done:
                    yield waiting.pop(future), future.result()
        finally:  # Ctrl-C, or the caller wants no more
            pool.shutdown(wait=False, cancel_futures=True)
            for process in list(running):
                process.terminate()


def _run(
    entry: Entry,
    order: Order,
    folder: Path | None,
    running: set[subprocess.Popen[str]],
    started: Callable[[Entry], None],
) -> Record:
    started(entry)
    began = time.perf_counter()
    target = place(entry, order, folder=folder)  # before the run: the sources may change during it
    variant = "control" if order.control else "paper"
    command = [sys.executable, "-m", "gallery.worker", str(entry.path)]
    command += [order.budget.value, str(order.seed), variant, str(target)]
    one_thread = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    process = subprocess.Popen(
        command,
        cwd=HERE.parent,
        env={**os.environ, **one_thread},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    running.add(process)
    try:
        _, said = process.communicate(timeout=LIMIT[order.budget.value])
    except subprocess.TimeoutExpired:
        process.kill()
        said = f"stuck: no result after {LIMIT[order.budget.value]:g} s"
    finally:
        running.discard(process)
    if process.returncode == 0:
        return Record.read(target)
    reason = said.strip().splitlines()[-1] if said.strip() else f"ended with status {process.returncode}"
    return Record(entry.key, time.perf_counter() - began, error=reason)
