"""Progress on the standard error, for whoever waits more than two seconds."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from types import TracebackType
from typing import Protocol, TextIO

from kullback.wording import amount, share, visible

PATIENCE = 2.0  # seconds of silence that nobody minds
_REDRAW, _REPEAT = 0.25, 10.0  # seconds between two signs of life, on a terminal and in a log


class Progress(Protocol):
    """What a long job calls between two steps: the name of the step, steps done, steps in all (0 where unknown)."""

    def __call__(self, what: str, done: int, total: int) -> None:
        """Take note of it; called often, so it has to be quick."""


def silent(what: str, done: int, total: int) -> None:
    """Progress that nobody sees."""


def part(told: Progress, name: str) -> Progress:
    """Progress of one part of a job, told under its name."""
    return lambda what, done, total: told(f"{name}: {what}", done, total)


class Reporter:
    """Progress for people: one line that is redrawn on a terminal, a line every ten seconds elsewhere.

    A thread writes, so that a step that takes a minute does not look like a program that hangs. Use it as a context;
    within it, call it as a `Progress`. Quiet, or done within two seconds, it writes nothing at all.
    """

    def __init__(
        self, *, quiet: bool = False, stream: TextIO | None = None, patience: float = PATIENCE
    ) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._quiet = quiet
        self._patience = patience
        self._terminal = self._stream.isatty()
        self._state = ("starting", 0, 0)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._tell, daemon=True, name="kullback-progress")
        self._began = time.monotonic()
        self._drawn = 0

    def __call__(self, what: str, done: int, total: int) -> None:
        """Note where the job stands; cheap enough for an inner loop."""
        self._state = (what, done, total)

    def __enter__(self) -> Reporter:
        if not self._quiet:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        if not self._quiet:
            self._thread.join()
            self._erase()

    def _tell(self) -> None:
        wait = self._patience
        with contextlib.suppress(OSError, ValueError):  # nobody reads: the stream is closed
            while not self._ended.wait(wait):
                self._draw(self._line())
                wait = _REDRAW if self._terminal else _REPEAT

    def _line(self) -> str:
        what, done, total = self._state
        part = f" {share(done / total)} ({done} of {total})" if total else ""
        return f"{visible(what, 48)}{part}, {amount(time.monotonic() - self._began, 2)} s"

    def _draw(self, line: str) -> None:
        if self._terminal:
            self._stream.write("\r" + line.ljust(self._drawn))
            self._drawn = len(line)
        else:
            self._stream.write(f"kullback: {line}\n")
        self._stream.flush()

    def _erase(self) -> None:
        if self._terminal and self._drawn:
            with contextlib.suppress(OSError, ValueError):
                self._stream.write("\r" + " " * self._drawn + "\r")
                self._stream.flush()
