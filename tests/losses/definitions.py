"""What every loss should be: textbook definitions in plain torch, without the library, differentiated by tape."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

import kullback as kb
from kullback.divergences.combination import Combination
from kullback.divergences.jensen_shannon import SkewJensenShannon
from kullback.divergences.power import Alpha
from kullback.divergences.renyi import Renyi
from problems.listed import USERS

Generator = Callable[[Tensor], Tensor]
OnMasses = Callable[[Tensor, Tensor], Tensor]

# f(t) as textbooks have it, none of them centred.
NAMED: dict[Any, Generator] = {
    kb.kl: lambda t: t * t.log(),
    kb.reverse_kl: lambda t: -t.log(),
    kb.jeffreys: lambda t: (t - 1) * t.log(),
    kb.js: lambda t: 0.5 * (t * t.log() - (t + 1) * ((t + 1) / 2).log()),
    kb.gan: lambda t: t * t.log() - (t + 1) * (t + 1).log() + 2 * math.log(2),
    kb.squared_hellinger: lambda t: (t.sqrt() - 1) ** 2,
    kb.total_variation: lambda t: (t - 1).abs() / 2,
    kb.pearson_chi2: lambda t: (t - 1) ** 2,
    kb.neyman_chi2: lambda t: (t - 1) ** 2 / t,
    kb.le_cam: lambda t: (1 - t) / (1 + t),
}
MADE: dict[str, Generator] = {
    "steep": lambda t: t**3 - 1,
    "halved_le_cam": lambda t: (t - 1) ** 2 / (4 * t + 4),
    "inverse": lambda t: 1 / t - 1,
    "kink": lambda t: 0.75 * (t - 1).abs(),
}


def generator(d: Any) -> Generator:
    """f of a divergence; `LookupError` for one that nobody has written down here."""
    if d in NAMED:
        return NAMED[d]
    if isinstance(d, Alpha):
        a = d.a  # tᵃ − a t + a − 1, sorted so that orders next to 1 keep their digits
        return lambda t: (t * ((a - 1) * t.log()).expm1() / (a - 1) - (t - 1)) / a
    if isinstance(d, SkewJensenShannon):
        b = d.beta
        return lambda t: b * t * t.log() - (b * t + 1 - b) * (b * t + 1 - b).log()
    if isinstance(d, Combination):
        parts = [(w, generator(part)) for w, part in d.parts]
        return lambda t: sum((w * f(t) for w, f in parts), torch.zeros_like(t))
    if d in USERS:
        return MADE[d.label]
    raise LookupError(f"{d!r} is listed without a definition: add its f(t) to losses/definitions.py")


def renyi(order: float) -> OnMasses:
    if order == 0:
        return lambda p, q: -(-(q * (p == 0)).sum(-1)).log1p() + 0 * p.sum(-1)
    if order == 1:
        return lambda p, q: (p * (p / q).log()).sum(-1)
    if math.isinf(order):
        return lambda p, q: (p / q).log().amax(-1)
    return lambda p, q: (p**order * q ** (1 - order)).sum(-1).log() / (order - 1)


def chernoff(p: Tensor, q: Tensor) -> Tensor:
    """Minus the logarithm of the smallest affinity, whose order is where its slope changes sign."""
    r = (p / q).log()

    def log_affinity(a: Tensor) -> Tensor:
        return (p**a * q ** (1 - a)).sum(-1, keepdim=True).log()

    with torch.no_grad():
        low, high = torch.zeros_like(p[..., :1]), torch.ones_like(p[..., :1])
        for _ in range(52):
            a = (low + high) / 2
            falls = (p**a * q ** (1 - a) * r).sum(-1, keepdim=True) < 0
            low, high = torch.where(falls, a, low), torch.where(falls, high, a)
    return -log_affinity(low)[..., 0]


RELATIVES: dict[Any, OnMasses] = {
    kb.cauchy_schwarz: lambda p, q: -((p * q).sum(-1) ** 2 / ((p * p).sum(-1) * (q * q).sum(-1))).log(),
    kb.chernoff: chernoff,
    kb.bhattacharyya: lambda p, q: -(p * q).sqrt().sum(-1).log(),
    kb.squared_l2: lambda p, q: ((p - q) ** 2).sum(-1),
}


def on_masses(d: Any) -> OnMasses:
    """Σ q f(p/q) over the last axis, or a relative's own formula."""
    if d in RELATIVES:
        return RELATIVES[d]
    if isinstance(d, Renyi):
        return renyi(d.order)
    f = generator(d)
    return lambda p, q: (q * f(p / q)).sum(-1)


def truth(d: Any, student: Tensor, teacher: Tensor, *, temperature: float = 1.0) -> Tensor:
    """D(teacher‖student) of every row, in float64 and with the tape; every logit finite."""
    p, q = ((z.double() / temperature).softmax(-1) for z in (teacher, student))
    return on_masses(d)(p, q)


def leaves(*tensors: Tensor) -> list[Tensor]:
    """Copies that ask for a gradient."""
    return [x.detach().clone().requires_grad_() for x in tensors]


def wide(*tensors: Tensor) -> list[Tensor]:
    """The same numbers in float64, asking for a gradient."""
    return leaves(*(x.double() for x in tensors))


def gradients(value: Tensor, inputs: Iterable[Tensor]) -> list[Tensor]:
    return list(torch.autograd.grad(value, list(inputs), materialize_grads=True))


def relative(got: Tensor, true: Tensor) -> float:
    """‖got − true‖ / ‖true‖ in L2."""
    got, true = got.detach().double(), true.detach().double()
    return float((got - true).norm() / true.norm())


def logits(
    rng: torch.Generator,
    shape: tuple[int, ...],
    delta: float,
    *,
    spread: float = 0.7,
    dtype: torch.dtype = torch.float32,
) -> tuple[Tensor, Tensor]:
    """Student and teacher, each logit `delta` apart up or down, so that no ratio is 1 where a slope has a jump."""
    student = spread * torch.randn(shape, generator=rng, dtype=torch.float64)
    size = 0.75 + 0.5 * torch.rand(shape, generator=rng, dtype=torch.float64)
    sign = torch.randint(2, shape, generator=rng) * 2.0 - 1.0
    teacher = student + delta * size * sign
    return student.to(dtype), teacher.to(dtype)


def dyadic(rng: torch.Generator, *shape: int, size: int = 24, step: float = 2.0**-4) -> Tensor:
    """Multiples of a power of 2, whose sums of products are exact in single precision."""
    return torch.randint(-size, size + 1, shape, generator=rng).to(torch.float32) * step
