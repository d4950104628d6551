"""The page of closed forms, from the registry: which pair of laws, which divergence, by which formula."""

from __future__ import annotations

import numpy as np

import kullback as kb
from kullback.exact import registry
from kullback.exact.answers import answers_of
from kullback.exact.law import Family

INTRODUCTION = """# Closed forms

What `kb.between` knows by formula, read from its registry; φ(x) = eˣ − 1 − x and k(x, y) = x log(x/y) − x + y are at
least 0, so that near-equal laws keep their digits. [How to use it](how-to/known-distributions.md)."""

FAMILIES = """## Families

How two laws of the same family are answered. *Powers* are `alpha`, `renyi`, `squared_hellinger`, `bhattacharyya`,
`pearson_chi2`, `neyman_chi2`, `tsallis`: an exponential family has them all from its KL. *Other f* are `js`,
`total_variation`, `le_cam` and your own. Laws on the plane are integrated before they are drawn from. Where a way does
not get through, the next is taken, Monte Carlo last; the answer says which it was."""

NOUNS = """## Other nouns

Divergences with ways of their own, in this order; where none serves a pair, the error says why."""

PAIRS = """## Every pair

P first. *every f* is a formula for all f-divergences, *renyi* one for every order, from which the powers follow."""


def page() -> str:
    """The whole page as Markdown."""
    return "\n\n".join([INTRODUCTION, FAMILIES, families(), NOUNS, nouns(), PAIRS, pairs()]) + "\n"


def families() -> str:
    """A row for every family."""
    rows = ["| family | parameters | KL | powers | other f |", "|---|---|---|---|---|"]
    for name, family in sorted(registry.families().items()):
        cells = [f"`{name}`", ", ".join(family.domains), *kinds(family)]
        rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows)


def kinds(family: Family) -> tuple[str, str, str]:
    """How KL, the powers and the other f-divergences of two members are had."""
    own = {form.what for form in registry.closed_forms() if form.left == form.right == family.name}
    wider = {
        form.what for form in registry.closed_forms() if form.left == form.right and form.left in family.wider
    }
    exponential = {family.name, *family.wider} & set(registry.exponential_families())
    general = fallback(family)
    if "any" in own:
        return "closed", "closed", "closed"
    relative = "closed" if "kl" in own | wider else general
    powers = "closed" if "renyi" in own else "exponential family" if exponential else general
    return relative, powers, general


def fallback(family: Family) -> str:
    """The first general way that takes such laws."""
    if family.rank and "total_count" in family.domains:
        return "enumeration"  # of every vector of counts
    if family.rank or family.support is None:
        return "Monte Carlo"
    discrete = family.support(dict.fromkeys(family.domains, np.ones(1))).discrete
    return "enumeration" if discrete else "quadrature"


def nouns() -> str:
    """A row for every noun that is not answered as an f-divergence."""
    rows = ["| noun | kinds, in this order |", "|---|---|"]
    for d in kb.catalogue().relatives:
        own = answers_of(d)
        if own is not None:
            rows.append(f"| `{d.name}` | {', '.join(dict.fromkeys(['exact', *own.ways]))} |")
    return "\n".join(rows)


def pairs() -> str:
    """A row for every registered form."""
    rows = ["| P | Q | divergence | formula |", "|---|---|---|---|"]
    for form in sorted(registry.closed_forms(), key=lambda form: (form.left, form.right, form.what)):
        what = {"any": "every f", "kl": "KL"}.get(form.what, form.what)
        rows.append(f"| `{form.left}` | `{form.right}` | {what} | {cell(form.title)} |")
    return "\n".join(rows)


def cell(text: str) -> str:
    """A bar would end the cell, a star begin emphasis."""
    return text.replace("|", "\\|").replace("*", "\\*")
