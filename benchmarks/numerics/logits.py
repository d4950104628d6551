"""Peers and kullback on logits: values and gradients."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch.distributions import Categorical, kl_divergence

import kullback as kb
import measure
from numerics import truth
from numerics.scoring import Case, Function, Score, Scores, Section, scored


def peer_kl_logits(a: torch.Tensor, b: torch.Tensor) -> float:
    p, q = F.log_softmax(a, -1), F.log_softmax(b, -1)
    return F.kl_div(q, p, reduction="sum", log_target=True).item()


def peer_categorical_logits(a: torch.Tensor, b: torch.Tensor) -> float:
    return kl_divergence(Categorical(logits=a), Categorical(logits=b)).item()


def logit_draws(
    classes: int, scale: float, noise: float, draws: int, dtype: torch.dtype
) -> Iterator[tuple[Any, Any]]:
    rng = np.random.default_rng([classes, draws])
    for _ in range(draws):
        a = scale * rng.standard_normal(classes)
        b = a + noise * rng.standard_normal(classes)
        yield torch.tensor(a, dtype=dtype), torch.tensor(b, dtype=dtype)


def peaked_draws(classes: int, reach: int, draws: int) -> Iterator[tuple[Any, Any]]:
    """Three classes near the top, apart by about 1; the others anywhere down to minus the top."""
    rng = np.random.default_rng([classes, reach])
    for _ in range(draws):
        a = reach * rng.uniform(-1.0, 1.0, classes)
        a[:3] = reach + rng.standard_normal(3)
        b = a + rng.standard_normal(classes)
        yield torch.tensor(a, dtype=torch.float32), torch.tensor(b, dtype=torch.float32)


def of_logits(function: Callable[[Any, Any], Any], a: torch.Tensor, b: torch.Tensor) -> Any:
    return function(truth.softmax(a.double().numpy()), truth.softmax(b.double().numpy()))


def logit_cases(noises: Sequence[float]) -> list[Case]:
    cases: list[Case] = []
    for classes, draws in ((10, 40), (4000, 8)):
        for noise in noises:
            drawn = logit_draws(classes, 3.0, noise, draws, torch.float32)
            cases.append((f"{classes} classes, noise {noise:.0e}", list(drawn)))
    cases += [
        (f"50 classes, logits to ±{reach}", list(peaked_draws(50, reach, 20))) for reach in (150, 10_000)
    ]
    return cases


def kullback_leibler() -> Section:
    functions: dict[str, Function] = {
        "F.kl_div": peer_kl_logits,
        "torch Categorical": peer_categorical_logits,
        "kb.kl.of_logits": lambda a, b: kb.kl.of_logits(a, b).item(),
    }
    exact = partial(of_logits, truth.kl)
    scores = scored(logit_cases((1.0, 1e-1, 1e-2, 1e-3, 1e-4)), functions, exact)
    half = [
        (f"bfloat16, 10 classes, noise {x:.0e}", list(logit_draws(10, 3.0, x, 20, torch.bfloat16)))
        for x in (1.0, 0.1)
    ]
    scores |= scored(half, functions, exact)
    note = "Student logits are the teacher's plus noise; float32 unless a row says otherwise."
    return Section("KL from logits, float32", note, scores, ("kb.kl.of_logits",), "10 classes, noise 1e-03")


def gradient() -> Section:
    functions: dict[str, Callable[[Any, Any], Any]] = {
        "F.kl_div": lambda a, b: F.kl_div(
            F.log_softmax(b, -1), F.log_softmax(a, -1), reduction="sum", log_target=True
        ),
        "kb.kl.of_logits": kb.kl.of_logits,
    }
    scores: Scores = {}
    for case, draws in logit_cases((1.0, 1e-2, 1e-3, 1e-4)):
        measure.progress("accuracy of gradients", case)
        for a, b in draws:
            p, q = (truth.softmax(x.double().numpy()) for x in (a, b))
            true = [y - x for x, y in zip(p, q, strict=True)]
            for name, loss in functions.items():
                student = b.clone().requires_grad_()
                (got,) = torch.autograd.grad(loss(a, student), student)
                error = truth.vector_error(got.tolist(), true)
                scores.setdefault(case, {}).setdefault(name, Score()).add(
                    error, math.nan if math.isnan(error) else 0.0
                )
    note = "The gradient towards the student's logits, softmax(b) − softmax(a); relative error of the vector."
    return Section("Gradient of that KL", note, scores, ("kb.kl.of_logits",), "10 classes, noise 1e-04")


def log_mixture_js(a: torch.Tensor, b: torch.Tensor) -> float:
    """Both divergences to log m = logsumexp(log p, log q) − log 2, as distillation trainers compute it."""
    p, q = F.log_softmax(a, -1), F.log_softmax(b, -1)
    m = torch.logsumexp(torch.stack([p, q]), 0) - math.log(2.0)
    return 0.5 * sum(F.kl_div(m, x, reduction="sum", log_target=True).item() for x in (p, q))


def entropy_js(a: torch.Tensor, b: torch.Tensor) -> float:
    """H(m) − (H(p) + H(q))/2, the form of fused kernels."""
    x, y = F.log_softmax(a, -1), F.log_softmax(b, -1)
    p, q = x.exp(), y.exp()
    m = 0.5 * (p + q)
    return (0.5 * (p * x + q * y) - m * m.log()).sum().item()


def jensen_shannon() -> Section:
    functions: dict[str, Function] = {
        "log-mixture form": log_mixture_js,
        "entropy form": entropy_js,
        "kb.js.of_logits": lambda a, b: kb.js.of_logits(a, b).item(),
    }
    cases = logit_cases((1.0, 1e-2, 1e-3, 1e-4))
    note = (
        "Peers here are the two ways in which training code writes it: the log-mixture by logsumexp, and the "
        "difference of entropies. Relative error, largest / median."
    )
    scores = scored(cases, functions, partial(of_logits, truth.js))
    return Section("JS from logits, float32", note, scores, ("kb.js.of_logits",), "10 classes, noise 1e-04")
