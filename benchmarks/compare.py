"""What comparing two tables costs: kb.compare against Evidently's Jensen–Shannon report on the same files.

    python benchmarks/compare.py [--rows 1000000] [--runs 3] [--without-peer]

Every job is a process of its own, from the start of the interpreter to its exit: imports, reading two parquet files of
20 columns (12 numbers, 8 categories), the comparison. CPU time is the kernel's for the process and its threads. The
first run writes the tables, and installs Evidently in an environment beside them, under --cache.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import polars as pl

import measure

JOBS = Path(__file__).with_name("jobs")
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "kullback-benchmarks"
PEER = ("evidently", "pandas<3", "pyarrow")  # with pandas 3 it installs and then fails to import
COLUMNS, GOAL = 20, 1 / 20
CATEGORIES = (2, 5, 10, 20, 50, 100, 300, 1000)
MEGABYTE = 1 << 20

Sampler = Callable[[], measure.Sample]


def write_tables(folder: Path, rows: int) -> tuple[Path, Path]:
    """Two tables whose laws differ a little in a third of the columns; written once."""
    paths = folder / f"before-{rows}.parquet", folder / f"after-{rows}.parquet"
    for seed, path in enumerate(paths):
        if not path.exists():
            measure.progress(f"writing {path.name}")
            folder.mkdir(parents=True, exist_ok=True)
            draft = path.with_suffix(".new")
            make_table(rows, seed).write_parquet(draft)
            draft.replace(path)
    return paths


def make_table(rows: int, seed: int) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    drift = 0.03 * seed
    columns: dict[str, np.ndarray] = {}
    for i in range(3):
        columns[f"normal_{i}"] = rng.normal(drift if i == 0 else 0.0, 1.0 + i, rows)
        columns[f"lognormal_{i}"] = rng.lognormal(drift if i == 0 else 0.0, 0.5 + 0.5 * i, rows)
        columns[f"count_{i}"] = rng.poisson(3.0 * 10**i * (1 + (drift if i == 0 else 0.0)), rows)
        columns[f"zeros_{i}"] = rng.exponential(1.0, rows) * (rng.random(rows) < 0.3 + 0.2 * i)
    columns["normal_2"][rng.random(rows) < 0.05] = np.nan
    table = pl.DataFrame(columns).with_columns(pl.col("normal_2").fill_nan(None))
    texts = []
    for k in CATEGORIES:
        weights = 1.0 / np.arange(1, k + 1) ** (1.0 + (drift if k in (10, 300) else 0.0))
        codes = np.searchsorted(np.cumsum(weights / weights.sum())[:-1], rng.random(rows), side="right")
        names = pl.Series([f"category {j:04d}" for j in range(k)])
        texts.append(names.gather(codes).alias(f"of_{k}"))
    return table.with_columns(texts)


def peer_python(folder: Path) -> Path | None:
    """An interpreter with Evidently in an environment of its own, or None with the reason on stderr."""
    home = folder / f"evidently-{sys.version_info.major}.{sys.version_info.minor}"
    python, stamp = home / "bin" / "python", home / "installed"
    if not stamp.exists():
        measure.progress("installing Evidently in an environment of its own, about two minutes")
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PEER]
        for command in (
            [sys.executable, "-m", "venv", str(home)],
            install,
            [str(python), "-c", "import evidently"],
        ):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                last = (done.stderr.strip().splitlines() or ["no message"])[-1]
                measure.progress(f"Evidently is not measured: {last}")
                return None
        stamp.touch()
    return python


def peer_versions(python: Path | None) -> tuple[str, ...]:
    if python is None:
        return ()
    show = "print(*(f'{n} {version(n)}' for n in ('evidently', 'pandas')), sep=';')"
    ask = f"from importlib.metadata import version; {show}"
    done = subprocess.run([str(python), "-c", ask], capture_output=True, text=True, check=True)
    return tuple(done.stdout.strip().split(";"))


def job(python: Path | str, script: str, *arguments: str, log: list[float]) -> Sampler:
    """A sampler that runs `script` in a process and checks that it did its work; its page's seconds go to `log`."""

    def sample() -> measure.Sample:
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            start = time.perf_counter()
            environment = os.environ | {"DO_NOT_TRACK": "1"}
            process = subprocess.Popen(
                [str(python), str(JOBS / script), *arguments], stdout=out, stderr=err, env=environment
            )
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            wall = time.perf_counter() - start
            out.seek(0)
            err.seek(0)
            if process.returncode != 0:
                raise RuntimeError(f"{script} failed with {process.returncode}:\n{err.read()[-2000:]}")
            answer = json.loads(out.read().splitlines()[-1])
        if answer["columns"] != COLUMNS:
            raise RuntimeError(f"{script} compared {answer['columns']} columns, not {COLUMNS}")
        log.append(answer["page_seconds"])
        unit = 1 if sys.platform == "darwin" else 1024
        return measure.Sample(used.ru_utime + used.ru_stime, wall, used.ru_maxrss * unit / MEGABYTE)

    return sample


def rows(arguments: argparse.Namespace, pages: Path) -> Iterator[measure.Row]:
    before, after = map(str, write_tables(arguments.cache, arguments.rows))
    peer = None if arguments.without_peer else peer_python(arguments.cache)
    task = f"compare {arguments.rows:,} rows x {COLUMNS} columns x 2 parquet files"
    packages = ("kullback", "numpy", "polars")
    setting = measure.Setting("compare.py", os.cpu_count() or 1, packages, peer_versions(peer))
    here = sys.executable
    seconds: dict[str, list[float]] = {"ours": [], "peer": [], "none": []}
    samplers: dict[str, Sampler] = {
        "kb.compare": job(here, "kullback_compare.py", before, after, log=seconds["none"]),
        "kb.compare and page": job(
            here, "kullback_compare.py", before, after, str(pages / "ours.html"), log=seconds["ours"]
        ),
        "floor: counts by hand": job(here, "counts_by_hand.py", before, after, log=seconds["none"]),
    }
    if peer:
        samplers["Evidently JS"] = job(peer, "evidently_js.py", before, after, log=seconds["none"])
        samplers["Evidently JS and page"] = job(
            peer, "evidently_js.py", before, after, str(pages / "peer.html"), log=seconds["peer"]
        )
    taken = measure.alternate(samplers, runs=arguments.runs, task=task)
    if peer:
        yield measure.compared(
            setting, task, taken, candidate="kb.compare", baseline="Evidently JS", goal=GOAL
        )
        yield measure.compared(
            setting, task, taken, candidate="kb.compare and page", baseline="Evidently JS and page"
        )
    yield measure.compared(setting, task, taken, candidate="kb.compare", baseline="floor: counts by hand")
    taken["page alone"] = [measure.Sample(x, x) for x in seconds["ours"]]
    yield measure.compared(setting, task, taken, candidate="page alone", baseline="kb.compare")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of each table")
    parser.add_argument("--runs", type=int, default=3, help="alternating rounds")
    parser.add_argument(
        "--cache", type=Path, default=CACHE, help="where tables and the peer's environment stay"
    )
    parser.add_argument("--without-peer", action="store_true", help="measure kb.compare and the floor alone")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = list(rows(arguments, Path(folder)))
        sizes = {page.stem: page.stat().st_size for page in sorted(Path(folder).glob("*.html"))}
    print(measure.table(found))
    for name, size in sizes.items():
        print(f"\npage of {'kb.compare' if name == 'ours' else 'Evidently'}: {size / 1000:,.0f} kB", end="")
    print()
    measure.record(found)


if __name__ == "__main__":
    main()
