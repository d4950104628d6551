"""Log-probabilities, entropy and divergence of chosen tokens on linear heads, against log_softmax on all logits.

    python benchmarks/selected.py [--tokens 1024] [--runs 5]

Forward and backward for arbitrary weights of every token, gradients towards hidden states and weight. The baseline is
what trainers write: logits in full, log_softmax, gather, and the entropy from both. The other row is the least that can
be done in a chunk at a time: the same matrix products, the logits made twice, with no arithmetic between them. Memory
is the honest peak of a fresh process with a heap that gives freed blocks back, less what stood before the call.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

import kullback as kb
import measure
from kullback.losses import selected

WIDTH, CLASSES = 512, 32000
BUDGET = 4 * CLASSES * 256  # bytes of logits in a chunk: 256 rows of one head
TASKS = ("log-probabilities and entropy", "with a frozen reference and KL to it")
NAIVE, FLOOR = "log_softmax and gather", "matrix products"


class Problem(NamedTuple):
    """Hidden states and heads of policy and reference, chosen classes, and weights of what is made."""

    hidden: Tensor
    weight: Tensor
    other_hidden: Tensor
    other_weight: Tensor
    ids: Tensor
    up: Tensor

    @classmethod
    def made(cls, tokens: int) -> Problem:
        """Unit-variance logits, seeded."""
        g = torch.Generator().manual_seed(0)
        sizes = ((tokens, 1.0), (CLASSES, WIDTH**-0.5)) * 2
        h, w, y, v = (torch.randn(n, WIDTH, generator=g).mul_(scale) for n, scale in sizes)
        ids, up = torch.randint(CLASSES, (tokens,), generator=g), torch.randn(3, tokens, generator=g)
        return cls(h.requires_grad_(), w.requires_grad_(), y, v, ids, up)

    def gradients(self, log_probs: Tensor, entropy: Tensor, divergence: Tensor | None) -> object:
        """Of a weighted sum of everything."""
        total = (self.up[0] * log_probs).sum() + (self.up[1] * entropy).sum()
        if divergence is not None:
            total = total + (self.up[2] * divergence).sum()
        return torch.autograd.grad(total, (self.hidden, self.weight))


def ours(x: Problem, task: str, engine: kb.Engine | None = None) -> Callable[[], object]:
    def call() -> object:
        policy = kb.Head(x.hidden, x.weight)
        if task == TASKS[0]:
            made = selected(policy, x.ids, engine=engine)
        else:
            reference = kb.Head(x.other_hidden, x.other_weight)
            made = selected(policy, x.ids, reference=reference, d=kb.kl, engine=engine)
        return x.gradients(made.log_probs, made.entropy, made.divergence)

    return call


def naive(x: Problem, task: str) -> Callable[[], object]:
    def call() -> object:
        log_p = torch.log_softmax(x.hidden @ x.weight.T, -1)
        chosen, p = log_p.gather(-1, x.ids[:, None])[:, 0], log_p.exp()
        entropy, divergence = -(p * log_p).sum(-1), None
        if task != TASKS[0]:
            log_q = torch.log_softmax(x.other_hidden @ x.other_weight.T, -1)
            divergence = (p * (log_p - log_q)).sum(-1)
        return x.gradients(chosen, entropy, divergence)

    return call


def products(x: Problem, task: str) -> Callable[[], object]:
    """Logits of the policy twice, of the reference twice if it is there, and both gradients."""
    logits = x.hidden.new_empty(len(x.hidden), CLASSES)
    to_hidden, to_weight = torch.empty_like(x.hidden), torch.empty_like(x.weight)

    @torch.no_grad()
    def call() -> None:
        for _ in range(2):
            torch.mm(x.hidden, x.weight.T, out=logits)
            if task != TASKS[0]:
                torch.mm(x.other_hidden, x.other_weight.T, out=logits)
        torch.mm(logits, x.weight, out=to_hidden)
        torch.mm(logits.T, x.hidden, out=to_weight)

    return call


def speed(tokens: int, runs: int) -> list[measure.Row]:
    torch.set_num_threads(1)
    setting = measure.Setting("selected.py", 1, ("kullback", "torch"))
    x, rows = Problem.made(tokens), []
    for task in TASKS:
        calls = {"kullback": ours(x, task), NAIVE: naive(x, task), FLOOR: products(x, task)}
        name = f"heads, {tokens} tokens x {CLASSES} classes x {WIDTH}, {task}"
        taken = measure.alternate({k: measure.once(f) for k, f in calls.items()}, runs=runs, task=name)
        for baseline in (NAIVE, FLOOR):
            row = measure.compared(
                setting, f"{name}: {baseline}", taken, candidate="kullback", baseline=baseline
            )
            if baseline == NAIVE:
                peaks = [peak(who, task, tokens) for who in ("kullback", NAIVE)]
                row = replace(row, peak_mb=peaks[0], baseline_peak_mb=peaks[1])
            rows.append(row)
    return rows


def peak(who: str, task: str, tokens: int) -> float:
    """In MiB, of a process of its own."""
    environment = os.environ | {
        "MALLOC_MMAP_THRESHOLD_": str(1 << 18),
        "MALLOC_TRIM_THRESHOLD_": str(1 << 18),
    }
    command = [sys.executable, __file__, "--peak-of", who, task, "--tokens", str(tokens)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return float(json.loads(done.stdout)["peak"])


def peak_of(who: str, task: str, tokens: int) -> None:
    """A warm-up on few tokens, then one call."""
    torch.set_num_threads(1)

    def call(n: int) -> Callable[[], object]:
        x = Problem.made(n)
        return naive(x, task) if who == NAIVE else ours(x, task, kb.Engine(memory=BUDGET))

    call(8)()
    run = call(tokens)
    before = _status("VmRSS")
    with open("/proc/self/clear_refs", "w") as file:  # the high-water mark starts anew
        file.write("5")
    run()
    print(json.dumps({"peak": (_status("VmHWM") - before) / 1024}))


def _status(field: str) -> int:
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(field))


def main() -> None:
    """Measures and writes what was found."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tokens", type=int, default=1024)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--peak-of", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peak_of:
        who, task = options.peak_of
        peak_of(who, task, options.tokens)
        return
    measure.keep_heap()
    rows = speed(options.tokens, options.runs)
    measure.record(rows)
    print(measure.table(rows))


if __name__ == "__main__":
    main()
