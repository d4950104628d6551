"""Bregman divergences of masses say nothing of densities."""

from __future__ import annotations

from kullback.answer import Answer
from kullback.divergences.bregman import Bregman
from kullback.errors import UnsupportedPairError
from kullback.exact.answers import Answers, answered
from kullback.exact.law import Law


def refused(d: Bregman, p: Law, q: Law) -> Answer:
    """The reason, whichever the laws."""
    raise UnsupportedPairError(
        f"{d.name} is a function of masses: of densities it would change with the unit of x ({p.name}, {q.name}); "
        "call it on probability vectors, or take kb.kl, the Bregman divergence that no unit changes"
    )


answered(lambda d: isinstance(d, Bregman), Answers(lambda *_: None, {"exact": refused}))
