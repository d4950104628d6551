"""Two tables: `compare` counts them column by column and says what differs, how much, and how surely."""

from __future__ import annotations

from kullback.tables.plan import cut
from kullback.tables.profile import Profile

__all__ = ["Profile", "cut"]
