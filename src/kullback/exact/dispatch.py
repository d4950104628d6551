"""One question for two known laws, answered by the best way there is, which the answer names."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, Literal, get_args

import numpy as np

from kullback._ops import ops
from kullback.answer import Answer
from kullback.divergences import Divergence, Noun
from kullback.divergences.simplex import plain
from kullback.errors import ConvergenceError, InvalidInputError, UnsupportedPairError
from kullback.exact import registry
from kullback.exact.answers import answers_of
from kullback.exact.closed import Closed, closed
from kullback.exact.degenerate import Degenerate, DegenerateNormal, condition_notes, on_flats
from kullback.exact.enumeration import by_enumeration
from kullback.exact.integrand import reduced
from kullback.exact.labelled import LabelledLaw, by_labels
from kullback.exact.law import Law
from kullback.exact.mixture_bounds import by_bounds
from kullback.exact.moment_controls import with_moments
from kullback.exact.monte_carlo import sampled
from kullback.exact.plane import by_plane
from kullback.exact.product import by_parts
from kullback.exact.quadrature import by_quadrature
from kullback.exact.reading import read
from kullback.exact.structure import aligned, blind_to_transforms, decided_by_support, refuse_traced
from kullback.exact.whitened import reduced_pair

Kind = Literal["exact", "enumeration", "quadrature", "bounds", "monte-carlo"]


def between(
    d: Noun,
    P: Any,
    Q: Any,
    *,
    kind: Kind | None = None,
    draws: int = 100_000,
    seed: int = 0,
    degenerate: Degenerate | None = None,
) -> Answer:
    r"""The divergence of two known distributions, $D_f(P \| Q) = \int q\, f(p/q)$, exactly wherever that is possible.

    `P` and `Q` are `torch.distributions` objects, frozen `scipy.stats` distributions, NumPyro ones or mixtures. In this
    order: a closed form registered for the pair; exponential families, whose KL divergence gives every power and Rényi
    divergence; independent products and shared invertible maps; what the supports alone decide; enumeration of discrete
    laws; adaptive quadrature on the line and the plane; certified bounds for mixtures; Monte Carlo with `draws` draws
    and an interval. The answer's `kind` says which it was, and `kind=` asks for one of them. In the unit of `d`, in
    double precision; batches broadcast. Nouns that are no f-divergence (`wasserstein`, `fisher`, `squared_l2`, `mmd`,
    `energy_distance`, `chernoff`, `renyi(inf)`) are answered from quantiles, scores, overlaps or atoms instead. Closed
    forms of torch and JAX parameters carry gradients, inside jit too, and nothing else does: a note says so, and
    parameters without values are refused. A normal law whose covariance is singular is refused, unless
    `degenerate="pseudo"` says to compare two of them on the flat that they share; on different flats they share no
    mass.

    Raises `UnsupportedPairError` where the kind asked for cannot be had, listing what can; `InvalidInputError` naming
    the parameter that is outside its domain; `ShapeError`; `DTypeError` for laws of two libraries; `ConvergenceError`.
    Infinity is a value. Source: [nielsen2011], [gil2013], [dowson1982].

    >>> from scipy import stats
    >>> import kullback as kb
    >>> kb.between(kb.kl, stats.norm(0, 1), stats.norm(1, 1)).value
    0.5
    >>> kb.between(kb.js, stats.norm(0, 1), stats.t(3)).kind
    'quadrature'
    """
    if kind is not None and kind not in get_args(Kind):
        raise InvalidInputError(f"`kind` is {kind!r}; known kinds are {', '.join(map(repr, get_args(Kind)))}")
    p, q = read(P, "P"), read(Q, "Q")
    if isinstance(p, DegenerateNormal) or isinstance(q, DegenerateNormal):
        return on_flats(d, p, q, degenerate, partial(between, kind=kind, draws=draws, seed=seed))
    p, q = aligned(d, p, q)
    if kind in (None, "exact"):
        found = closed(d, p, q)
        if found is not None:
            answer = _exact(d, found)
            return replace(answer, notes=(*answer.notes, *condition_notes(p, q)))
    refuse_traced(d, p, q)
    batch = np.broadcast_shapes(p.batch, q.batch)
    if not batch:
        return _noted(_single(d, p.at(()), q.at(()), kind, draws, seed), d, p, q)
    answers = [_single(d, p.at(i), q.at(i), kind, draws, seed) for i in np.ndindex(*batch)]
    return _noted(_stacked(answers, batch), d, p, q)


def _exact(d: Noun, found: Closed) -> Answer:
    xp = ops(found.value)
    made = Answer.exact(plain(xp, xp.asarray(found.value)), found.method, d.unit)
    return replace(made, notes=found.notes)


def _single(d: Noun, p: Law, q: Law, kind: Kind | None, draws: int, seed: int) -> Answer:
    """The first way that serves the pair; the others' reasons are in the error where none does."""
    if blind_to_transforms(d):
        p, q = reduced_pair(p, q)
    whole = _of_parts(d, p, q, kind, draws, seed)
    if whole is not None:
        return whole
    reasons = []
    for name, way in _ways(d, draws, seed).items():
        if kind in (None, name):
            try:
                return way(d, p, q)
            except UnsupportedPairError as error:
                reasons.append(str(error))
            except ConvergenceError as error:
                if kind is not None:
                    raise
                reasons.append(str(error))
    had = [
        name for name, way in _ways(d, 1000, seed).items() if name != kind and kind and _works(way, d, p, q)
    ]
    can = f"what can be had: kind={' or '.join(map(repr, had))}" if had else "nothing else serves this pair"
    if kind == "exact":
        raise registry.unsupported(d.name, p, q, can)
    raise UnsupportedPairError(f"{d.name} for {p.name}‖{q.name}: {'; '.join(dict.fromkeys(reasons))}; {can}")


def _of_parts(d: Noun, p: Law, q: Law, kind: Kind | None, draws: int, seed: int) -> Answer | None:
    """The divergence of two products or labelled laws by their parts, of the kind asked for, if that is to be had."""
    for asked in dict.fromkeys((None, kind)):
        try:
            way = by_labels if isinstance(p, LabelledLaw) else by_parts
            found = way(d, p, q, lambda d, x, y, k=asked: _single(d, x, y, k, draws, seed))
        except (UnsupportedPairError, ConvergenceError):
            continue
        if found is None or kind in (None, found.kind):
            return found
    return None


def _works(way: Callable[..., Answer], d: Noun, p: Law, q: Law) -> bool:
    try:
        way(d, p, q)
    except (UnsupportedPairError, ConvergenceError):
        return False
    return True


def _ways(d: Noun, draws: int, seed: int) -> dict[str, Callable[[Any, Law, Law], Answer]]:
    own = answers_of(d)
    if own is not None:
        return {"exact": _registered, **own.ways}
    return {
        "exact": _by_support,
        "enumeration": by_enumeration,
        "quadrature": lambda d, p, q: (by_quadrature if p.size == 1 else by_plane)(d, p, q),
        "bounds": by_bounds,
        "monte-carlo": lambda d, p, q: _by_draws(d, p, q, draws, seed),
    }


def _registered(d: Noun, p: Law, q: Law) -> Answer:
    found = closed(d, p, q)
    if found is None:
        raise UnsupportedPairError("no closed form is registered")
    return _exact(d, found)


def _by_support(d: Divergence, p: Law, q: Law) -> Answer:
    found = closed(d, p, q)
    if found is not None:
        return _exact(d, found)
    f, mapped = reduced(d)
    decided = decided_by_support(f, p, q)
    if decided is None:
        raise UnsupportedPairError("no closed form is registered, and the supports do not decide")
    value, reason = decided
    number = mapped(value)
    return Answer(number, number, number, method="support", notes=(reason,))


def _by_draws(d: Divergence, p: Law, q: Law, draws: int, seed: int) -> Answer:
    f, _ = reduced(d)
    from_q = f.at_zero == math.inf and f.at_infinity < math.inf
    own, other = (q, p) if from_q else (p, q)
    x = own.sample(draws, seed)
    log_p, log_q = p.everywhere(x), q.everywhere(x)
    estimator = with_moments(own, other, x, log_p - log_q if from_q else log_q - log_p)
    return sampled(d, log_p, log_q, drawn_from="q" if from_q else "p", estimator=estimator)


def _stacked(answers: list[Answer], batch: tuple[int, ...]) -> Answer:
    """One answer for a batch, of the weakest kind among its members."""
    value, low, high = (
        np.array([getattr(a, name) for a in answers]).reshape(batch) for name in ("value", "low", "high")
    )
    weakest = max(answers, key=lambda a: get_args(Kind).index(a.kind))
    kinds = sorted({a.kind for a in answers})
    notes = tuple(dict.fromkeys(note for a in answers for note in a.notes))
    if len(kinds) > 1:
        notes = (f"kinds over the batch: {', '.join(kinds)}", *notes)
    made: Any = {"value": value, "low": low, "high": high}
    return replace(weakest, **made, notes=notes)


def _noted(answer: Answer, d: Noun, p: Law, q: Law) -> Answer:
    """The answer in the divergence's own unit: what it was computed by may have another."""
    answer = replace(answer, unit=d.unit)
    if any(getattr(x, "requires_grad", False) for x in (*p.arrays, *q.arrays)):
        return replace(answer, notes=(*answer.notes, "no gradient: only closed forms carry one"))
    return answer
