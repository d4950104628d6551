"""What a student of a language model is trained to bring down, and the numbers that tell how far it has come."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeVar, get_args

import torch
from torch import Tensor

from kullback.divergences import Divergence, FDivergence, Noun, catalogue, kl, reverse_kl
from kullback.errors import InvalidInputError, UnsupportedPairError
from kullback.losses.engines.chunks import Engine
from kullback.losses.heads import Head
from kullback.losses.sparse import TopK
from kullback.losses.speculative import acceptance
from kullback.losses.token import Per, loss, per_token

Side = Tensor | Head | TopK
IGNORED = -100  # the label of a token that does not count, by convention of the trainers
_DUAL = ".dual"


def divergence_named(name: str) -> Divergence:
    r"""The divergence of a name of the catalogue, as configuration files spell it; `.dual` is the other direction.

    $$\texttt{name} \mapsto D(\text{teacher} \| \text{student}), \qquad
    \texttt{name.dual} \mapsto D(\text{student} \| \text{teacher})$$

    Raises `InvalidInputError` for a name that nobody knows, `UnsupportedPairError` for one that has no such form.

    >>> divergence_named("kl"), divergence_named("kl.dual"), divergence_named("alpha:0.5")
    (kl, reverse_kl, alpha(0.5))
    """
    plain = name.strip().removesuffix(_DUAL)
    d: Noun = catalogue().find(plain)
    if not isinstance(d, Divergence):
        raise UnsupportedPairError(
            f"{d.name} compares places, which logits have none of; name a divergence such as kl or js"
        )
    if plain == name.strip():
        return d
    if not isinstance(d, FDivergence):
        raise UnsupportedPairError(f"{d.name} is no f-divergence and has no dual; leave {_DUAL!r} out")
    return d.dual


@dataclass(frozen=True)
class Objective:
    r"""A divergence between a teacher's and a student's next tokens, as a callable that fits into a training step.

    $$\frac{1}{n} \sum_i D\big(\mathrm{softmax}(t_i / T) \,\|\, \mathrm{softmax}(s_i / T)\big)$$

    over the n tokens i whose label, the next token, is not −100. `divergence` is a noun; `temperature`,
    `squared_temperature`, `per` and `engine` are those of `kb.loss`. Called with the student's and the teacher's sides
    as the models give them, (sequences, tokens, classes) each, and the labels as the models get them, (sequences,
    tokens): row i is held against label i + 1. A side may be logits, a `Head` or, for the teacher, a `TopK`. In nats.

    Nothing of it belongs to one trainer: in a Lightning `training_step`, return `objective(student, teacher, labels)`.
    Raises what `kb.loss` raises. Source: [hinton2015].

    >>> p = torch.tensor([[[0.5, 0.5], [0.5, 0.5]]]).log()
    >>> q = torch.tensor([[[0.25, 0.75], [0.5, 0.5]]]).log()
    >>> round(float(Objective()(q, p, torch.tensor([[0, 1]]))), 6)  # one next token: kl of (1/2, 1/2) from (1/4, 3/4)
    0.143841
    """

    divergence: Divergence = kl
    temperature: float = 1.0
    squared_temperature: bool = False
    per: Per = "token"
    engine: Engine | None = None

    def __post_init__(self) -> None:
        if self.per not in get_args(Per):
            raise InvalidInputError(
                f"`per` is {self.per!r}; expected one of {', '.join(map(repr, get_args(Per)))}"
            )

    def __call__(
        self,
        student: Tensor | Head,
        teacher: Side,
        labels: Tensor,
        *,
        denominator: float | Tensor | None = None,
    ) -> Tensor:
        """The loss; `denominator` is the `count` of all batches of one step, where gradients accumulate."""
        # reduced precision of the surrounding code ends here: the engines choose their own
        with torch.autocast(labels.device.type, enabled=False):
            return loss(
                self.divergence,
                without_last(student),
                without_last(teacher),
                labels=labels[:, 1:],
                ignore_index=IGNORED,
                temperature=self.temperature,
                squared_temperature=self.squared_temperature,
                per=self.per,
                denominator=denominator,
                engine=self.engine,
            )

    def count(self, labels: Tensor) -> Tensor:
        """What the sum over a batch is divided by: its tokens, its sequences with such tokens, or its sequences.

        >>> Objective(per="batch").count(torch.zeros(2, 5)).item(), Objective().count(torch.zeros(2, 5)).item()
        (2, 8)
        """
        counted = labels[:, 1:] != IGNORED
        if self.per == "token":
            return counted.sum()
        if self.per == "sequence":
            return counted.any(-1).sum()
        return torch.tensor(len(labels), device=labels.device)


S = TypeVar("S", Tensor, Head, TopK, Tensor | Head, Tensor | Head | TopK)


def without_last(side: S) -> S:
    """A side without its last token, for which nobody knows what comes next."""
    if isinstance(side, Head):
        return replace(side, hidden=side.hidden[:, :-1])
    return side[:, :-1]


def _at(side: S, rows: Tensor) -> S:
    return replace(side, hidden=side.hidden[rows]) if isinstance(side, Head) else side[rows]


class Measures:
    r"""Sums over tokens of what tells a student from its teacher, until they are asked for.

    $$\mathrm{KL}(\text{teacher}\|\text{student}), \quad \mathrm{KL}(\text{student}\|\text{teacher}), \quad
    1 - \mathrm{TV}, \quad \textstyle\sum_{\text{known}} p$$

    The third is the share of the student's drafts that speculative decoding accepts; the last is there for a teacher
    of whom only the largest classes are recorded. With such a teacher the first two are lower bounds and the third an
    upper one. All at the temperature 1, or at the one of the record. In nats. Source: [leviathan2023].

    >>> p = torch.tensor([[[0.5, 0.5], [0.5, 0.5]]]).log()
    >>> q = torch.tensor([[[0.25, 0.75], [0.5, 0.5]]]).log()
    >>> found = Measures()
    >>> found.add(q, p, torch.tensor([[0, 1]]))
    >>> round(found.results()["acceptance"], 6)
    0.75
    """

    def __init__(self) -> None:
        self.sums: dict[str, Tensor] = {}

    def add(self, student: Tensor | Head, teacher: Side, labels: Tensor) -> None:
        """One more batch."""
        known = teacher if isinstance(teacher, TopK) else None
        counted = labels[:, 1:] != IGNORED
        student = _at(without_last(student), counted)
        teacher = _at(without_last(teacher), counted)
        at = 1.0 if known is None else known.temperature
        with torch.no_grad(), torch.autocast(labels.device.type, enabled=False):
            found = {
                "kl_teacher_student": per_token(kl, student, teacher, temperature=at),
                "kl_student_teacher": per_token(reverse_kl, student, teacher, temperature=at),
                "acceptance": acceptance(student, teacher, temperature=at),
            }
        if known is not None:
            found["captured"] = known[:, :-1][counted].captured
        sums = {"tokens": counted.sum().double()} | {name: x.double().sum() for name, x in found.items()}
        self.sums = {name: self.sums.get(name, 0) + x for name, x in sums.items()}

    def results(self) -> dict[str, float]:
        """The means, and a fresh start."""
        sums = {name: float(x) for name, x in self.sums.items()}
        self.sums = {}
        tokens = sums.pop("tokens", 0.0)
        return {name: x / tokens for name, x in sums.items()} if tokens else {}
