"""Speed of divergences on arrays: from logits with gradients in torch, on long vectors in NumPy, on short ones.

    python benchmarks/discrete.py [--only logits vectors short] [--runs 9]

Prints a table and writes results.csv. A ratio is CPU time over the baseline's; one thread.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import scipy.special
import scipy.stats
import torch
import torch.nn.functional as F
from torch import Tensor

import kullback as kb
import measure

SHAPE = (64, 32000)
LONG, SHORT = 1_000_000, 10
PEER = "F.kl_div"
COMPILED, EAGER, VECTORS = 1.0, 2.5, 3.0  # goals: largest ratio to the peer
SETTING = measure.Setting("discrete.py", 1, ("kullback", "numpy", "scipy", "torch"))

Loss = Callable[[Tensor, Tensor], Tensor]
Samplers = dict[str, Callable[[], measure.Sample]]


def logit_pairs() -> Iterator[tuple[str, Tensor, Tensor]]:
    """Teacher and student logits: nearly equal, unrelated, and peaked as a language model's are."""
    generator = torch.Generator().manual_seed(0)
    for name, scale, noise in (("near-equal, noise .1", 1.0, 0.1), ("LLM-like, scale 4, noise 1", 4.0, 1.0)):
        teacher = scale * torch.randn(SHAPE, generator=generator)
        yield name, teacher, teacher + noise * torch.randn(SHAPE, generator=generator)
    yield "independent", torch.randn(SHAPE, generator=generator), torch.randn(SHAPE, generator=generator)


def peer_loss(teacher: Tensor, student: Tensor) -> Tensor:
    p, q = F.log_softmax(teacher, -1), F.log_softmax(student, -1)
    return F.kl_div(q, p, reduction="batchmean", log_target=True)


def our_loss(d: kb.FDivergence) -> Loss:
    return lambda teacher, student: d.of_logits(teacher, student).mean()


def forward_backward(loss: Loss, teacher: Tensor, student: Tensor) -> Callable[[], object]:
    wanted = [x for x in (teacher, student) if x.requires_grad]
    return lambda: torch.autograd.grad(loss(teacher, student), wanted)


def compiled(loss: Loss) -> Any:
    torch._dynamo.reset()  # one cache for all of them would run into its limit of recompilations
    return torch.compile(loss, fullgraph=True, dynamic=False)


def traffic(teacher: Tensor, student: Tensor) -> Callable[[], object]:
    """The least that memory has to move: both inputs in, each wanted gradient out."""
    outs = [torch.empty_like(x) for x in (teacher, student) if x.requires_grad]
    a, b = teacher.detach(), student.detach()
    return lambda: [torch.add(a, b, out=out) if i == 0 else out.fill_(0.0) for i, out in enumerate(outs)]


def arithmetic(rows: int, width: int) -> Callable[[], object]:
    """The least work in cache: two exponentials an element, and twelve multiply-adds as six passes over a row."""
    x, y = torch.randn(width), torch.empty(width)

    def work() -> None:
        for _ in range(rows):
            torch.exp(x, out=y)
            torch.exp(x, out=y)
            for _ in range(6):
                torch.addcmul(x, x, x, out=y)

    return work


def logits(runs: int) -> Iterator[measure.Row]:
    torch.set_num_threads(1)
    for name, teacher, student in logit_pairs():
        for both in (False, True):
            pair = teacher.clone().requires_grad_(both), student.clone().requires_grad_()
            shape = "x".join(map(str, SHAPE))
            task = f"logits {shape} float32, {name}, gradient to {'both' if both else 'q'}"
            yield from logit_rows(task, *pair, runs, everything=not both)


def logit_rows(
    task: str, teacher: Tensor, student: Tensor, runs: int, *, everything: bool
) -> Iterator[measure.Row]:
    measure.progress("compiling, some seconds a function")
    chosen = list(kb.catalogue()) if everything else [kb.kl, kb.js, kb.alpha(0.5)]
    losses: dict[str, Loss] = {PEER: peer_loss, f"{PEER} compiled": compiled(peer_loss)}
    for d in chosen:
        losses[d.name] = our_loss(d)
    for d in (kb.kl, kb.js, kb.alpha(0.5)):
        losses[f"{d.name} compiled"] = compiled(our_loss(d))
    samplers: Samplers = {}
    for name, loss in losses.items():
        samplers[name] = measure.timed(forward_backward(loss, teacher, student))
    samplers["floor: memory traffic"] = measure.timed(traffic(teacher, student))
    samplers["floor: arithmetic"] = measure.timed(arithmetic(*SHAPE))
    taken = measure.alternate(samplers, runs=runs, task=task)
    for name in losses:
        if name != PEER:
            goal = COMPILED if name == "kl compiled" else EAGER if name == "kl" else None
            yield measure.compared(SETTING, task, taken, candidate=name, baseline=PEER, goal=goal)
    yield measure.compared(SETTING, task, taken, candidate="kl compiled", baseline=f"{PEER} compiled")
    for floor in ("floor: memory traffic", "floor: arithmetic"):
        for name in ("kl", "kl compiled", PEER):
            yield measure.compared(SETTING, task, taken, candidate=name, baseline=floor)


def vector_pairs(n: int) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(n))
    yield "independent Dirichlet(1)", p, rng.dirichlet(np.ones(n))
    q = p * (1.0 + 1e-3 * rng.standard_normal(n))
    yield "near-equal, noise 1e-3", p, q / q.sum()


def logarithms(p: np.ndarray) -> Callable[[], object]:
    """The least work on two vectors: one logarithm an element, in blocks that stay in cache."""
    block = np.ascontiguousarray(p[: 1 << 15])
    out = np.empty_like(block)
    repeats = -(-p.size // block.size)
    return lambda: [np.log(block, out=out) for _ in range(repeats)]


def rel_entr_sum(p: np.ndarray, q: np.ndarray) -> float:
    return scipy.special.rel_entr(p, q).sum()


def vectors(runs: int) -> Iterator[measure.Row]:
    peer = "scipy rel_entr sum"
    for name, p, q in vector_pairs(LONG):
        task = f"NumPy vectors, n = 1e6 float64, {name}"
        calls: dict[str, Callable[[], object]] = {
            peer: partial(rel_entr_sum, p, q),
            "scipy.stats.entropy": partial(scipy.stats.entropy, p, q),
            "floor: one logarithm": logarithms(p),
            "kl, normalize=True": partial(kb.kl, p, q, normalize=True),
            "kl.of_logits": partial(kb.kl.of_logits, np.log(p), np.log(q)),
            **{d.name: partial(d, p, q) for d in kb.catalogue()},
        }
        samplers = {name: measure.timed(call) for name, call in calls.items()}
        taken = measure.alternate(samplers, runs=runs, task=task)
        others = ("kl, normalize=True", "kl.of_logits", "scipy.stats.entropy")
        for candidate in (*(d.name for d in kb.catalogue()), *others):
            goal = VECTORS if candidate == "kl" else None
            yield measure.compared(SETTING, task, taken, candidate=candidate, baseline=peer, goal=goal)
        for baseline in ("scipy.stats.entropy", "floor: one logarithm"):
            yield measure.compared(SETTING, task, taken, candidate="kl", baseline=baseline)


def short(runs: int) -> Iterator[measure.Row]:
    """What a call costs before any arithmetic: checks, dispatch, shapes."""
    (_, p, q), *_ = vector_pairs(SHORT)
    a, b = torch.log(torch.tensor(p)), torch.log(torch.tensor(q))
    numpy_peer, torch_peer = "scipy.stats.entropy", f"{PEER} on logits"
    calls: dict[str, Callable[[], object]] = {
        numpy_peer: partial(scipy.stats.entropy, p, q),
        "scipy rel_entr sum": partial(rel_entr_sum, p, q),
        "kl": partial(kb.kl, p, q),
        "kl, validate=False": partial(kb.kl, p, q, validate=False),
        "kl of lists": partial(kb.kl, p.tolist(), q.tolist()),
        "js": partial(kb.js, p, q),
        "kl.of_logits": partial(kb.kl.of_logits, np.log(p), np.log(q)),
        torch_peer: partial(peer_loss, a[None], b[None]),
        "kl.of_logits, torch": partial(kb.kl.of_logits, a, b),
    }
    task = "short vectors, n = 10 float64: cost of a call"
    taken = measure.alternate(
        {name: measure.timed(call) for name, call in calls.items()}, runs=runs, task=task
    )
    for baseline in (numpy_peer, "scipy rel_entr sum"):
        for candidate in ("kl", "kl, validate=False", "kl of lists", "js", "kl.of_logits"):
            yield measure.compared(SETTING, task, taken, candidate=candidate, baseline=baseline)
    yield measure.compared(SETTING, task, taken, candidate="kl.of_logits, torch", baseline=torch_peer)


SECTIONS = {"logits": logits, "vectors": vectors, "short": short}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=list(SECTIONS), help="sections to run")
    parser.add_argument("--runs", type=int, default=9, help="alternating rounds of each task")
    arguments = parser.parse_args()
    measure.keep_heap()
    for section in arguments.only:
        rows = list(SECTIONS[section](arguments.runs))
        print(measure.table(rows), flush=True)
        measure.record(rows)


if __name__ == "__main__":
    main()
