"""One line on a terminal for whoever waits for a critic longer than two seconds."""

from __future__ import annotations

import sys
import time

PATIENCE, REDRAW = 2.0, 0.25  # seconds before the first sign of life, and between two


class Progress:
    """Steps done of a number that an early stop may cut short; silent in a log and within two seconds."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._next = time.monotonic() + PATIENCE
        self._drawn = 0

    def __call__(self, text: str) -> None:
        """Say where the work stands; cheap enough for an inner loop."""
        if time.monotonic() < self._next or not sys.stderr.isatty():
            return
        line = f"{self._what}: {text}"
        sys.stderr.write("\r" + line.ljust(self._drawn))
        sys.stderr.flush()
        self._drawn = len(line)
        self._next = time.monotonic() + REDRAW

    def close(self) -> None:
        """Leave no line behind."""
        if self._drawn:
            sys.stderr.write("\r" + " " * self._drawn + "\r")
            sys.stderr.flush()
