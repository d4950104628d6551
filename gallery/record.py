"""What a run of an entry leaves behind, and where it is kept until the entry or the library changes."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path

import kullback
from gallery.entry import HERE, Budget, Entry, Verdict, status

KEPT = HERE.parent / "reports" / "gallery"
FAILED = "failed"


@dataclass(frozen=True)
class Order:
    """What is asked of an entry: how much, from which seed on, as the paper has it or broken on purpose."""

    budget: Budget = Budget.SMALL
    seed: int = 0
    control: bool = False

    @property
    def name(self) -> str:
        """A part of a file name."""
        return f"{self.budget.value}-{self.seed}{'-control' if self.control else ''}"


@dataclass(frozen=True)
class Record:
    """The verdicts on an entry, the time that it took, its figure as SVG, or why it failed."""

    key: str
    seconds: float
    verdicts: tuple[Verdict, ...] = ()
    figure: str = ""
    error: str = ""
    kept: bool = False  # read from an earlier run

    @property
    def status(self) -> str:
        """Reproduced, mixed or not reproduced by the verdicts; failed where it stopped before them."""
        return FAILED if self.error else status(self.verdicts)

    def as_expected(self, entry: Entry, order: Order) -> bool:
        """A run has the status that its file declares; a control does worse."""
        if order.control:
            return not self.error and not all(v.passed for v in self.verdicts)
        return self.status == entry.declared

    def write(self, path: Path) -> None:
        """Replace the file at once or not at all: whoever is interrupted leaves no half of one."""
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(asdict(self), file)
        Path(name).replace(path)

    @classmethod
    def read(cls, path: Path) -> Record:
        """The record in a file."""
        found = json.loads(path.read_text(encoding="utf-8"))
        verdicts = tuple(Verdict(**{**v, "found": tuple(v["found"])}) for v in found.pop("verdicts"))
        return cls(verdicts=verdicts, **found)


def place(entry: Entry, order: Order, *, folder: Path | None = None) -> Path:
    """Where the record of this very file under this very library belongs."""
    digest = hashlib.sha256(entry.path.read_bytes() + _surroundings().encode()).hexdigest()[:16]
    return (folder or KEPT) / f"{entry.key}-{order.name}-{digest}.json"


def kept(entry: Entry, order: Order, *, folder: Path | None = None) -> Record | None:
    """The record of an earlier run, if nothing has changed since."""
    path = place(entry, order, folder=folder)
    return replace(Record.read(path), kept=True) if path.exists() else None


@cache
def _surroundings() -> str:
    """The library, its version and the parts that entries share."""
    digest = hashlib.sha256(kullback.__version__.encode())
    library = Path(kullback.__file__).parent
    shared = [*library.rglob("*.py"), *(HERE / "toys").glob("*.py"), HERE / "entry.py", HERE / "drawing.py"]
    for path in sorted(shared):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()
