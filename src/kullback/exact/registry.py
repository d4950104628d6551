"""Closed forms by the pair of families that they are for; a file of `families/` registers its own."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from itertools import product
from typing import Any

from kullback._ops import Array
from kullback.errors import UnsupportedPairError
from kullback.exact.hosted import hosted
from kullback.exact.law import Family, Law

Parameters = Any  # a mapping of names to arrays

_families: dict[str, Family] = {}
_forms: dict[tuple[str, str, str], Form] = {}
_geodesics: dict[str, Callable[..., Any]] = {}
_squares: dict[str, Callable[..., Any]] = {}


@dataclass(frozen=True)
class Form:
    """A closed form: `what` is `kl`, `renyi` (with the order) or `any` (every divergence, given first)."""

    what: str
    left: str
    right: str
    formula: Callable[..., Array]

    @property
    def label(self) -> str:
        """What an answer calls it."""
        return f"closed form, {self.left}‖{self.right}"

    @property
    def title(self) -> str:
        """The first line of the formula's documentation."""
        return (self.formula.__doc__ or "").strip().splitlines()[0].rstrip(".")


def family(made: Family) -> Family:
    """Registers a family under its name."""
    if made.name in _families:
        raise ValueError(f"two families are called {made.name}")
    _families[made.name] = made
    return made


def closed_form(what: str, left: Family, right: Family) -> Callable[[Callable[..., Array]], Any]:
    """Registers the decorated function as the closed form of `what` for laws of these two families, in this order."""

    def register(formula: Callable[..., Array]) -> Callable[..., Array]:
        key = (what, left.name, right.name)
        if key in _forms:
            raise ValueError(f"two closed forms for {key}")
        _forms[key] = Form(what, left.name, right.name, hosted(formula))
        return formula

    return register


def geodesic(of: Family) -> Callable[[Callable[..., Any]], Any]:
    """Registers how an exponential family interpolates.

    The decorated function takes the parameters of p and q and the order a, and gives those of the member whose natural
    parameters are a θ_p + (1 − a) θ_q, with a boolean array that says where it exists.
    """

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        _geodesics[of.name] = function
        return function

    return register


def squared(of: Family) -> Callable[[Callable[..., Any]], Any]:
    """Registers the member whose density is proportional to p², with a boolean array that says where it exists."""

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        _squares[of.name] = function
        return function

    return register


@cache
def load() -> None:
    """Imports every file of `families/`, each of which registers what it holds."""
    package = import_module("kullback.exact.families")
    for info in sorted(pkgutil.iter_modules(package.__path__), key=lambda info: info.name):
        import_module(f"kullback.exact.families.{info.name}")


def families() -> dict[str, Family]:
    """Every family by its name."""
    load()
    return dict(_families)


def closed_forms() -> tuple[Form, ...]:
    """Every registered closed form."""
    load()
    return tuple(_forms.values())


def exponential_families() -> tuple[str, ...]:
    """The families with a Rényi divergence of every order from their KL divergence."""
    load()
    return tuple(_geodesics)


def find(what: str, p: Law, q: Law) -> tuple[Form, Law, Law] | None:
    """The most specific form for the pair, and the pair as members of its families: own families first, then wider."""
    load()
    for left, right in product(_memberships(p), _memberships(q)):
        form = _forms.get((what, left, right))
        if form is not None:
            return form, _member(p, left), _member(q, right)
    return None


def geodesic_of(p: Law, q: Law) -> tuple[Callable[..., Any], Law, Law] | None:
    """The interpolation of the smallest exponential family that holds both."""
    return shared(_geodesics, p, q)


def square_of(p: Law, q: Law) -> tuple[Callable[..., Any], Law, Law] | None:
    """The squaring of the smallest family that holds both."""
    return shared(_squares, p, q)


def shared(table: dict[str, Callable[..., Any]], p: Law, q: Law) -> Any:
    """The entry of the smallest family that holds both laws, and both as its members."""
    load()
    for left, right in product(_memberships(p), _memberships(q)):
        if left == right and left in table:
            return table[left], _member(p, left), _member(q, right)
    return None


def readings(p: Law) -> Iterator[Law]:
    """The law as a member of its own family, then of every family that holds it, each made when it is asked for."""
    yield p
    for name in _memberships(p)[1:]:
        yield _member(p, name)


def _memberships(p: Law) -> list[str]:
    """The names of the family and, without transforms, of the wider ones."""
    if p.family is None:
        return []
    return [p.name] if p.transforms else [p.name, *p.family.wider]


def _member(p: Law, name: str) -> Law:
    # a wider family may need far larger parameters: they are made for a formula that uses them
    if p.family is None or name == p.name:
        return p
    return replace(p, family=_families[name], parameters=p.family.wider[name](p.parameters), label=name)


def unsupported(what: str, p: Law, q: Law, fallbacks: str) -> UnsupportedPairError:
    """The error that lists what there is for either law."""
    load()
    near = [f for f in _forms.values() if p.name in (f.left, f.right) or q.name in (f.left, f.right)]
    pairs = sorted({f"{f.left}‖{f.right}" for f in near or _forms.values()})
    exist = "closed forms with one of them" if near else "closed forms"
    return UnsupportedPairError(
        f"no closed form of {what} for {p.name}‖{q.name}; {exist}: {', '.join(pairs)}; {fallbacks}"
    )
