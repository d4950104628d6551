"""One process: Evidently's Jensen–Shannon drift of every column of two parquet files, and its page if a path is given.

Runs in an environment of its own, where kullback is not installed.
"""

from __future__ import annotations

import json
import sys
import time
import warnings

import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.presets import DataDriftPreset

METHOD = "jensenshannon"


def main(before: str, after: str, page: str = "") -> None:
    warnings.simplefilter("ignore")
    frames = [pd.read_parquet(path) for path in (before, after)]
    numbers = list(frames[0].select_dtypes("number").columns)
    texts = [name for name in frames[0].columns if name not in numbers]
    definition = DataDefinition(numerical_columns=numbers, categorical_columns=texts)
    reference, current = (Dataset.from_pandas(frame, data_definition=definition) for frame in frames)
    report = Report([DataDriftPreset(num_method=METHOD, cat_method=METHOD)])
    result = report.run(current_data=current, reference_data=reference)
    found = [metric for metric in result.dict()["metrics"] if isinstance(metric["value"], float)]
    start = time.process_time()
    if page:
        result.save_html(page)
    print(json.dumps({"columns": len(found), "page_seconds": time.process_time() - start}))


if __name__ == "__main__":
    main(*sys.argv[1:])
