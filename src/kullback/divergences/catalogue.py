"""The list of all divergences, found by scanning this folder: a new file needs no other edit."""

from __future__ import annotations

import math
import pkgutil
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

from kullback.divergences.generator import FDivergence
from kullback.errors import InvalidInputError

_HEADER = ("name", "f(1/0)", "f(0)", "f''(1)", "symmetric", "metric", "dual", "aliases")


@dataclass(frozen=True)
class Catalogue:
    """Named divergences, families with a parameter, and one or more examples of each family.

    $$\\text{name} \\mapsto f$$

    >>> import kullback as kb
    >>> kb.catalogue().find("psi")
    jeffreys
    """

    named: tuple[FDivergence, ...]
    families: tuple[tuple[str, Callable[[float], FDivergence]], ...]
    examples: tuple[FDivergence, ...]

    def __iter__(self) -> Iterator[FDivergence]:
        """Every named divergence and the examples of every family."""
        return iter((*self.named, *self.examples))

    def __len__(self) -> int:
        return len(self.named) + len(self.examples)

    def find(self, name: str) -> FDivergence:
        r"""The divergence of that name or alias, such as "kl", "psi", "alpha(0.5)" or "alpha:0.5"; $\text{name} \mapsto f$.

        Raises `InvalidInputError` listing what is known.

        >>> import kullback as kb
        >>> kb.catalogue().find("alpha:0.5")
        alpha(0.5)
        """
        key = name.strip().lower().replace("-", "_").replace(" ", "_")
        for d in self.named:
            if key == d.name or key in d.aliases:
                return d
        # the minus sign of a parameter survives: it is matched in what was typed
        match = re.fullmatch(r"([a-z_]+)[(:]([^()]+)\)?", name.strip().lower())
        family = dict(self.families).get(match[1]) if match else None
        if match and family:
            try:
                return family(float(match[2]))
            except ValueError as error:
                raise InvalidInputError(f"{name!r}: {error}") from None
        known = [d.name for d in self.named] + [f"{family}:NUMBER" for family, _ in self.families]
        raise InvalidInputError(f"no divergence is called {name[:40]!r}; known: {', '.join(sorted(known))}")

    def __str__(self) -> str:
        rows = [_HEADER, *(_row(d) for d in self)]
        widths = [max(len(row[i]) for row in rows) for i in range(len(_HEADER))]
        lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]
        return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])

    __repr__ = __str__


def _row(d: FDivergence) -> tuple[str, ...]:
    scale = d.curvature_at_one
    return (
        d.name,
        _number(d.at_infinity),
        _number(d.at_zero),
        "-" if scale is None else _number(scale),
        "yes" if d.symmetric else "no",
        "-" if d.metric_root is None else f"D^{d.metric_root:g}",
        d.dual.name,
        ", ".join(d.aliases[:2]),
    )


def _number(x: float) -> str:
    return "inf" if math.isinf(x) else f"{x:.4g}"


@cache
def catalogue() -> Catalogue:
    r"""All divergences of the library, with their properties as data; printed, a table.

    $$\{f_1, f_2, \dots\}$$

    >>> import kullback as kb
    >>> kb.kl in tuple(kb.catalogue())
    True
    """
    named: dict[str, FDivergence] = {}
    families: dict[str, Any] = {}
    examples: list[FDivergence] = []
    package = import_module("kullback.divergences")
    for info in sorted(pkgutil.iter_modules(package.__path__), key=lambda info: info.name):
        module = import_module(f"kullback.divergences.{info.name}")
        for key, entry in vars(module).items():
            if isinstance(entry, FDivergence) and key == entry.name:
                named[key] = entry
        found = getattr(module, "EXAMPLES", ())
        examples.extend(found)
        for example in found:
            family = example.name.partition("(")[0]
            families[family] = getattr(module, family)
    return Catalogue(tuple(named.values()), tuple(families.items()), tuple(examples))
