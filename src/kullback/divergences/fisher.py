"""The Fisher divergence: how far apart the scores are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NoReturn

from kullback.divergences.noun import Noun
from kullback.errors import UnsupportedPairError


@dataclass(frozen=True, repr=False)
class Fisher(Noun):
    r"""The Fisher divergence, the mean squared distance of the scores under p.

    $$E_p \|\nabla \log p(x) - \nabla \log q(x)\|^2$$

    In the unit of 1/x². Blind to the normalisation of q, which is why score matching minimises it; some authors write
    half of it. It needs densities that can be differentiated and have the same support: `kb.between` computes it, and
    a call on probability vectors raises `UnsupportedPairError`. Source: [hyvarinen2005].

    >>> from scipy import stats
    >>> import kullback as kb
    >>> kb.between(kb.fisher, stats.norm(0, 1), stats.norm(2, 1)).value
    4.0
    """

    name = "fisher"
    unit = "units of 1/x²"
    formula = r"E_p \|\nabla \log p(x) - \nabla \log q(x)\|^2"

    def __call__(self, p: Any, q: Any) -> NoReturn:
        """Refuses: masses have no gradient in x."""
        raise UnsupportedPairError(
            "the Fisher divergence compares gradients of log-densities, which "
            f"{type(p).__name__} and {type(q).__name__} do not have; pass two distributions with densities to "
            "kb.between(kb.fisher, P, Q)"
        )


fisher = Fisher()
