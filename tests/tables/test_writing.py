"""Reports appear whole or not at all, whatever happens to the process that writes them."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kullback.errors import InvalidInputError
from kullback.tables import writing


class TestWriting:
    def test_links_are_not_followed(self, tmp_path: Path) -> None:
        victim = tmp_path / "victim"
        victim.write_text("precious")
        (tmp_path / "link.html").symlink_to(victim)
        with pytest.raises(InvalidInputError, match="symbolic link"):
            writing.write_atomically(tmp_path / "link.html", "x")
        assert victim.read_text() == "precious"

    def test_places_that_cannot_be_written(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        for path in (tmp_path, tmp_path / "no" / "x", tmp_path / "pipe", tmp_path / ("x" * 300), "a\0b"):
            with pytest.raises(InvalidInputError):
                writing.write_atomically(path, "x")
        assert [path.name for path in tmp_path.iterdir()] == ["pipe"]

    def test_a_full_disk_leaves_the_old_report(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        target = tmp_path / "r.html"
        target.write_text("old")

        def full(_: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(InvalidInputError, match="No space left"):
            writing.write_atomically(target, "new" * 10_000)
        assert target.read_text() == "old"
        assert list(tmp_path.iterdir()) == [target]

    def test_an_interrupt_leaves_the_old_report(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        target = tmp_path / "r.html"
        target.write_text("old")
        for name in ("fsync", "replace"):
            with monkeypatch.context() as patch:
                patch.setattr(os, name, interrupt)
                with pytest.raises(KeyboardInterrupt):
                    writing.write_atomically(target, "new")
            assert target.read_text() == "old"
            assert list(tmp_path.iterdir()) == [target]

    def test_usual_permissions(self, tmp_path: Path) -> None:
        mask = os.umask(0o022)
        try:
            path = writing.write_atomically(tmp_path / "r.html", "x")
        finally:
            os.umask(mask)
        assert path.stat().st_mode & 0o777 == 0o644

    @pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGKILL, signal.SIGTERM])
    def test_killed_at_any_moment(self, kind: signal.Signals, tmp_path: Path) -> None:
        """A process that rewrites a report again and again is stopped at random moments: the report is whole."""
        target = tmp_path / "r.html"
        target.write_text("old")
        whole = {"old", "a" * 3_000_000, "b" * 3_000_000}
        moments = random.Random(int(kind))
        for _ in range(2):
            child = subprocess.Popen(
                [sys.executable, "-c", REWRITER, str(target)],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            assert child.stdout is not None
            child.stdout.readline()
            time.sleep(moments.uniform(0, 0.05))
            child.send_signal(kind)
            child.wait(timeout=30)
            child.stdout.close()
            assert target.read_text() in whole
        leftovers = [path.name for path in tmp_path.iterdir() if path != target]
        if kind is signal.SIGINT:
            assert leftovers == []
        assert all(name.startswith(".kullback-") for name in leftovers), (
            "only drafts, which no one takes for a report"
        )


# a shell in the background starts its processes deaf to interrupts
REWRITER = """
import signal, sys
from kullback.tables.writing import write_atomically
signal.signal(signal.SIGINT, signal.default_int_handler)
print("ready", flush=True)
while True:
    for letter in "ab":
        write_atomically(sys.argv[1], letter * 3_000_000)
"""


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt
