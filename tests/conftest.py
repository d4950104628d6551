"""How every test runs: property tests are deterministic unless a longer search is asked for."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# A failure must come back on the next run, here and elsewhere: no clock, no random seed, no example database.
settings.register_profile(
    "default", derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
# HYPOTHESIS_PROFILE=nightly make test-all: new examples on every run, and many of them.
settings.register_profile("nightly", max_examples=2000, deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))
