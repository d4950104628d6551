"""Speed of densities on grids: a million rows to 1024 cells, against KDEpy's FFTKDE on as many points.

    python benchmarks/density.py [--runs 9]      (KDEpy must be importable)

Both smooth with a Gaussian kernel of one bandwidth; the largest errors against the sum over all rows are printed.
Prints a table and writes results.csv. A ratio is CPU time over the baseline's; one thread.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np
from KDEpy import FFTKDE  # pyright: ignore[reportMissingImports]

import measure
from kullback.estimators import Silverman, grid_density

ROWS, CELLS, CHECKED = 1_000_000, 1024, 20_000
BANDWIDTH = 0.057  # Silverman's for a million standard normal rows
GOAL = 1 / 2.4  # of what a user waits for: the bandwidth included
SETTING = measure.Setting("density.py", 1, ("kullback", "KDEpy", "numpy", "scipy"))


def exact(x: np.ndarray, points: np.ndarray) -> np.ndarray:
    """The sum over all rows, a point at a time."""
    height = 1 / (BANDWIDTH * np.sqrt(2 * np.pi))
    return np.array([height * np.exp(-0.5 * ((x - at) / BANDWIDTH) ** 2).mean() for at in points])


def errors(x: np.ndarray) -> tuple[float, float]:
    """The largest error of both, on some rows and on the points of each grid."""
    ours = grid_density(x, bandwidth=BANDWIDTH, cells=CELLS)
    points, density = FFTKDE(bw=BANDWIDTH).fit(x).evaluate(CELLS)
    nodes = ours.axes[0]
    return (
        float(np.abs(ours.density - exact(x, nodes)).max()),
        float(np.abs(density - exact(x, points)).max()),
    )


def rows(runs: int) -> Iterator[measure.Row]:
    """One task for each way to choose the bandwidth."""
    x = np.random.default_rng(0).standard_normal(ROWS)
    print("largest error, kullback and KDEpy: {:.2g} {:.2g}".format(*errors(x[:CHECKED])))
    ours: tuple[float | Silverman, ...] = (BANDWIDTH, Silverman())
    for name, own, rule in zip(("given", "Silverman"), ours, (BANDWIDTH, "silverman"), strict=True):
        task = f"density of {ROWS} rows on {CELLS} cells, Gaussian kernel, bandwidth: {name}"
        samplers = {
            "grid_density": measure.timed(lambda own=own: grid_density(x, bandwidth=own, cells=CELLS)),
            "KDEpy FFTKDE": measure.timed(lambda rule=rule: FFTKDE(bw=rule).fit(x).evaluate(CELLS)),
        }
        taken = measure.alternate(samplers, runs=runs, task=task)
        yield measure.compared(
            SETTING,
            task,
            taken,
            candidate="grid_density",
            baseline="KDEpy FFTKDE",
            goal=GOAL if name == "Silverman" else None,
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=9, help="alternating rounds of each task")
    found = list(rows(parser.parse_args().runs))
    print(measure.table(found), flush=True)
    measure.record(found)


if __name__ == "__main__":
    main()
