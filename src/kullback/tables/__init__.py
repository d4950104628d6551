"""Two tables: `compare` counts them column by column and says what differs, how much, and how surely."""

from __future__ import annotations

from kullback.tables.adjust import benjamini_hochberg, benjamini_yekutieli, holm, unadjusted
from kullback.tables.comparison import compare
from kullback.tables.plan import cut
from kullback.tables.profile import Profile
from kullback.tables.report import Report, Verdict

__all__ = [
    "Profile",
    "Report",
    "Verdict",
    "benjamini_hochberg",
    "benjamini_yekutieli",
    "compare",
    "cut",
    "holm",
    "unadjusted",
]
