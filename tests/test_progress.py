"""Signs of life for whoever waits, and silence for everybody else."""

from __future__ import annotations

import time

import pytest

from kullback import progress


class Stream:
    """A stream that remembers, and says whether it is a terminal."""

    def __init__(self, terminal: bool) -> None:
        self.terminal, self.text = terminal, ""

    def isatty(self) -> bool:
        return self.terminal

    def write(self, text: str) -> int:
        self.text += text
        return len(text)

    def flush(self) -> None: ...


class TestProgress:
    @pytest.mark.parametrize("terminal", [True, False])
    def test_silence_when_quick_or_quiet(self, terminal: bool) -> None:
        for quiet, patience in ((False, 60.0), (True, 0.0)):
            stream = Stream(terminal)
            with progress.Reporter(quiet=quiet, stream=stream, patience=patience) as told:
                told("counting", 1, 2)
                time.sleep(0.05)
            assert stream.text == ""

    def test_a_line_that_is_redrawn_and_erased(self) -> None:
        stream = Stream(True)
        with progress.Reporter(stream=stream, patience=0.01) as told:
            told("counting \x1b[31m", 1, 4)
            time.sleep(0.1)
        assert "counting \\x1b[31m 25 % (1 of 4)" in stream.text
        assert "\n" not in stream.text
        assert stream.text.endswith("\r")

    def test_plain_lines_elsewhere(self) -> None:
        stream = Stream(False)
        with progress.Reporter(stream=stream, patience=0.01) as told:
            told("counting", 0, 0)
            time.sleep(0.1)
        assert stream.text.startswith("kullback: counting, ")
        assert stream.text.endswith(" s\n")

    def test_a_closed_stream_is_no_error(self) -> None:
        stream = Stream(True)
        with progress.Reporter(stream=stream, patience=0.01):
            stream.write = interrupt_write
            time.sleep(0.05)


def interrupt_write(text: str) -> int:
    raise ValueError("closed")
