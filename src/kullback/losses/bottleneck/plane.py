"""The information bottleneck of a discrete joint law: the self-consistent iteration, and its curve in the plane."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from itertools import combinations

import torch
from torch import Tensor

from kullback.divergences import kl
from kullback.errors import ConvergenceError, InvalidInputError, ShapeError
from kullback.losses.bottleneck.checks import check_number
from kullback.losses.bottleneck.rate import masses


@dataclass(frozen=True)
class Point:
    """A code of a discrete joint law and where it lies in the information plane; informations in nats.

    `complexity` is I(X;T), `relevance` I(T;Y), `length` H(T), `encoder` q(t|x) of shape (inputs, values), `residual`
    the most that the last step changed an entry of it.
    """

    beta: float
    alpha: float
    encoder: Tensor
    complexity: float
    relevance: float
    length: float
    residual: float
    steps: int

    @property
    def cost(self) -> float:
        """H(T) − α H(T|X): I(X;T) at α = 1, H(T) at 0."""
        return (1.0 - self.alpha) * self.length + self.alpha * self.complexity

    @property
    def lagrangian(self) -> float:
        """H(T) − α H(T|X) − β I(T;Y), which the iteration brings down."""
        return self.cost - self.beta * self.relevance


@dataclass(frozen=True)
class Curve:
    """Points of one joint law, by increasing β."""

    points: tuple[Point, ...]

    @property
    def complexity(self) -> Tensor:
        """I(X;T) of each point, in nats."""
        return torch.tensor([p.complexity for p in self.points], dtype=torch.float64)

    @property
    def relevance(self) -> Tensor:
        """I(T;Y) of each point, in nats."""
        return torch.tensor([p.relevance for p in self.points], dtype=torch.float64)

    @property
    def defect(self) -> float:
        """How far, in nats of I(T;Y), the worst point lies below what the origin and the others show to be possible.

        Over H(T) − α H(T|X) the minima of the Lagrangian lie on a curve that is concave and never falls: 0 up to
        rounding says that nothing here contradicts it, a larger number that a point is only a local minimum.
        """
        cost = torch.tensor([p.cost for p in self.points], dtype=torch.float64)
        x, y = (torch.cat([z.new_zeros(1), z]) for z in (cost, self.relevance))
        highest = torch.where(x[None] <= x[:, None], y[None], -math.inf).amax(1)
        left, right = x[:, None], x[None]
        wide = right > left
        share = (x[:, None, None] - left) / torch.where(wide, right - left, 1.0)
        chord = (1.0 - share) * y[:, None] + share * y[None]
        inside = wide & (share >= 0) & (share <= 1)
        return float((torch.where(inside, chord, -math.inf).amax((1, 2)).maximum(highest) - y).amax())


def information_bottleneck(
    joint: Tensor,
    *,
    beta: float,
    alpha: float = 1.0,
    start: Tensor | None = None,
    tolerance: float = 1e-9,
    steps: int = 100_000,
) -> Point:
    r"""A code of X that is as short and as telling of Y as the trade-off β asks: a local optimum near `start`.

    $$\min_{q(t|x)} H(T) - \alpha H(T|X) - \beta I(T;Y), \qquad
    q(t|x) \propto \left[q(t)\, e^{-\beta\, KL(p(y|x) \| q(y|t))}\right]^{1/\alpha}$$

    `joint` (inputs, outcomes) are the masses of X and Y. `alpha` = 1 is the information bottleneck I(X;T) − β I(T;Y), 0
    the deterministic one H(T) − β I(T;Y), whose codes give each input one value. `start` (inputs, values) is an encoder
    to begin with; `None` gives each input a value of its own. A step never raises the Lagrangian, but the problem is
    not convex: `sweep` anneals. As β → 0, and below the first threshold, which is at least 1, the code tells nothing;
    as β → ∞ it keeps all of I(X;Y). The iteration ends when no entry of q changes by more than `tolerance`; at a
    threshold, where a value joins the code, that is slow.

    Raises `ConvergenceError` after `steps`, `InvalidInputError`, `ShapeError`. Source: [tishby1999], [strouse2017].

    >>> import torch
    >>> channel = torch.tensor([[0.4, 0.1], [0.1, 0.4]])
    >>> point = information_bottleneck(channel, beta=1e4)
    >>> round(point.relevance, 4)  # log 2 − h(0.2)
    0.1927
    """
    check_number("beta", beta)
    if isinstance(alpha, bool) or not 0 <= alpha <= 1:
        raise InvalidInputError(f"`alpha` is {alpha!r}; expected a number from 0 (H(T)) to 1 (I(X;T))")
    p = masses("joint", joint, 2)
    encoder = torch.eye(len(p)) if start is None else torch.as_tensor(start)
    encoder = encoder.detach().to("cpu", torch.float64)
    if encoder.ndim != 2 or len(encoder) != len(p):
        raise ShapeError(f"`start` has shape {tuple(encoder.shape)}; expected ({len(p)}, values)")
    if not bool((encoder >= 0).all()) or not bool(((encoder.sum(1) - 1.0).abs() < 1e-6).all()):
        raise InvalidInputError(
            "`start` has a row that is no probability vector; expected q(t|x) in the rows"
        )
    law, residual = _Law.of(p), math.inf
    for step in range(1, steps + 1):
        before, encoder = encoder, law.stepped(encoder, beta, alpha)
        residual = float((encoder - before).abs().max())
        if residual <= tolerance:
            return Point(beta, alpha, encoder, *law.told(encoder), residual, step)
    raise ConvergenceError(
        f"after {steps} steps at beta {beta:g} the encoder still moves by {residual:.2g}, more than `tolerance` "
        f"{tolerance:.2g}; allow more of either, or a beta farther from the threshold that is near"
    )


def sweep(
    joint: Tensor,
    betas: Iterable[float],
    *,
    alpha: float = 1.0,
    tolerance: float = 1e-9,
    steps: int = 100_000,
) -> Curve:
    r"""The information curve of a discrete joint law: `information_bottleneck` at many β, annealed.

    It begins at the largest β, where the best code is known to give each input its own value, and takes each solution
    as the start of the next smaller β, once values of the code whose union is better have been joined; then every β for
    which another's code is better starts again from that. Random starts end in worse optima. On the curve of α = 1 the
    slope of I(T;Y) over I(X;T) is 1/β; `Curve.defect` says whether the points contradict what the curve must be.
    Arguments and errors as in `information_bottleneck`, `betas` in any order. Source: [tishby1999], [gilad2003].

    >>> import torch
    >>> curve = sweep(torch.tensor([[0.4, 0.1], [0.1, 0.4]]), [2.0, 1e4])
    >>> [round(float(x), 4) for x in curve.relevance]  # nothing below β = 1/0.6²
    [0.0, 0.1927]
    """
    wanted = sorted(set(betas))
    if not wanted:
        raise InvalidInputError("`betas` is empty; give at least one trade-off")
    solve = partial(information_bottleneck, joint, alpha=alpha, tolerance=tolerance, steps=steps)
    law = _Law.of(masses("joint", joint, 2))
    found: list[Point] = []
    start = None
    for beta in reversed(wanted):
        point = solve(beta=beta, start=start)
        start = law.merged(point.encoder, beta, alpha)
        found.insert(0, point if start is point.encoder else solve(beta=beta, start=start))
    encoders = [point.encoder for point in found]
    for i, point in enumerate(found):
        others = [law.lagrangian(encoder, point.beta, alpha) for encoder in encoders]
        best = min(range(len(others)), key=others.__getitem__)
        if others[best] < others[i] - tolerance:
            found[i] = solve(beta=point.beta, start=encoders[best])
    return Curve(tuple(found))


@dataclass(frozen=True)
class _Law:
    """Masses of the inputs, and the law of Y for each of them; for an input that does not occur, that of all."""

    p: Tensor
    outcomes: Tensor

    @classmethod
    def of(cls, joint: Tensor) -> _Law:
        p, target = joint.sum(1), joint.sum(0)
        occurs = p > 0
        return cls(p, torch.where(occurs[:, None], joint / torch.where(occurs, p, 1.0)[:, None], target))

    def parts(self, encoder: Tensor) -> tuple[Tensor, Tensor]:
        """q(t), and q(y|t) in rows; of a value without mass, the law of Y."""
        weights = self.p[:, None] * encoder
        code = weights.sum(0)
        weights = torch.where(code > 0, weights, self.p[:, None])
        return code, (weights / weights.sum(0)).T @ self.outcomes

    def stepped(self, encoder: Tensor, beta: float, alpha: float) -> Tensor:
        """The next encoder."""
        code, decoder = self.parts(encoder)
        # KL(p(y|x)‖q(y|t)) without the entropy of p(y|x), which no value of the code changes
        crossed = torch.xlogy(self.outcomes[:, None], decoder).sum(-1)
        score = code.log() + beta * crossed
        if alpha == 0:
            return torch.nn.functional.one_hot(score.argmax(1), score.shape[1]).to(score.dtype)
        return (score / alpha).softmax(1)

    def told(self, encoder: Tensor) -> tuple[float, float, float]:
        """I(X;T), I(T;Y) and H(T)."""
        code, decoder = self.parts(encoder)
        of_x = self.p @ kl(encoder, code.expand_as(encoder), validate=False)
        of_y = code @ kl(decoder, (self.p @ self.outcomes).expand_as(decoder), validate=False)
        return float(of_x), float(of_y), float(kl.entropy(code / code.sum()))

    def lagrangian(self, encoder: Tensor, beta: float, alpha: float) -> float:
        """What the iteration brings down, up to β H(Y), quickly."""
        code, decoder = self.parts(encoder)
        kept = alpha * self.p @ torch.xlogy(encoder, encoder).sum(1) - torch.xlogy(code, code).sum()
        return float(kept - beta * (code @ torch.xlogy(decoder, decoder).sum(1)))

    def merged(self, encoder: Tensor, beta: float, alpha: float) -> Tensor:
        """The encoder with values joined as long as that brings the Lagrangian down, which no small step can do."""
        least = self.lagrangian(encoder, beta, alpha)
        while True:
            used = torch.nonzero(self.p @ encoder)[:, 0].tolist()
            tried = {pair: _joined(encoder, *pair) for pair in combinations(used, 2)}
            values = {pair: self.lagrangian(e, beta, alpha) for pair, e in tried.items()}
            if not values or min(values.values()) >= least - 1e-12:
                return encoder
            pair = min(values, key=values.__getitem__)
            encoder, least = tried[pair], values[pair]


def _joined(encoder: Tensor, kept: int, gone: int) -> Tensor:
    joined = encoder.clone()
    joined[:, kept] += joined[:, gone]
    joined[:, gone] = 0.0
    return joined
