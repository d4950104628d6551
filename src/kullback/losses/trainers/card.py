"""The card that goes with a student: from which teacher, by which divergence, in which direction, with what result."""

from __future__ import annotations

import dataclasses
import math

from kullback.divergences import Divergence, FDivergence
from kullback.losses.trainers.objective import divergence_named
from kullback.losses.trainers.settings import Recipe

# those that are sums by themselves, for whoever knows them so
_SUMS = {
    "kl": r"\sum_v p_v \log \frac{p_v}{q_v}",
    "reverse_kl": r"\sum_v q_v \log \frac{q_v}{p_v}",
    "total_variation": r"\tfrac12 \sum_v |p_v - q_v|",
}
_KNOWN = {
    "kl": "KL(teacher‖student), often called forward KL",
    "reverse_kl": "KL(student‖teacher), often called reverse KL",
}

_CARD = """---
library_name: transformers
tags: [distillation, kullback]
---

# A student of {teacher}

Distilled by `kullback distill`. It was trained to bring down

**D(teacher ‖ student)**, the teacher first, for D = `{name}`{known}

$$D(p \\| q) = {formula}, \\qquad p = \\text{{teacher}},\\; q = \\text{{student}}$$

between the distributions of the next token{softened}{squared}, averaged per {per}, in nats. {direction}

Trained on {source}, for {steps} steps.

## On text that it was not trained on

```text
{table}
```

The acceptance rate is $1 - \\mathrm{{TV}}(p, q)$: the share of the student's drafts that the teacher accepts in
speculative decoding.

![curves](curves.svg)

## Settings

| setting | value |
|---|---|
| seed | {seed} |
{rows}
"""


def direction(d: Divergence) -> str:
    """Which way a loss pulls a student, in words that follow from its limits.

    >>> import kullback as kb
    >>> direction(kb.js)[:54]
    'Neither a token that only the teacher uses nor one tha'
    """
    if not isinstance(d, FDivergence):
        return "It is no f-divergence: its limits say nothing about single tokens."
    missed, invented = math.isinf(d.at_infinity), math.isinf(d.at_zero)
    if missed and invented:
        return (
            "Unlimited both where the student gives no mass to what the teacher uses and where it gives mass to what "
            "the teacher never uses: the student is to cover all of the teacher, and nothing else."
        )
    if missed:
        return (
            "Unlimited where the student gives no mass to what the teacher uses, and bounded where it invents: the "
            "student covers all that the teacher does (mass-covering), at the price of text that the teacher would not "
            "write."
        )
    if invented:
        return (
            "Unlimited where the student gives mass to what the teacher never uses, and bounded where it misses "
            "something: the student keeps to what the teacher surely does (mode-seeking), at the price of variety."
        )
    return (
        "Neither a token that only the teacher uses nor one that only the student uses costs more than a bounded "
        "amount: between covering all of the teacher and keeping to its modes."
    )


def formula(d: Divergence) -> str:
    """The loss of one token as a formula in LaTeX, p the teacher and q the student."""
    if d.name in _SUMS:
        return _SUMS[d.name]
    if isinstance(d, FDivergence):
        return rf"\sum_v q_v\, f\!\left(\frac{{p_v}}{{q_v}}\right), \qquad f(t) = {d.formula}"
    return d.formula


def card(recipe: Recipe, teacher: str, table: str) -> str:
    """The card in Markdown, for README.md beside the weights."""
    d, settings = divergence_named(recipe.distill.loss), recipe.distill
    softened = "" if settings.temperature == 1 else f" at the temperature T = {settings.temperature:g}"
    squared = ", times T²" if settings.squared_temperature else ""
    source = (
        "text of the corpus"
        if not settings.on_policy
        else f"text of the corpus; with probability {settings.on_policy:g} a batch is written by the student itself"
    )
    rows = "\n".join(f"| {f.name} | {getattr(settings, f.name)} |" for f in dataclasses.fields(settings))
    return _CARD.format(
        teacher=teacher,
        name=d.name,
        known=f": {_KNOWN[d.name]}" if d.name in _KNOWN else "",
        formula=formula(d),
        softened=softened,
        squared=squared,
        per=settings.per,
        direction=direction(d),
        source=source,
        steps=settings.steps,
        table=table,
        seed=recipe.seed,
        rows=rows,
    )
