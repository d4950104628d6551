"""Speed and memory of training losses on linear heads, against the matrix products that no loss can do without.

    python benchmarks/losses.py [--only speed small memory cuda] [--tokens 1024 8192] [--threads 1 2] [--runs 5]

The floor is four plain matrix products of full size: student's and teacher's logits, and the gradients towards hidden
states and weight, 2 N V (3 d + d_t) floating-point operations. Ratios are formed within a round, by CPU time on one
thread and by wall time on more. Liger's chunked Jensen–Shannon loss joins where `liger_kernel` can be imported. Memory
is the honest peak of a fresh process with a heap that gives freed blocks back, less what stood before the call.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

import kullback as kb
import measure
from kullback.losses.engines.chunks import release

WIDTH, CLASSES = 512, 32000
DIVERGENCES = {
    "kl": kb.kl,
    "reverse_kl": kb.reverse_kl,
    "js": kb.js,
    "skew_js(0.1)": kb.skew_js(0.1),
    "alpha(0.5)": kb.alpha(0.5),
    "total_variation": kb.total_variation,
    "pearson_chi2": kb.pearson_chi2,
    "le_cam": kb.le_cam,
}
LARGE = ("kl", "js", "alpha(0.5)")  # of a large batch, and of the table of memory
COMPILED, EAGER, MEMORY = 1.15, 1.30, 1.05  # goals
PEER = importlib.util.find_spec("liger_kernel") is not None


class Problem(NamedTuple):
    """Hidden states and heads; the student's require gradients."""

    hidden: Tensor
    weight: Tensor
    teacher_hidden: Tensor
    teacher_weight: Tensor

    @classmethod
    def made(
        cls,
        tokens: int,
        width: int = WIDTH,
        classes: int = CLASSES,
        device: str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> Problem:
        """Unit-variance logits, seeded."""
        g = torch.Generator(device).manual_seed(0)
        tensors = [
            torch.randn(n, width, generator=g, device=device).mul_(scale).to(dtype)
            for n, scale in ((tokens, 1.0), (classes, width**-0.5)) * 2
        ]
        return cls(tensors[0].requires_grad_(), tensors[1].requires_grad_(), *tensors[2:])

    @property
    def wanted(self) -> tuple[Tensor, Tensor]:
        """What gradients are taken towards."""
        return self.hidden, self.weight


def products(x: Problem) -> Callable[[], object]:
    """The floor, outputs allocated once."""
    n, v = len(x.hidden), len(x.weight)
    logits, to_hidden, to_weight = (
        x.hidden.new_empty(n, v),
        torch.empty_like(x.hidden),
        torch.empty_like(x.weight),
    )

    @torch.no_grad()
    def call() -> None:
        torch.mm(x.teacher_hidden, x.teacher_weight.T, out=logits)
        torch.mm(x.hidden, x.weight.T, out=logits)
        torch.mm(logits, x.weight, out=to_hidden)
        torch.mm(logits.T, x.hidden, out=to_weight)

    return call


def ours(x: Problem, d: kb.Divergence, engine: kb.Engine) -> Callable[[], object]:
    def call() -> object:
        student, teacher = kb.Head(x.hidden, x.weight), kb.Head(x.teacher_hidden, x.teacher_weight)
        return torch.autograd.grad(kb.loss(d, student, teacher, engine=engine), x.wanted)

    return call


def naive(x: Problem, name: str) -> Callable[[], object]:
    """What people write: both logits in full, log_softmax, F.kl_div, or two of them to a mixture."""

    def call() -> object:
        q = F.log_softmax(x.hidden @ x.weight.T, -1)
        p = F.log_softmax(x.teacher_hidden @ x.teacher_weight.T, -1)
        divergence = partial(F.kl_div, log_target=True, reduction="batchmean")
        if name == "kl":
            return torch.autograd.grad(divergence(q, p), x.wanted)
        m = torch.logsumexp(torch.stack([p, q]), 0) - torch.tensor(2.0).log()
        return torch.autograd.grad(0.5 * divergence(m, p) + 0.5 * divergence(m, q), x.wanted)

    return call


def liger(x: Problem, *, compiled: bool, chunk: int = 256) -> Callable[[], object]:
    """Liger's Jensen–Shannon loss on heads; its default chunk of 1024 tokens is one chunk here, so 256."""
    from liger_kernel.chunked_loss import LigerFusedLinearJSDLoss

    loss: Any = LigerFusedLinearJSDLoss(0.0, 1.0, beta=0.5, compiled=compiled, chunk_size=chunk)
    labels = torch.zeros(len(x.hidden), dtype=torch.long, device=x.hidden.device)

    def call() -> object:
        made = loss(x.hidden, x.weight, x.teacher_hidden, x.teacher_weight, labels)
        return torch.autograd.grad(made[0] if isinstance(made, tuple) else made, x.wanted)

    return call


def candidates(x: Problem, names: tuple[str, ...]) -> dict[str, tuple[Callable[[], object], float | None]]:
    """Every loss with its goal against the floor."""
    found: dict[str, tuple[Callable[[], object], float | None]] = {}
    for name in names:
        d = DIVERGENCES[name]
        found[f"{name}, compiled"] = ours(x, d, kb.Engine(compiled=True)), COMPILED
        found[f"{name}, eager"] = ours(x, d, kb.Engine()), EAGER
    found["naive kl"] = naive(x, "kl"), None
    found["naive js"] = naive(x, "js"), None
    if PEER:
        found["Liger js, eager"] = liger(x, compiled=False), None
        found["Liger js, compiled"] = liger(x, compiled=True), None
    return found


def speed(tokens: int, threads: int, runs: int) -> list[measure.Row]:
    """Every loss against the floor, one after another, so that one compiler's cache does not meet another's limit."""
    torch.set_num_threads(threads)
    setting = measure.Setting("losses.py", threads, ("kullback", "torch"))
    task = f"heads, {tokens} tokens x {CLASSES} classes x {WIDTH}, {threads} thread{'s' * (threads > 1)}"
    x = Problem.made(tokens)
    floor, rows = measure.once(products(x)), []
    small = tokens <= 1024
    found = candidates(x, tuple(DIVERGENCES) if small else LARGE)
    for name, (call, goal) in found.items():
        if not small and "naive" in name:
            continue
        torch._dynamo.reset()
        taken = measure.alternate(
            {name: measure.once(call), "matrix products": floor}, runs=runs, task=f"{task}: {name}"
        )
        clock = "cpu" if threads == 1 else "wall"
        rows.append(
            measure.compared(
                setting, task, taken, candidate=name, baseline="matrix products", goal=goal, clock=clock
            )
        )
    return rows


def small_batches(runs: int) -> list[measure.Row]:
    """64 tokens, where nothing is to be won by chunks: against the naive loss."""
    torch.set_num_threads(1)
    setting = measure.Setting("losses.py", 1, ("kullback", "torch"))
    x, rows = Problem.made(64), []
    for name, peer in (("kl", "naive kl"), ("js", "naive js")):
        task = f"heads, 64 tokens x {CLASSES} classes x {WIDTH}, {name}"
        samplers = {
            "kullback": measure.timed(ours(x, DIVERGENCES[name], kb.Engine())),
            peer: measure.timed(naive(x, name)),
        }
        taken = measure.alternate(samplers, runs=runs, task=task)
        rows.append(measure.compared(setting, task, taken, candidate="kullback", baseline=peer, goal=1.0))
    return rows


def memory(tokens: int) -> None:
    """Peaks next to what must be kept: both gradients and two buffers of a chunk."""
    x = Problem.made(tokens)
    kept = sum(t.numel() * t.element_size() for t in x.wanted)
    budget = 2 * 4 * CLASSES * 256
    need = (kept + budget) / 2**20
    names = (
        [f"{n}, 256 rows" for n in LARGE] + ["naive kl", "naive js"] + (["Liger js, eager"] if PEER else [])
    )
    print(f"\nPeak memory, {tokens} tokens; gradients and two chunks of 256 rows are {need:.0f} MiB")
    for name in names:
        peak = _peak(name, tokens)
        print(
            f"  {name:<28} {peak:8.0f} MiB   {peak / need:.2f} of that"
            + ("" if "rows" not in name else f" (goal {MEMORY})")
        )


def _peak(name: str, tokens: int) -> float:
    """The median of three processes: a system that takes idle pages back makes a single baseline too low."""
    environment = os.environ | {
        "MALLOC_MMAP_THRESHOLD_": str(1 << 18),
        "MALLOC_TRIM_THRESHOLD_": str(1 << 18),
    }
    command = [sys.executable, __file__, "--peak-of", name, "--only", "memory", "--tokens", str(tokens)]
    runs = [
        subprocess.run(command, env=environment, capture_output=True, text=True, check=True) for _ in range(3)
    ]
    return statistics.median(float(json.loads(done.stdout)["peak"]) for done in runs)


def peak_of(name: str, tokens: int) -> None:
    """Runs in a process of its own: a warm-up on few tokens, then one call with nothing kept from it."""
    torch.set_num_threads(1)

    def call(n: int) -> Callable[[], object]:
        x = Problem.made(n)
        if name.startswith("naive"):
            return naive(x, name.split()[1])
        if name.startswith("Liger"):
            return liger(x, compiled=False)
        return ours(x, DIVERGENCES[name.partition(",")[0]], kb.Engine(memory=2 * 4 * CLASSES * 256))

    # the products' own work space comes with the first call of that size, whoever makes it
    call(256)()
    release()
    run = call(tokens)
    before = _status("VmRSS")
    with open("/proc/self/clear_refs", "w") as file:  # the high-water mark starts anew
        file.write("5")
    run()
    print(json.dumps({"peak": (_status("VmHWM") - before) / 1024}))


def cuda(runs: int) -> list[measure.Row]:
    """The size of a real head in bfloat16 on an accelerator: time by its own events, peak by its own allocator."""
    tokens, width, classes = 8192, 4096, 128256
    x = Problem.made(tokens, width, classes, "cuda", torch.bfloat16)
    setting = measure.Setting("losses.py", 1, ("kullback", "torch"), (torch.cuda.get_device_name(),))
    task = f"heads on CUDA, {tokens} tokens x {classes} classes x {width}, bfloat16"
    floor, rows = on_device(products(x)), []
    found = candidates(x, LARGE)
    if PEER:
        found["Liger js, Triton"] = liger_kernels(x), None
    for name, (call, _) in found.items():
        torch._dynamo.reset()
        try:
            samplers = {name: on_device(call), "matrix products": floor}
        except torch.cuda.OutOfMemoryError:
            print(f"{name}: more memory than the device has", file=sys.stderr)
            continue
        taken = measure.alternate(samplers, runs=runs, task=f"{task}: {name}")
        goal = COMPILED if name.split(",")[0] in LARGE else None
        rows.append(
            measure.compared(setting, task, taken, candidate=name, baseline="matrix products", goal=goal)
        )
    return rows


def liger_kernels(x: Problem) -> Callable[[], object]:
    """Liger's Triton kernel for the same loss."""
    from liger_kernel.transformers import LigerFusedLinearJSD

    loss: Any = LigerFusedLinearJSD(jsd_beta=0.5)
    return lambda: torch.autograd.grad(loss(x.hidden, x.weight, x.teacher_hidden, x.teacher_weight), x.wanted)


def on_device(call: Callable[[], object]) -> Callable[[], measure.Sample]:
    """A sampler by the device's own clock, after two calls that compile and fill its caches."""
    call()
    call()

    def sample() -> measure.Sample:
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda.synchronize()
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        begin.record()
        call()
        end.record()
        torch.cuda.synchronize()
        seconds, peak = begin.elapsed_time(end) / 1e3, torch.cuda.max_memory_allocated() - before
        return measure.Sample(seconds, seconds, peak / 1e6)

    return sample


def _status(field: str) -> int:
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(field))


def main() -> None:
    """Runs the parts that are asked for and writes what they found."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--only",
        nargs="+",
        choices=["speed", "small", "memory", "cuda"],
        default=["speed", "small", "memory"],
    )
    parser.add_argument("--tokens", nargs="+", type=int, default=[1024, 8192])
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--peak-of", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peak_of:
        peak_of(options.peak_of, options.tokens[0])
        return
    if "speed" in options.only and "MALLOC_TRIM_THRESHOLD_" not in os.environ:
        # gradients larger than what `keep_heap` can keep: the kernel would clear their pages in every round
        kept = {"MALLOC_MMAP_THRESHOLD_": str(1 << 32), "MALLOC_TRIM_THRESHOLD_": str(1 << 32)}
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | kept)
    measure.keep_heap()
    rows: list[measure.Row] = []
    if "speed" in options.only:
        for tokens in options.tokens:
            for threads in options.threads:
                rows += speed(tokens, threads, options.runs if tokens <= 1024 else 3)
                measure.record(rows)
    if "small" in options.only:
        rows += small_batches(options.runs)
        measure.record(rows)
    if "cuda" in options.only:
        if not torch.cuda.is_available():
            parser.error("--only cuda needs a CUDA device, and torch sees none")
        rows += cuda(options.runs)
        measure.record(rows)
    print(measure.table(rows))
    if "memory" in options.only:
        memory(1024)


if __name__ == "__main__":
    main()
