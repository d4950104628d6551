"""Numbers whose gradients are unbiased: an objective of the log-weights, and what every site's estimator adds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from kullback.errors import InvalidInputError, ShapeError
from kullback.losses.batches import NonFinite, averaged
from kullback.losses.variational import programs
from kullback.losses.variational.estimators import (
    DoublyReparameterised,
    Enumeration,
    MeasureValued,
    ScoreFunction,
    StickingTheLanding,
    support,
)
from kullback.losses.variational.objectives import Objective, TailAdaptive, elbo
from kullback.losses.variational.programs import Guide, Trace

LogJoint = Callable[[dict[str, Tensor]], Tensor]


def bound(
    guide: Guide, log_joint: LogJoint, objective: Objective, *, samples: int, batch: tuple[int, ...] = ()
) -> Tensor:
    r"""An objective of K draws of a guide, whose gradient is unbiased site by site.

    $$G(\log w_1, \dots, \log w_K), \qquad \log w_k = \log p(x, z_k) - \log q(z_k),\quad z_k \sim q$$

    `guide` is called with `site`, and calls `site(name, law, estimator)` for each latent variable: a law of
    torch.distributions, widened to (K, *batch), and a `Reparameterised`, `ScoreFunction`, … that says how the gradient
    gets through its draws. `log_joint` takes the values by name and gives log p(x, z), (K, *batch); its own
    parameters get the gradient of G. The result has shape (*batch) and is in the unit of the objective. Draws come
    from torch's generator, which `torch.manual_seed` sets.

    Raises `InvalidInputError` where an estimator does not serve the law or the objective, and `ShapeError`.
    Source: [becker2024], [schulman2015].

    >>> import torch
    >>> from torch.distributions import Normal
    >>> model = lambda z: Normal(0.0, 1.0).log_prob(z["z"]) + Normal(z["z"], 1.0).log_prob(torch.tensor(2.0))
    >>> from kullback.losses.variational import Reparameterised
    >>> posterior = lambda site: site("z", Normal(1.0, 0.5**0.5), Reparameterised())
    >>> round(float(bound(posterior, model, elbo, samples=3)), 5)  # log N(2; 0, 2), whatever the draws
    -2.26551
    """
    return _Run(guide, log_joint, objective, shaped(samples, batch), weighted=True).surrogate()


def expectation(guide: Guide, cost: LogJoint, *, samples: int, batch: tuple[int, ...] = ()) -> Tensor:
    r"""The mean of a cost of the latent variables over K draws, with the gradients of `bound`.

    $$E_q[c(z)] \approx \frac1K \sum_k c(z_k)$$

    `cost` takes the values by name and gives (K, *batch); all else as in `bound`. Source: [becker2024].

    >>> import torch
    >>> p = torch.tensor(0.25, requires_grad=True)
    >>> flip = lambda site: site("b", torch.distributions.Bernoulli(p), Enumeration())
    >>> mean = expectation(flip, lambda z: 3.0 * z["b"], samples=1)
    >>> float(mean.detach()), float(torch.autograd.grad(mean, p)[0])
    (0.75, 3.0)
    """
    return _Run(guide, cost, elbo, shaped(samples, batch), weighted=False).surrogate()


def loss(
    guide: Guide,
    log_joint: LogJoint,
    objective: Objective,
    *,
    samples: int,
    batch: tuple[int, ...] = (),
    mask: Tensor | None = None,
    weight: Tensor | None = None,
    nonfinite: NonFinite = "propagate",
) -> Tensor:
    r"""The objective of `bound` as one number to bring down: its mean over the batch, turned round where it ascends.

    $$\mp \frac1n \sum_i G_i$$

    Examples outside `mask` and, with `nonfinite="skip"`, those that are not finite are left out of everything that
    follows their log-weights; the model and the guide do see them, and need inputs whose gradient is finite.
    Source: [becker2024].

    >>> import torch
    >>> flip = lambda site: site("b", torch.distributions.Bernoulli(0.5), Enumeration())
    >>> round(float(loss(flip, lambda z: -z["b"], elbo, samples=1)), 6)  # 1/2 − log 2
    -0.193147
    """
    terms = bound(guide, log_joint, objective, samples=samples, batch=batch)
    sign = -1.0 if objective.ascends else 1.0
    terms = terms if batch else terms[None]
    return averaged(lambda x: sign * x, terms, mask=mask, weight=weight, nonfinite=nonfinite)


@dataclass(frozen=True)
class _Run:
    """What stays the same over the branches of a guide; `terms` are log-joints if `weighted`, else costs."""

    guide: Guide
    terms: LogJoint
    objective: Objective
    shape: tuple[int, ...]
    weighted: bool

    def surrogate(self) -> Tensor:
        total = None
        for trace in programs.branches(self.guide, self.shape, {}):
            _check(trace, self.objective, self.weighted)
            part = self._doubly(trace) if trace.has(DoublyReparameterised) else self._sited(trace)
            total = part if total is None else total + part
        assert total is not None
        return total

    def _sited(self, trace: Trace) -> Tensor:
        x, mass = self._log_weights(trace), self._mass(trace)
        total = self._value(x, mass)
        held = x.detach(), None if mass is None else mass.detach()
        for name, site in trace.sites.items():
            if isinstance(site.estimator, ScoreFunction):
                others = _without_each(*held) if site.estimator.baseline else None
                gain = self._value(*held) - (0.0 if others is None else self._value(*others))
                total = total + _gradient_only(gain * site.log_prob)
            if isinstance(site.estimator, MeasureValued):
                total = total + self._measure(trace, name, *held)
        return total

    def _measure(self, trace: Trace, name: str, x: Tensor, mass: Tensor | None) -> Tensor:
        site = trace.sites[name]
        enumerated = {n: s.value for n, s in trace.sites.items() if isinstance(s.estimator, Enumeration)}
        total = x.new_zeros(self.shape[1:])
        for value in support(name, site.law, site.estimator):
            with torch.no_grad():
                other = programs.run(
                    self.guide, self.shape, {**enumerated, **trace.before(name), name: value}
                )
                there, there_mass = self._log_weights(other), self._mass(other)
                swapped = (
                    _with_each(x, there),
                    None if mass is None or there_mass is None else _with_each(mass, there_mass),
                )
                outcome = self._value(*swapped)
            total = total + _gradient_only(_weighed(site.law.log_prob(value), outcome))
        return total

    def _doubly(self, trace: Trace) -> Tensor:
        again = programs.again(self.guide, trace)
        moving = of_model(self.terms, trace) - trace.log_density
        still = of_model(self.terms, again) - again.log_density
        x = still + again.log_density - again.log_density.detach()  # the gradient towards the model alone
        worth = self.objective.path_weights(x.detach())
        paths = worth * (moving - still)  # 0, and the gradient through the draws alone
        return self.objective(x) + paths.sum(0)

    def _log_weights(self, trace: Trace) -> Tensor:
        x = of_model(self.terms, trace)
        return x - programs.log_guide(self.guide, trace) if self.weighted else x

    def _mass(self, trace: Trace) -> Tensor | None:
        return trace.sum_of(lambda site: site.log_prob, Enumeration) if trace.has(Enumeration) else None

    def _value(self, x: Tensor, log_mass: Tensor | None) -> Tensor:
        """G, or the share of it that a branch of some probability has."""
        if log_mass is None:
            return self.objective(x)
        possible = log_mass > -torch.inf
        return _weighed(log_mass, self.objective.each(torch.where(possible, x, 0.0))).mean(0)


def _weighed(log_mass: Tensor, x: Tensor) -> Tensor:
    """Mass times x; what cannot happen weighs nothing, whatever it would bring."""
    possible = log_mass > -torch.inf
    mass = torch.where(possible, log_mass, 0.0).exp()
    return torch.where(possible, mass * torch.where(possible, x, 0.0), 0.0)


def _gradient_only(terms: Tensor) -> Tensor:
    """The sum over draws, as 0 with its gradient."""
    return (terms - terms.detach()).sum(0)


def _without_each(x: Tensor, mass: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """(K − 1, K, …): the k-th column lacks the k-th draw."""
    k = len(x)
    if k < 2:
        raise InvalidInputError(
            "LeaveOneOut() compares a draw with the others, and there is one; take samples ≥ 2 or baseline=None"
        )
    row, column = torch.arange(k - 1)[:, None], torch.arange(k)
    others = row + (row >= column)
    return x[others], None if mass is None else mass[others]


def _with_each(x: Tensor, new: Tensor) -> Tensor:
    """(K, K, …): the k-th column has the k-th draw replaced."""
    k = len(x)
    own = torch.eye(k, dtype=torch.bool, device=x.device).reshape(k, k, *[1] * (x.ndim - 1))
    return torch.where(own, new[None], x[:, None])


def of_model(log_joint: LogJoint, trace: Trace) -> Tensor:
    """What the model says of the values of a run, if it has one number for every draw."""
    x = log_joint(trace.values)
    if tuple(x.shape) != trace.shape:
        raise ShapeError(
            f"the model's log-density has shape {tuple(x.shape)}; expected one number for every draw, (K, *batch) = "
            f"{trace.shape}"
        )
    return x


def _check(trace: Trace, objective: Objective, weighted: bool) -> None:
    doubly = [n for n, s in trace.sites.items() if isinstance(s.estimator, DoublyReparameterised)]
    if doubly and not weighted:
        raise InvalidInputError(
            f"sites {doubly}: a cost has no score to reparameterise; take Reparameterised()"
        )
    if doubly and len(doubly) < len(trace.sites):
        rest = sorted(trace.sites.keys() - set(doubly))
        raise InvalidInputError(
            f"sites {doubly} are DoublyReparameterised() and {rest} are not; all are, or none"
        )
    if isinstance(objective, TailAdaptive) and not doubly:
        raise InvalidInputError("TailAdaptive weighs paths; every site needs DoublyReparameterised()")
    if trace.has(StickingTheLanding) and objective != elbo:
        raise InvalidInputError(
            f"StickingTheLanding() leaves out a score whose mean is 0 for the ELBO alone, and biases {objective}; "
            "take DoublyReparameterised()"
        )


def shaped(samples: int, batch: tuple[int, ...]) -> tuple[int, ...]:
    """(K, *batch)."""
    if samples < 1:
        raise InvalidInputError(f"`samples` is {samples}; expected at least one draw")
    return (samples, *batch)
