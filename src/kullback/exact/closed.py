"""Closed forms of every divergence that follows from those registered: one KL per exponential family gives them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from kullback._ops import Array, ops
from kullback.divergences import (
    Noun,
    alpha,
    bhattacharyya,
    jeffreys,
    kl,
    neyman_chi2,
    pearson_chi2,
    reverse_kl,
    squared_hellinger,
)
from kullback.divergences.combination import Combination
from kullback.divergences.power import Alpha
from kullback.divergences.renyi import Renyi
from kullback.errors import UnsupportedPairError
from kullback.exact import registry
from kullback.exact.answers import answers_of
from kullback.exact.bregman import bregman
from kullback.exact.law import Law
from kullback.exact.normals import normals
from kullback.exact.overlap import angle


@dataclass(frozen=True)
class Closed:
    """A value in closed form and where it comes from."""

    value: Array
    method: str
    notes: tuple[str, ...] = ()


def closed(d: Noun, p: Law, q: Law) -> Closed | None:
    """The divergence in closed form, `None` where there is none."""
    own = answers_of(d)
    try:
        return own.closed(d, p, q) if own is not None else _direct(d, p, q) or _derived(d, p, q)
    except UnsupportedPairError:
        # a form may hold on a part of the pair's parameters only
        return None


def _direct(d: Noun, p: Law, q: Law) -> Closed | None:
    found = registry.find("any", p, q)
    if found is not None:
        form, left, right = found
        if isinstance(d, (Renyi, type(bhattacharyya))):
            return None
        return Closed(form.formula(d, left.parameters, right.parameters), form.label)
    if d != kl:
        return None
    if p.inner is not None and q.inner is not None:
        return _added(closed(kl, p.inner, q.inner), p, q)
    if p.parts and q.parts:
        return _over_parts(lambda x, y: closed(kl, x, y), p, q)
    found = registry.find("kl", p, q)
    if found is None:
        return _by_log_normaliser(p, q)
    form, left, right = found
    return Closed(form.formula(left.parameters, right.parameters), form.label)


def _by_log_normaliser(p: Law, q: Law) -> Closed | None:
    if p.family is None or p.family.log_normaliser is None or p.name != q.name or p.transforms:
        return None
    value = bregman(p.family.log_normaliser, p.parameters, q.parameters)
    return Closed(value, f"exponential family, Bregman divergence of the log-normaliser ({p.label})")


def _derived(d: Noun, p: Law, q: Law) -> Closed | None:
    if d == reverse_kl:
        return closed(kl, q, p)
    if d == jeffreys:
        return _sum(((1.0, closed(kl, p, q)), (1.0, closed(kl, q, p))))
    if isinstance(d, Combination):
        return _sum(tuple((w, closed(part, p, q)) for w, part in d.parts))
    if isinstance(d, Renyi):
        return _renyi(d.order, p, q)
    if d == bhattacharyya:
        return _scaled(0.5, _renyi(0.5, p, q))
    return _power(d, p, q)


def _power(d: Noun, p: Law, q: Law) -> Closed | None:
    """Divergences that are functions of ∫ p^a q^(1−a)."""
    if d == squared_hellinger:
        return _from_renyi(0.5, -2.0, p, q)
    if d == pearson_chi2:
        return _from_renyi(2.0, 1.0, p, q)
    if d == neyman_chi2:
        return _from_renyi(2.0, 1.0, q, p)
    if isinstance(d, Alpha):
        if d.a < 0:
            p, q, d = q, p, alpha(1.0 - d.a)
        return None if not isinstance(d, Alpha) else _from_renyi(d.a, 1.0 / (d.a * (d.a - 1.0)), p, q)
    return None


def _from_renyi(order: float, weight: float, p: Law, q: Law) -> Closed | None:
    """weight · (∫ p^a q^(1−a) − 1), from the Rényi divergence of order a."""
    found = _renyi(order, p, q)
    if found is None:
        return None
    xp = ops(found.value)
    with xp.quiet():
        return Closed(weight * xp.expm1((order - 1.0) * xp.asarray(found.value)), found.method)


def _renyi(order: float, p: Law, q: Law) -> Closed | None:
    if order == math.inf:
        return None
    if order == 1:
        return closed(kl, p, q)
    if p.inner is not None and q.inner is not None:
        return _added(_renyi(order, p.inner, q.inner), p, q)
    if p.parts and q.parts:
        return _over_parts(lambda x, y: _renyi(order, x, y), p, q)
    anything = registry.find("any", p, q)
    if anything is not None:
        form, left, right = anything
        return _renyi_from_alpha(order, form, left, right)
    found = registry.find("renyi", p, q)
    if found is not None:
        form, left, right = found
        return Closed(form.formula(left.parameters, right.parameters, order), form.label)
    return _along_geodesic(order, p, q)


def _renyi_from_alpha(order: float, form: registry.Form, p: Law, q: Law) -> Closed | None:
    if order == 0:
        return None
    d = alpha(order)
    value = form.formula(d, p.parameters, q.parameters)
    xp = ops(value)
    with xp.quiet():
        return Closed(xp.log1p(order * (order - 1.0) * xp.asarray(value)) / (order - 1.0), form.label)


def _along_geodesic(order: float, p: Law, q: Law) -> Closed | None:
    r"""The Rényi divergence of an exponential family, from its KL divergence.

    $(1 - a) R_a(p \| q) = \min_m\; a\,KL(m \| p) + (1 - a)\,KL(m \| q)$, attained where natural parameters mix: an
    error of the mixture m enters squared, and nothing cancels near equality. Infinite where m does not exist.
    """
    found = registry.geodesic_of(p, q)
    if found is None:
        return None
    mix, left, right = found
    parameters, exists = mix(left.parameters, right.parameters, order)
    middle = replace(left, parameters=parameters)
    to_p, to_q = closed(kl, middle, left), closed(kl, middle, right)
    if to_p is None or to_q is None:
        return None
    value = (order * to_p.value + (1.0 - order) * to_q.value) / (1.0 - order) + 0.0  # no negative zero
    method = f"exponential family, natural parameters mixed ({left.name})"
    return Closed(ops(value).where(exists, value, math.inf), method)


def angle_of_densities(p: Law, q: Law) -> Closed | None:
    """The Rényi divergence of order ½ of the squared densities, each scaled to mass 1."""
    found = registry.square_of(p, q)
    if found is None:
        if normals(p) is None or normals(q) is None:
            return None
        return Closed(angle(p, q), "closed form, integrals of products of normal laws")
    square, left, right = found
    (first, first_good), (second, second_good) = square(left.parameters), square(right.parameters)
    xp = ops(first_good, second_good)
    if not bool(xp.any(first_good & second_good)) or bool(xp.any(~(first_good & second_good))):
        return None
    return _renyi(0.5, replace(left, parameters=first), replace(right, parameters=second))


def _added(part: Closed | None, p: Law, q: Law) -> Closed | None:
    """Independent parts add up, in KL and in every Rényi divergence."""
    if part is None or p.axes != q.axes:
        return None
    value = part.value
    for _ in range(p.axes):
        value = ops(value).sum(value)
    return Closed(value, f"sum over independent parts; {part.method}")


def _over_parts(of: Callable[[Law, Law], Closed | None], p: Law, q: Law) -> Closed | None:
    if [part.event for part in p.parts] != [part.event for part in q.parts]:
        return None
    found = _sum(tuple((1.0, of(x, y)) for x, y in zip(p.parts, q.parts, strict=True)))
    return None if found is None else replace(found, method=f"sum over independent parts; {found.method}")


def _sum(parts: tuple[tuple[float, Closed | None], ...]) -> Closed | None:
    total, methods = 0.0, []
    for weight, part in parts:
        if part is None:
            return None
        total = total + weight * part.value
        methods.append(part.method)
    return Closed(total, "; ".join(dict.fromkeys(methods)))


def _scaled(weight: float, part: Closed | None) -> Closed | None:
    return None if part is None else Closed(weight * part.value, part.method)
