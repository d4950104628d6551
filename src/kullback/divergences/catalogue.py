"""The list of all divergences, found by scanning this folder: a new file needs no other edit."""

from __future__ import annotations

import math
import pkgutil
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from textwrap import wrap

from kullback.divergences.generator import FDivergence
from kullback.divergences.noun import Noun
from kullback.errors import InvalidInputError

Family = Callable[[float], Noun]

_HEADER = ("name", "f(0)", "f(t)/t", "f''(1)", "dual", "metric", "also called")


@dataclass(frozen=True)
class Catalogue:
    r"""Divergences by name: those without a parameter, families with one, and members of the families as examples.

    $$\text{name} \mapsto D$$

    Iterating gives the f-divergences, `relatives` the others.

    >>> import kullback as kb
    >>> kb.catalogue().find("psi")
    jeffreys
    """

    named: tuple[FDivergence, ...]
    examples: tuple[FDivergence, ...]
    relatives: tuple[Noun, ...]
    families: tuple[tuple[str, Family], ...]

    def __iter__(self) -> Iterator[FDivergence]:
        """Every f-divergence without a parameter, and the examples of every family."""
        return iter((*self.named, *self.examples))

    def __len__(self) -> int:
        return len(self.named) + len(self.examples)

    def find(self, name: str) -> Noun:
        r"""The divergence of a name, an alias or a family with its parameter: $\text{name} \mapsto D$.

        `"kl"`, `"psi"`, `"alpha(0.5)"` and `"alpha:0.5"` are such names. Raises `InvalidInputError` listing the known
        ones.

        >>> import kullback as kb
        >>> kb.catalogue().find("alpha:0.5")
        alpha(0.5)
        """
        typed = name.strip().lower()
        key = _key(typed)
        for d in (*self.named, *self.relatives):
            if key == d.name or (isinstance(d, FDivergence) and key in d.aliases):
                return d
        match = re.fullmatch(r"([a-z_ -]+)[(:]([^()]+)\)?", typed)
        family = dict(self.families).get(_key(match[1])) if match else None
        if match is None or family is None:
            known = [d.name for d in (*self.named, *self.relatives) if "(" not in d.name]
            known += [f"{family}:NUMBER" for family, _ in self.families]
            raise InvalidInputError(
                f"no divergence is called {name[:40]!r}; known: {', '.join(sorted(known))}"
            )
        try:
            return family(float(match[2]))
        except ValueError as error:
            raise InvalidInputError(f"{name[:40]!r}: {error}") from None

    def __str__(self) -> str:
        rows = [_HEADER, *(_row(d) for d in self)]
        widths = [max(len(row[i]) for row in rows) for i in range(len(_HEADER))]
        lines = [
            "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows
        ]
        relatives = "not f-divergences: " + ", ".join(d.name for d in self.relatives)
        rule = "-" * max(map(len, lines))
        return "\n".join([lines[0], rule, *lines[1:], rule, *wrap(relatives, 78)])

    __repr__ = __str__


def _key(name: str) -> str:
    return name.strip().replace("-", "_").replace(" ", "_")


def _row(d: FDivergence) -> tuple[str, ...]:
    scale = d.curvature_at_one
    return (
        d.name,
        _number(d.at_zero),
        _number(d.at_infinity),
        "-" if scale is None else _number(scale),
        "itself" if d.symmetric else d.dual.name[:13],
        "-" if d.metric_root is None else f"D^{d.metric_root:g}",
        min(d.aliases, key=len, default=""),
    )


def _number(x: float) -> str:
    return "inf" if math.isinf(x) else f"{x:.3g}"


@cache
def catalogue() -> Catalogue:
    r"""All divergences of the library, with their properties as data; printed, a table.

    $$\{D_1, D_2, \dots\}$$

    A module of this folder is listed by what it holds: divergences under their own names, and in `FAMILIES` a mapping
    of names to a factory and the parameters of its examples.

    >>> import kullback as kb
    >>> kb.kl in tuple(kb.catalogue())
    True
    """
    found: dict[str, Noun] = {}
    families: dict[str, Family] = {}
    members: list[Noun] = []
    package = import_module("kullback.divergences")
    for info in sorted(pkgutil.iter_modules(package.__path__), key=lambda info: info.name):
        module = import_module(f"kullback.divergences.{info.name}")
        found.update({d.name: d for key, d in vars(module).items() if isinstance(d, Noun) and key == d.name})
        for family, (factory, parameters) in getattr(module, "FAMILIES", {}).items():
            families[family] = factory
            members.extend(factory(parameter) for parameter in parameters)
    return Catalogue(
        tuple(d for d in found.values() if isinstance(d, FDivergence)),
        tuple(d for d in members if isinstance(d, FDivergence)),
        tuple(d for d in (*found.values(), *members) if not isinstance(d, FDivergence)),
        tuple(families.items()),
    )
