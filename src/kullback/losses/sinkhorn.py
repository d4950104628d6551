"""Entropic transport between rows of masses, in logarithms, with the derivative of its fixed point."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from kullback.errors import ConvergenceError, InvalidInputError, ShapeError
from kullback.losses.engines.chunks import block_rows

_LOOKS = 10  # steps between two looks at the margins, each of which an accelerator waits for
_EXACT = 1e-13  # of the costs over ε or of 1: what a solved adjoint may leave
_PATIENCE = 100  # conjugate gradients; without rounding, as many as classes would do
_LONGEST = 2.0  # change of the potentials in a leap, in units of ε
_WIDEST = 300.0  # costs over ε, for tables of exponentials: a few of them multiply without leaving the floats


@dataclass(frozen=True)
class Sinkhorn:
    r"""What it costs to carry one distribution to another by the plan that entropy blurs.

    $$\langle P, C \rangle, \qquad P = \arg\min_{P 1 = p,\, P^\top 1 = q} \langle P, C \rangle
    + \varepsilon \sum_{ij} P_{ij} (\log P_{ij} - 1)$$

    `regularisation` is ε, in the unit of the costs: as ε → 0 the cost falls to the Wasserstein one, and more steps are
    needed. Steps end where the rows sum to p exactly and the columns to q within `tolerance` (the sum of absolute
    differences); after `steps` of them without that, `ConvergenceError` says how far off they are. Computed in double
    precision, a few rows at a time. Source: [cuturi2013], [peyre2019].

    >>> import torch
    >>> costs = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    >>> p, q = torch.tensor([[0.5, 0.5]]).log(), torch.tensor([[0.25, 0.75]]).log()
    >>> round(float(Sinkhorn(regularisation=0.02).cost(p, q, costs)[0]), 6)  # a quarter goes all the way
    0.25
    """

    regularisation: float = 0.05
    tolerance: float = 1e-9
    steps: int = 2_000

    def __post_init__(self) -> None:
        for name, value in (("regularisation", self.regularisation), ("tolerance", self.tolerance)):
            if not (math.isfinite(value) and value > 0):
                raise InvalidInputError(f"`{name}` is {value!r}; expected a finite number above 0")
        if self.steps < 1:
            raise InvalidInputError(f"`steps` is {self.steps!r}; expected 1 or more")

    def cost(self, p: Tensor, q: Tensor, costs: Tensor) -> Tensor:
        r"""$\langle P, C \rangle$ for every row, shape (...).

        `p` of shape (..., n) and `q` of shape (..., m) are logits of the masses to carry and to fill, −inf for none;
        `costs` has shape (n, m), or (..., n, m) for costs of every row's own. Gradients reach all three: they are those
        of the plan that steps without end would give, however few were made, by the implicit function theorem. They
        cannot be differentiated again. Raises `ShapeError`, `InvalidInputError` or `ConvergenceError`.
        """
        rows, lead = self._rows(p, q, costs)
        return _Cost.apply(self, *rows).reshape(lead).to(torch.promote_types(p.dtype, torch.float32))

    def plan(self, p: Tensor, q: Tensor, costs: Tensor) -> Tensor:
        r"""The plan $P_{ij}$ itself, shape (..., n, m), without a gradient. Arguments and errors as in `cost`."""
        rows, lead = self._rows(p, q, costs)
        with torch.no_grad():
            plans = [part.plan.dense() for part in _parts(self, *rows)]
        return torch.cat(plans).reshape(*lead, *costs.shape[-2:])

    def _rows(self, p: Tensor, q: Tensor, costs: Tensor) -> tuple[tuple[Tensor, Tensor, Tensor], torch.Size]:
        """Logarithms of the masses in rows, and costs, in double precision; and the leading shape."""
        lead = p.shape[:-1]
        if p.ndim < 1 or q.shape[:-1] != lead or costs.shape[-2:] != (p.shape[-1], q.shape[-1]):
            raise ShapeError(
                f"masses of shape {tuple(p.shape)} and {tuple(q.shape)} with costs of shape {tuple(costs.shape)}; "
                "expected (..., n), (..., m) and (n, m) or (..., n, m)"
            )
        if costs.ndim > 2 and costs.shape[:-2] != lead:
            raise ShapeError(
                f"costs for rows {tuple(costs.shape[:-2])} and masses for rows {tuple(lead)}; they must agree"
            )
        if not bool(torch.isfinite(costs).all()):
            raise InvalidInputError(
                "`costs` has entries that are not finite; give forbidden moves a large cost instead"
            )
        flat = [x.reshape(-1, x.shape[-1]).double().log_softmax(-1) for x in (p, q)]
        if any(bool(torch.isnan(x.detach()).any()) for x in flat):
            raise InvalidInputError("a row of masses is NaN or has no mass at all; mask it")
        wide = costs.double() if costs.ndim == 2 else costs.double().reshape(-1, *costs.shape[-2:])
        return (flat[0], flat[1], wide), lead


class _Plan(NamedTuple):
    """diag(left) · matrix · diag(right), a plan or a multiple of one, for each of some rows."""

    left: Tensor
    matrix: Tensor
    right: Tensor

    def forth(self, v: Tensor) -> Tensor:
        """P v."""
        return self.left * _times(self.right * v, self.matrix.mT)

    def back(self, u: Tensor) -> Tensor:
        """The transpose of P, times u."""
        return self.right * _times(self.left * u, self.matrix)

    def dense(self) -> Tensor:
        return self.left[:, :, None] * self.matrix * self.right[:, None, :]


def _times(x: Tensor, matrix: Tensor) -> Tensor:
    """Rows of x times a matrix, or each its own."""
    return x @ matrix if matrix.ndim == 2 else (x[:, None, :] @ matrix)[:, 0, :]


class _Costs(NamedTuple):
    """Costs in units of ε, and their exponentials where those keep all digits of the sums."""

    costs: Tensor
    table: Tensor | None

    @classmethod
    def of(cls, costs: Tensor) -> _Costs:
        lowest, highest = costs.aminmax()
        return cls(costs, (-costs).exp() if max(-float(lowest), float(highest)) < _WIDEST else None)

    def at(self, place: slice) -> _Costs:
        """Those of some rows, where every row has its own."""
        return _Costs(self.costs[place], None if self.table is None else self.table[place])

    def columns(self, f: Tensor) -> Tensor:
        """The logarithm of Σ over i of exp(f − C)."""
        return _log_sums(f, self.costs, self.table)

    def rows(self, g: Tensor) -> Tensor:
        return _log_sums(g, self.costs.mT, None if self.table is None else self.table.mT)

    def plan(self, state: _State) -> _Plan:
        f, g = state
        if self.table is None:
            matrix = (f[:, :, None] + g[:, None, :] - self.costs).exp()
            return _Plan(torch.ones_like(f), matrix, torch.ones_like(g))
        top = f.amax(-1, keepdim=True)  # with it f is at most 0, and g within the costs
        return _Plan((f - top).exp(), self.table, (g + top).exp())


def _log_sums(x: Tensor, costs: Tensor, table: Tensor | None) -> Tensor:
    if table is None:
        return (x[:, :, None] - costs).logsumexp(1)
    top = x.amax(-1, keepdim=True)
    return _times((x - top).exp(), table).log() + top


class _State(NamedTuple):
    """The potentials in log P = f + g − C, all in units of ε."""

    f: Tensor
    g: Tensor


class _Part(NamedTuple):
    """Some of the rows: their plan, its margins, and the costs in units of ε."""

    plan: _Plan
    p: Tensor
    q: Tensor
    costs: Tensor


def _parts(solver: Sinkhorn, log_p: Tensor, log_q: Tensor, costs: Tensor) -> Iterator[_Part]:
    if not len(log_p):
        return
    scaled = _Costs.of(costs / solver.regularisation)
    size = math.prod(costs.shape[-2:])
    step = block_rows(size, costs.device) if scaled.table is None else len(log_p)
    for start in range(0, len(log_p), step):
        place = slice(start, start + step)
        some = scaled if costs.ndim == 2 else scaled.at(place)
        plan = some.plan(_potentials(solver, log_p[place], log_q[place], some))
        p, q = plan.forth(torch.ones_like(plan.right)), plan.back(torch.ones_like(plan.left))
        yield _Part(plan, p, q, some.costs)


def _potentials(solver: Sinkhorn, a: Tensor, b: Tensor, costs: _Costs) -> _State:
    """The last step makes the rows sum to p."""
    state = _State(torch.where(torch.isneginf(a), a, 0.0), torch.where(torch.isneginf(b), b, 0.0))
    error = a.new_full((), math.inf)
    for count in range(1, solver.steps + 1):
        state = _filled(b - costs.columns(state.f), a, costs)
        if count % _LOOKS == 0 or count == solver.steps:
            error = _error(state, b, costs)
            if bool((error <= solver.tolerance).all()):
                return state
            if count < solver.steps:
                state = _leap(state, a, b, costs, error)
    raise ConvergenceError(
        f"after {solver.steps} steps the margins of a plan are off by {float(error.max()):.3g}, above the tolerance of "
        f"{solver.tolerance:.3g}; take more steps, a larger regularisation than {solver.regularisation:g} or a larger "
        "tolerance"
    )


def _filled(g: Tensor, a: Tensor, costs: _Costs) -> _State:
    """With the f that makes the rows of the plan sum to p."""
    return _State(a - costs.rows(g), g)


def _error(state: _State, b: Tensor, costs: _Costs) -> Tensor:
    return ((state.g + costs.columns(state.f)).exp() - b.exp()).abs().sum(-1)


def _leap(state: _State, a: Tensor, b: Tensor, costs: _Costs, error: Tensor) -> _State:
    """A step of Newton's method for the columns, in the rows where it brings the margins nearer.

    Near the end, what takes steps the inverse of a gap in the spectrum takes this its square root. It is shortened,
    because a long one may land where the margins are nearly right and the potentials far off.
    """
    plan = costs.plan(state)
    held = plan.back(torch.ones_like(a))
    system = _Margins.of(plan, a.exp(), held)
    wanted = (b.exp() - held) * system.over_q
    by, _ = system.least_norm(wanted, wanted, accuracy=1e-3, steps=max(_PATIENCE, held.shape[-1]))
    move = by * system.over_q
    longest = move.abs().amax(-1, keepdim=True)
    tried = _filled(state.g + move * (_LONGEST / longest.clamp(min=_LONGEST)), a, costs)
    better = (_error(tried, b, costs) < error)[:, None]
    return _State(torch.where(better, tried.f, state.f), torch.where(better, tried.g, state.g))


class _Margins(NamedTuple):
    """How margins p and q of plans answer to the potentials: I − AᵀA with A = P / √(p q), once f has followed g."""

    a: _Plan
    over_p: Tensor
    over_q: Tensor
    kernel: Tensor  # √q, the direction that moves nothing

    @classmethod
    def of(cls, plan: _Plan, p: Tensor, q: Tensor) -> _Margins:
        over_p, over_q = _inverse(p.sqrt()), _inverse(q.sqrt())
        return cls(_Plan(plan.left * over_p, plan.matrix, plan.right * over_q), over_p, over_q, q.sqrt())

    def least_norm(self, right: Tensor, scale: Tensor, *, accuracy: float, steps: int) -> tuple[Tensor, bool]:
        """The smallest solution by conjugate gradients, off the kernel, and whether it is one.

        The residual is to be at most `accuracy` of the length of `scale`, next to which `right` may be rounding alone.
        """

        def off(v: Tensor) -> Tensor:
            share = (v * self.kernel).sum(-1, keepdim=True) / self.kernel.square().sum(-1, keepdim=True)
            return v - share * self.kernel

        x, rest = torch.zeros_like(right), off(right)
        size = rest.square().sum(-1, keepdim=True)
        direction, aim = rest, accuracy**2 * scale.square().sum(-1, keepdim=True)
        for count in range(steps):
            if count % _LOOKS == 0 and bool((size <= aim).all()):
                return x, True
            pushed = direction - self.a.back(self.a.forth(direction))
            bend = (direction * pushed).sum(-1, keepdim=True)
            live = (size > aim) & (bend > 0)
            pace = torch.where(live, size / torch.where(live, bend, 1.0), 0.0)
            x, rest = x + pace * direction, off(rest - pace * pushed)
            new = torch.where(live, rest.square().sum(-1, keepdim=True), 0.0)
            direction = rest + torch.where(live, new / torch.where(live, size, 1.0), 0.0) * direction
            size = new
        return x, bool((size <= aim).all())


def _inverse(root: Tensor) -> Tensor:
    return torch.where(root > 0, 1.0 / torch.where(root > 0, root, 1.0), 0.0)


class _Cost(torch.autograd.Function):
    """⟨P, C⟩ with the gradient of the converged plan."""

    @staticmethod
    def forward(ctx: Any, solver: Sinkhorn, log_p: Tensor, log_q: Tensor, costs: Tensor) -> Tensor:  # type: ignore[override]
        """Keeps the gradients, which are as cheap as a few steps."""
        needs = ctx.needs_input_grad[1:]
        values, made = [log_p.new_zeros(0)], []
        for part in _parts(solver, log_p, log_q, costs):
            values.append(solver.regularisation * _weighted(part).forth(torch.ones_like(part.q)).sum(-1))
            if any(needs):
                made.append(_derivatives(solver, part, needs[2]))
        ctx.shared = costs.ndim == 2
        ctx.save_for_backward(*(torch.cat(x) for x in zip(*made, strict=True)))
        return torch.cat(values)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> Any:
        """Scales what the forward pass has made."""
        if torch.is_grad_enabled():
            raise InvalidInputError(
                "the gradient of a transport plan cannot be differentiated again; leave `create_graph` out"
            )
        found: list[Tensor | None] = [
            torch.einsum("b,bij->ij", upstream[0], x)
            if ctx.shared and x.ndim == 3
            else torch.einsum("b,b...->b...", upstream[0], x)
            for x in ctx.saved_tensors
        ]
        return None, *found, *([None] * (3 - len(found)))


def _derivatives(solver: Sinkhorn, part: _Part, with_costs: bool) -> tuple[Tensor, ...]:
    r"""Gradients of ⟨P, C⟩ towards log p, log q and, if asked, C.

    With x and y the adjoints of the margins, $\mathrm{diag}(p)\,x + P y = (P \odot C/\varepsilon) 1$ and likewise for
    the columns, they are $\varepsilon p x$, $\varepsilon q y$ and $P (1 - C/\varepsilon + x_i + y_j)$.
    """
    plan, p, q, costs = part
    weighted, system = _weighted(part), _Margins.of(plan, p, q)
    rows = weighted.forth(torch.ones_like(q)) * system.over_p
    columns = weighted.back(torch.ones_like(p)) * system.over_q
    scale = columns + system.kernel
    w, solved = system.least_norm(columns - system.a.back(rows), scale, accuracy=_EXACT, steps=solver.steps)
    if not solved:
        raise ConvergenceError(
            f"the gradient of a plan was not found in {solver.steps} steps; take more, or a larger regularisation"
        )
    x, y = (rows - system.a.forth(w)) * system.over_p, w * system.over_q
    to_p, to_q = solver.regularisation * p * x, solver.regularisation * q * y
    if not with_costs:
        return to_p, to_q
    return to_p, to_q, plan.dense() * (1.0 - costs + x[:, :, None] + y[:, None, :])


def _weighted(part: _Part) -> _Plan:
    """The plan times the costs, elementwise."""
    return part.plan._replace(matrix=part.plan.matrix * part.costs)
