"""What an error has to say."""

from __future__ import annotations

import re

import pytest


def raises(error: type[Exception], *parts: str) -> pytest.RaisesExc:
    """The error, whose message has all these parts in this order."""
    return pytest.raises(error, match=".*".join(map(re.escape, parts)))
