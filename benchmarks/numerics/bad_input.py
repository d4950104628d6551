"""What each function does with input that has no answer, or a known one; every cell is run."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import mpmath as mp
import numpy as np
import scipy.special
import scipy.stats
import torch
import torch.nn.functional as F
from scipy.spatial.distance import jensenshannon
from torch.distributions import Categorical, kl_divergence

import kullback as kb
from numerics import truth
from numerics.scoring import cells

INPUTS: dict[str, tuple[Any, Any]] = {
    "negative mass": ([-0.2, 1.2], [0.5, 0.5]),
    "NaN": ([math.nan, 1.0], [0.5, 0.5]),
    "infinite mass": ([math.inf, 1.0], [0.5, 0.5]),
    "no category": ([], []),
    "no mass": ([0.0, 0.0], [0.5, 0.5]),
    "masses sum to 0.6": ([0.5, 0.5], [0.3, 0.3]),
    "3 categories against 1": ([0.2, 0.3, 0.5], [1.0]),
    "3 categories against 2": ([0.2, 0.3, 0.5], [0.5, 0.5]),
    "float16 counts 40 000, 40 000": (np.array([4e4, 4e4], np.float16), np.array([1.0, 3.0], np.float16)),
    "complex": ([0.5 + 0j, 0.5], [0.5, 0.5]),
}


def _on_torch(function: Callable[..., Any], p: Any, q: Any) -> Any:
    return function(torch.as_tensor(np.asarray(p)), torch.as_tensor(np.asarray(q))).item()


FUNCTIONS: dict[str, Callable[[Any, Any], Any]] = {
    "scipy.stats.entropy": scipy.stats.entropy,
    "scipy rel_entr": lambda p, q: scipy.special.rel_entr(p, q).sum(),
    "scipy jensenshannon": jensenshannon,
    "torch F.kl_div": partial(_on_torch, lambda p, q: F.kl_div(q.log(), p, reduction="sum")),
    "torch Categorical": partial(_on_torch, lambda p, q: kl_divergence(Categorical(p), Categorical(q))),
    "kb.kl": kb.kl,
}


def answer(call: Callable[[], Any]) -> tuple[str, str]:
    """What a call gives, or the name of what it raises; and the message."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            got = call()
        except (ValueError, TypeError, RuntimeError) as error:
            return type(error).__name__, str(error).splitlines()[0]
    return shown(got), ""


def shown(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(shown(v) for v in value) + "]"
    return str(mp.nstr(value, 5)) if isinstance(value, mp.mpf) else f"{complex(value).real:.5g}"


def refusals() -> str:
    """Bad input: six functions side by side, and the library's message."""
    lines = [
        "### Input that has no answer",
        "",
        "What comes back, or what is raised. A number is what the caller would have gone on with.",
        "",
        cells("input", *FUNCTIONS),
        cells(*["---"] * (1 + len(FUNCTIONS))),
    ]
    messages = ["", "kullback's messages:", ""]
    for name, (p, q) in INPUTS.items():
        found = {peer: answer(partial(function, p, q)) for peer, function in FUNCTIONS.items()}
        lines.append(cells(name, *(result for result, _ in found.values())))
        messages.append(f"- {name}: {found['kb.kl'][1] or 'computed: ' + found['kb.kl'][0]}")
    return "\n".join(lines + messages)


def _masked(function: Callable[..., torch.Tensor]) -> list[float]:
    """The value and the student's gradient where both mask one class."""
    teacher = torch.tensor([1.0, -math.inf, 0.0], dtype=torch.float64)
    student = torch.tensor([0.5, -math.inf, 0.1], dtype=torch.float64, requires_grad=True)
    value = function(teacher, student)
    (gradient,) = torch.autograd.grad(value, student)
    return [value.item(), *gradient.tolist()]


def _masked_truth() -> list[Any]:
    p, q = truth.softmax([1.0, -math.inf, 0.0]), truth.softmax([0.5, -math.inf, 0.1])
    return [truth.kl(p, q), *(y - x for x, y in zip(p, q, strict=True))]


def _peer_logits(a: torch.Tensor, b: torch.Tensor, reduction: str = "sum") -> torch.Tensor:
    return F.kl_div(F.log_softmax(b, -1), F.log_softmax(a, -1), reduction=reduction, log_target=True)


def _masses(exact: Callable[[Any, Any], Any], p: Any, q: Any) -> Any:
    return exact(truth.normalised(p), truth.normalised(q))


def _js_distance(p: Any, q: Any) -> float:
    return math.sqrt(kb.js(np.asarray(p), np.asarray(q), normalize=True))


HALF = float(np.nextafter(0.5, 0.0))
MIRRORED = ([HALF, 1 - HALF], [1 - HALF, HALF])
UNDERFLOW = ([0.0, 1.0], [5e-324, 1.0])
PROPORTIONAL = (np.array([0.027501475, 0.055202297], "f4"), np.array([0.027537677, 0.055334348], "f4"))
RARE = ([0.3, 0.7], [1e-30, 1.0])
FAR = (torch.tensor([1e4, -1e4, 0.0]), torch.tensor([-1e4, 1e4, 0.0]))
BATCH = torch.tensor([[[0.0, 1.0, 3.0]] * 3] * 2), torch.tensor([[[1.0, 0.0, 0.5]] * 3] * 2)

# what was asked, the exact answer, who answers, its call, and ours
KNOWN: list[tuple[str, Callable[[], Any], str, Callable[[], Any], Callable[[], Any]]] = [
    (
        "JS distance of masses one bit from ½ (scipy#20779)",
        lambda: mp.sqrt(_masses(truth.js, *MIRRORED)),
        "jensenshannon",
        lambda: jensenshannon(*MIRRORED),
        lambda: _js_distance(*MIRRORED),
    ),
    (
        "JS distance of nearly proportional float32 masses (scipy#20083)",
        lambda: mp.sqrt(_masses(truth.js, *PROPORTIONAL)),
        "jensenshannon",
        lambda: jensenshannon(*PROPORTIONAL),
        lambda: _js_distance(*PROPORTIONAL),
    ),
    (
        "JS distance of [0, 1] and [5e-324, 1] (scipy#19436)",
        lambda: mp.sqrt(_masses(truth.js, *UNDERFLOW)),
        "jensenshannon",
        lambda: jensenshannon(*UNDERFLOW),
        lambda: _js_distance(*UNDERFLOW),
    ),
    (
        "KL of [0.3, 0.7] and [1e-30, 1]",
        lambda: _masses(truth.kl, *RARE),
        "torch Categorical",
        lambda: FUNCTIONS["torch Categorical"](*RARE),
        lambda: kb.kl(*RARE),
    ),
    (
        "KL of logits [1e4, −1e4, 0] and [−1e4, 1e4, 0]",
        lambda: truth.kl(*(truth.softmax(x.tolist()) for x in FAR)),
        "torch Categorical",
        lambda: kl_divergence(*(Categorical(logits=x) for x in FAR)),
        lambda: kb.kl.of_logits(*FAR),
    ),
    (
        "KL and gradient, one class masked by −inf in both",
        _masked_truth,
        "F.kl_div",
        lambda: _masked(_peer_logits),
        lambda: _masked(kb.kl.of_logits),
    ),
    (
        "mean KL of a token, logits of shape (2, 3, 3)",
        lambda: truth.kl(*(truth.softmax(x[0, 0].tolist()) for x in BATCH)),
        "F.kl_div, reduction='mean'",
        lambda: _peer_logits(*BATCH, reduction="mean"),
        lambda: kb.kl.of_logits(*BATCH).mean(),
    ),
    (
        "the same",
        lambda: truth.kl(*(truth.softmax(x[0, 0].tolist()) for x in BATCH)),
        "F.kl_div, reduction='batchmean'",
        lambda: _peer_logits(*BATCH, reduction="batchmean"),
        lambda: kb.kl.of_logits(*BATCH).mean(),
    ),
]


def known_answers() -> str:
    """Single inputs that users reported, or that go wrong by convention."""
    lines = [
        "### Known answers",
        "",
        "Lists are a value and its gradient.",
        "",
        cells("asked", "exact", "peer", "its answer", "kullback"),
        cells(*["---"] * 5),
    ]
    for asked, exact, peer, theirs, ours in KNOWN:
        with mp.workdps(truth.ALL_SUBNORMALS):
            true = shown(exact())
        lines.append(cells(asked, true, peer, answer(theirs)[0], answer(ours)[0]))
    return "\n".join(lines)
