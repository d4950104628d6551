"""Benchmarks are scripts: `pytest .` passes them by, one of them needs an environment of its own."""

collect_ignore_glob = ["*"]
