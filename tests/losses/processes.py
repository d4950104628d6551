"""Two processes that share a vocabulary: what each of them checks, and how they are started and heard."""

from __future__ import annotations

import json
import traceback
import warnings
from collections.abc import Callable, Iterable
from datetime import timedelta
from functools import partial
from pathlib import Path

import torch
import torch.distributed as dist
from torch.multiprocessing.spawn import spawn

Check = Callable[[], None]
WORLD = 2
PATIENCE = timedelta(seconds=60)


class Checks:
    """Functions by name, in the order in which every process runs them."""

    def __init__(self) -> None:
        self.found: dict[str, Check] = {}

    def over(self, *cases: object) -> Callable[[Callable[..., None]], Callable[..., None]]:
        """Lists a function once for each case, or once without any."""

        def listed(check: Callable[..., None]) -> Callable[..., None]:
            name = check.__name__
            for case in cases:
                self.found[f"{name}[{case!r}]"] = partial(check, case)
            if not cases:
                self.found[name] = check
            return check

        return listed


def run(checks: Callable[[], Checks], names: Iterable[str], folder: Path) -> dict[str, list[str]]:
    """What went wrong in each of these checks, in either process."""
    names = list(names)
    spawn(_work, args=(checks, names, folder), nprocs=WORLD)
    heard = [json.loads((folder / f"{rank}.json").read_text()) for rank in range(WORLD)]
    return {name: [text for each in heard if (text := each[name])] for name in names}


def _work(rank: int, checks: Callable[[], Checks], names: list[str], folder: Path) -> None:
    torch.set_num_threads(1)
    warnings.simplefilter("error")
    place = f"file://{folder / 'store'}"
    dist.init_process_group("gloo", init_method=place, rank=rank, world_size=WORLD, timeout=PATIENCE)
    found, heard = checks().found, {}
    for name in names:
        try:
            found[name]()
            heard[name] = ""
        except Exception:  # noqa: BLE001  (whatever it is, the parent shows it)
            heard[name] = f"process {rank}: {traceback.format_exc()}"
    (folder / f"{rank}.json").write_text(json.dumps(heard))
    dist.destroy_process_group()
