"""Objectives on given log-probabilities against the same loss written out for one f, as other libraries have it.

    python benchmarks/objectives.py [--sizes 16 4096] [--runs 7]

Each task is forward and backward on one thread. Preference losses are held against TRL's
(`DPOConfig.f_divergence_type`), whose lines are written out below because its trainer has them within a method. A
further objective is a further entry in `TASKS`.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

import kullback as kb
import measure
from kullback.losses import preference

GOAL = 1.5
Objective = Callable[
    [Tensor, Tensor, Tensor, Tensor], Tensor
]  # of the policy's and the reference's log-probabilities

SCORES: dict[str, Callable[[Tensor], Tensor]] = {
    "kl": lambda r: r,
    "reverse_kl": lambda r: 1 - torch.exp(-r),
    "gan": lambda r: math.log(2) + F.logsigmoid(r),
    "alpha(0.5)": lambda r: (torch.exp(torch.clamp(-0.5 * r, max=80.0)) - 1.0) / -0.5,
}


def ours(d: kb.FDivergence, chosen: Tensor, rejected: Tensor, other: Tensor, worse: Tensor) -> Tensor:
    return preference.f_dpo(d, chosen=chosen - other, rejected=rejected - worse)


def theirs(
    score: Callable[[Tensor], Tensor], chosen: Tensor, rejected: Tensor, other: Tensor, worse: Tensor
) -> Tensor:
    delta = score(chosen - other) - score(rejected - worse)
    return (-F.logsigmoid(0.1 * delta)).mean()


def preferences() -> dict[str, tuple[Objective, Objective]]:
    """Name -> ours and the written-out loss."""
    found = {d.name: d for d in (kb.kl, kb.reverse_kl, kb.gan, kb.alpha(0.5))}
    return {f"f_dpo {name}": (partial(ours, d), partial(theirs, SCORES[name])) for name, d in found.items()}


TASKS: dict[str, tuple[Objective, Objective]] = preferences()


def step(objective: Objective, parts: list[Tensor]) -> Callable[[], tuple[Tensor, ...]]:
    """Value and the gradients towards the policy's two."""
    return lambda: torch.autograd.grad(objective(*parts), parts[:2])


def rows(setting: measure.Setting, size: int, runs: int) -> list[measure.Row]:
    """Every task at one size."""
    g = torch.Generator().manual_seed(0)
    parts = [torch.randn(size, generator=g).requires_grad_(i < 2) for i in range(4)]
    made = []
    for name, (mine, other) in TASKS.items():
        value, wanted = (
            torch.stack([x(*parts), *(s.sum() for s in step(x, parts)())]) for x in (mine, other)
        )
        if not torch.allclose(value, wanted, rtol=1e-4, atol=1e-6):
            raise SystemExit(f"{name}: {value.tolist()} is not {wanted.tolist()}")
        task = f"{name}, {size} pairs, value and gradients"
        samplers = {
            "kullback": measure.timed(step(mine, parts)),
            "written out": measure.timed(step(other, parts)),
        }
        taken = measure.alternate(samplers, runs=runs, task=task)
        made.append(
            measure.compared(setting, task, taken, candidate="kullback", baseline="written out", goal=GOAL)
        )
    return made


def main() -> None:
    """Measure, record and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[16, 4096])
    parser.add_argument("--runs", type=int, default=7)
    given = parser.parse_args()
    torch.set_num_threads(1)
    measure.keep_heap()
    setting = measure.Setting("objectives", 1, ("torch",))
    found = [row for size in given.sizes for row in rows(setting, size, given.runs)]
    measure.record(found)
    print(measure.table(found))


if __name__ == "__main__":
    main()
