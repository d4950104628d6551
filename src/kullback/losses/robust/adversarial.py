"""Doubly robust training: the worst perturbation of every example under a barrier, and the worst weights."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from kullback.divergences import FDivergence
from kullback.errors import ConvergenceError, InvalidInputError, ShapeError
from kullback.losses.batches import NonFinite
from kullback.losses.robust.worst_case import worst_case

_ENOUGH = 1e-10  # of the right side, where the conjugate gradients stop


@dataclass(frozen=True)
class Barrier:
    r"""What a perturbation δ pays for coming near the edge of the ball: $-c \log(1 - \|\delta\|_2^2 / \epsilon^2)$.

    ε is `radius` and c `strength`, in units of the loss; 0 at δ = 0 and infinite at the edge. The norm is over all of
    an example. Source: [sow2024].

    >>> import torch
    >>> round(float(Barrier(radius=2.0, strength=1.0)(torch.tensor([[3.0**0.5]]))), 6)  # log 4
    1.386294
    """

    radius: float
    strength: float

    def __post_init__(self) -> None:
        for name, x in (("radius", self.radius), ("strength", self.strength)):
            if not 0 < x < math.inf:
                raise InvalidInputError(f"`{name}` is {x!r}; expected a finite positive number")

    def __call__(self, perturbation: Tensor) -> Tensor:
        """One number an example, (n,)."""
        return -self.strength * torch.log1p(-((perturbation / self.radius) ** 2).flatten(1).sum(-1))


def worst_perturbations(
    losses: Callable[[Tensor], Tensor],
    inputs: Tensor,
    *,
    barrier: Barrier,
    steps: int = 10,
    step_size: float = 1.0,
    start: Tensor | None = None,
) -> Tensor:
    r"""Perturbations inside the ball that make each example's loss large, by gradient ascent.

    $$\delta_i \approx \arg\max_\delta\; \ell_i(x_i + \delta) - \text{barrier}(\delta), \qquad
    \delta = \epsilon\, \frac{v}{\sqrt{1 + \|v\|^2}}$$

    `losses` maps inputs (n, ...) to losses (n,), each of its own example alone. The ascent is on v, unbounded, so that
    no step leaves the ball; `steps` steps of `step_size` times the gradient towards v, from v = 0 or from the v of the
    perturbations `start`. Of the shape of the inputs, without gradient. Raises `ShapeError`, `InvalidInputError`.
    Source: [sow2024].

    >>> import torch
    >>> edge = Barrier(radius=1.0, strength=1.0)
    >>> x = torch.zeros(1, 1)
    >>> found = worst_perturbations(lambda x: 2 * x[:, 0], x, barrier=edge, steps=200, step_size=0.2)
    >>> round(float(found), 4)  # where 2 = 2 δ/(1 − δ²)
    0.618
    """
    if steps < 1 or not 0 < step_size < math.inf:
        raise InvalidInputError(
            f"{steps} steps of size {step_size!r}; expected at least one, of a positive size"
        )
    fixed = inputs.detach()
    free = torch.zeros_like(fixed) if start is None else _freed(start.detach(), barrier)
    for _ in range(steps):
        with torch.enable_grad():
            free.requires_grad_(True)
            moved = _bounded(free, barrier)
            gained = _one_each(losses(fixed + moved), fixed) - barrier(moved)
            (slope,) = torch.autograd.grad(gained.sum(), free)
        free = (free + step_size * slope).detach()
    return _bounded(free, barrier).detach()


def doubly_robust(
    d: FDivergence,
    losses: Callable[[Tensor], Tensor],
    inputs: Tensor,
    perturbations: Tensor,
    *,
    barrier: Barrier,
    radius: float | None = None,
    penalty: float | None = None,
    solves: int = 10,
    mask: Tensor | None = None,
    weight: Tensor | None = None,
    nonfinite: NonFinite = "propagate",
) -> Tensor:
    r"""The worst case over weights of the examples of their losses at their worst perturbations: DR-IRAT.

    $$\sup_p \sum_i p_i\, \ell_i(\theta, \delta_i^*(\theta)) - \lambda D_f(p \| q), \qquad
    \delta_i^*(\theta) = \arg\max_\delta\; \ell_i(\theta, \delta) - \text{barrier}(\delta)$$

    `perturbations` are those of `worst_perturbations`. What they themselves change with θ is in the gradient, by
    implicit differentiation,

    $$\frac{d\ell}{d\theta} = \partial_\theta \ell - \partial_{\theta\delta}\, \ell\; H^{-1} \partial_\delta \ell,
    \qquad H = \partial_{\delta\delta} (\ell - \text{barrier}),$$

    with H⁻¹ by at most `solves` steps of conjugate gradients; `solves=0` leaves that term out, as adversarial training
    does. `losses`, and in it the model, must be twice differentiable in the inputs, and each loss that of its own
    example alone; `d`, `radius`, `penalty` and the rest as in `worst_case`, whose `kb.kl` at a penalty is the published
    objective. The exact term needs converged perturbations: `ConvergenceError` where H is not negative along a step.
    Raises `ShapeError`, `InvalidInputError`. Source: [sow2024].

    >>> import torch, kullback as kb
    >>> edge = Barrier(radius=1.0, strength=1.0)
    >>> theta = torch.tensor(2.0, requires_grad=True)
    >>> x, best = torch.zeros(1, 1), torch.tensor([[(5**0.5 - 1) / 2]])
    >>> doubly_robust(kb.kl, lambda x: theta * x[:, 0], x, best, barrier=edge, penalty=1.0).backward()
    >>> round(float(theta.grad), 4)  # d/dθ of θδ*, δ* = (√(1 + θ²) − 1)/θ
    0.8944
    """
    if perturbations.shape != inputs.shape:
        raise ShapeError(
            f"`perturbations` has shape {tuple(perturbations.shape)} and `inputs` {tuple(inputs.shape)}; expected the "
            "same"
        )
    if solves < 0:
        raise InvalidInputError(f"`solves` is {solves}; expected a number of steps, or 0")
    moved = perturbations.detach()
    at = losses(inputs + moved) if solves == 0 else _with_response(losses, inputs, moved, barrier, solves)
    return worst_case(
        d,
        _one_each(at, inputs),
        radius=radius,
        penalty=penalty,
        mask=mask,
        weight=weight,
        nonfinite=nonfinite,
    )


def _with_response(
    losses: Callable[[Tensor], Tensor], inputs: Tensor, moved: Tensor, barrier: Barrier, solves: int
) -> Tensor:
    """The losses, with a gradient that contains what the perturbations' own change does."""
    moved = moved.requires_grad_(True)
    at = _one_each(losses(inputs + moved), inputs)
    (push,) = torch.autograd.grad(at.sum(), moved, create_graph=True)
    (brake,) = torch.autograd.grad(barrier(moved).sum(), moved, create_graph=True)

    def curvature(x: Tensor) -> Tensor:
        """−H x, example by example."""
        (product,) = torch.autograd.grad(brake - push, moved, x, retain_graph=True)
        return product

    answer = _conjugate_gradients(curvature, push.detach(), solves)
    response = (answer * push).flatten(1).sum(-1)
    return at + response - response.detach()


def _conjugate_gradients(matrix: Callable[[Tensor], Tensor], right: Tensor, steps: int) -> Tensor:
    """x with matrix(x) = right, every example its own positive definite system."""

    def dot(a: Tensor, b: Tensor) -> Tensor:
        return (a * b).flatten(1).sum(-1).reshape(-1, *(1,) * (a.ndim - 1))

    x, rest, way = torch.zeros_like(right), right, right
    size = first = dot(rest, rest)
    for _ in range(steps):
        going = size > _ENOUGH**2 * first
        if not bool(going.any()):
            break
        image = matrix(way)
        bend = dot(way, image)
        if bool((going & ~(bend > 0)).any()):
            raise ConvergenceError(
                f"{int((going & ~(bend > 0)).sum())} of {len(right)} perturbations are no maximum of loss less "
                "barrier; take more steps in `worst_perturbations`, a stronger barrier, or `solves=0`"
            )
        length = torch.where(going, size / torch.where(going, bend, 1.0), 0.0)
        x, rest = x + length * way, rest - length * image
        before, size = size, dot(rest, rest)
        way = rest + torch.where(going, size / torch.where(going, before, 1.0), 0.0) * way
    return x.detach()


def _bounded(free: Tensor, barrier: Barrier) -> Tensor:
    squares = (free**2).flatten(1).sum(-1).reshape(-1, *(1,) * (free.ndim - 1))
    return barrier.radius * free / (1.0 + squares).sqrt()


def _freed(moved: Tensor, barrier: Barrier) -> Tensor:
    squares = ((moved / barrier.radius) ** 2).flatten(1).sum(-1).reshape(-1, *(1,) * (moved.ndim - 1))
    if bool((squares >= 1).any()):
        raise InvalidInputError(
            f"`start` reaches {float(squares.max().sqrt()):g} of the radius; expected perturbations inside"
        )
    return moved / barrier.radius / (1.0 - squares).sqrt()


def _one_each(losses: Tensor, inputs: Tensor) -> Tensor:
    if inputs.ndim < 2 or losses.shape != inputs.shape[:1]:
        raise ShapeError(
            f"inputs of shape {tuple(inputs.shape)} gave losses of shape {tuple(losses.shape)}; expected (n, ...) and "
            "(n,), one loss an example"
        )
    return losses
