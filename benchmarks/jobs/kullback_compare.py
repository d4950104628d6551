"""One process: kb.compare of two parquet files, with intervals, p-values and q-values; its page if a path is given."""

from __future__ import annotations

import json
import math
import sys
import time

import kullback as kb


def main(before: str, after: str, page: str = "") -> None:
    report = kb.compare(before, after, measure=kb.js)
    for column in report.columns:
        numbers = (column.divergence.low, column.divergence.high, column.p_value, column.q_value)
        if not all(map(math.isfinite, numbers)):
            raise RuntimeError(f"column {column.name} lacks an interval or a p-value: {numbers}")
    start = time.process_time()
    if page:
        report.to_html(page)
    print(json.dumps({"columns": len(report.columns), "page_seconds": time.process_time() - start}))


if __name__ == "__main__":
    main(*sys.argv[1:])
