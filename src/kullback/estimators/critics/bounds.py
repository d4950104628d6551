"""Critics whose number is a lower bound in expectation, on held-out rows."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from kullback import bounds
from kullback._ops import ops
from kullback.divergences import FDivergence, Noun, js, kl
from kullback.estimators.critics.critic import Critic, TwoSampleCritic
from kullback.estimators.critics.held_out import HeldOut, Reading, by_contrast, by_logarithm, by_ratio
from kullback.estimators.critics.settings import Architecture, Separable

_SATURATED = 0.9  # share of the cap above which a capped bound says "at least" and little more


@dataclass(frozen=True)
class DonskerVaradhan(TwoSampleCritic):
    r"""The bound of Donsker and Varadhan with a trained critic, known as MINE, for mutual information and KL.

    $$I(X; Y) \ge E_{xy} T - \log E_{x \otimes y}\, e^{T}$$

    The gradient is that of $E T - E e^{T} / m$ with m an exponential mean of $E e^{T}$ over batches: the gradient of a
    batch's own logarithm is biased, this one only by the lag of m. The value is the plain bound on held-out rows,
    without any mean over batches; the logarithm of a mean makes it too large by half its variance. Parameters:
    `architecture` of the critic (for two samples only its hidden widths count), `training`, and `normal_scores`,
    which maps each column by its ranks in the rows trained on. Refuses weights, `given`, and divergences but KL.
    Source: [belghazi2018], [donsker1983].

    >>> DonskerVaradhan().name
    'Donsker-Varadhan critic'
    """

    @property
    def name(self) -> str:
        """The name in an answer."""
        return _named("Donsker-Varadhan critic", self.architecture)

    def gain(self, at_p: Any, at_q: Any, log_mean: float) -> Any:
        """NWJ's bound at T less the running log-mean: its gradient is the bound's where the mean is exact."""
        return bounds.by_log_ratio(kl, at_p - log_mean, at_q - log_mean).value

    def reading(self, seen: HeldOut, d: FDivergence) -> Reading:  # noqa: ARG002  (KL only)
        """The plain bound."""
        return by_logarithm(seen)


@dataclass(frozen=True)
class NWJ(TwoSampleCritic):
    r"""The bound of Nguyen, Wainwright and Jordan with a trained critic, for mutual information and KL.

    $$I(X; Y) \ge E_{xy} T - E_{x \otimes y}\, e^{T - 1}$$

    Unbiased for the bound on held-out rows. Its one constant is set so that the mean of $e^{T - 1}$ is 1 on the rows
    watched, which are not the rows judged. Parameters and refusals are those of `DonskerVaradhan`. Source:
    [nguyen2010], [poole2019].

    >>> NWJ(architecture=Separable()).name
    'NWJ critic (separable)'
    """

    @property
    def name(self) -> str:
        """The name in an answer."""
        return _named("NWJ critic", self.architecture)

    def gain(self, at_p: Any, at_q: Any, log_mean: float) -> Any:  # noqa: ARG002  (this bound needs no normaliser)
        """The bound itself: batches estimate its gradient without bias."""
        return bounds.by_log_ratio(kl, at_p, at_q).value

    def reading(self, seen: HeldOut, d: FDivergence) -> Reading:
        """The bound, its constant from the rows watched."""
        return by_ratio(d, seen.shifted(-seen.log_mean))


@dataclass(frozen=True)
class InfoNCE(Critic):
    r"""The contrastive bound with a trained critic: which of K rows of y belongs to x?

    $$I(X; Y) \ge \log K + E\Big[T(x_i, y_i) - \log \sum_{j=1}^{K} e^{T(x_i, y_j)}\Big]$$

    Of small variance, and never above log K, K being a held-out row's own partner and the others it is set against:
    the notes name that maximum, and say so where the value is above nine tenths of it. Parameters and refusals are
    those of `DonskerVaradhan`; mutual information only. Source: [oord2018], [poole2019].

    >>> InfoNCE().name
    'InfoNCE critic (separable)'
    """

    architecture: Architecture = field(default_factory=Separable)

    @property
    def name(self) -> str:
        """The name in an answer."""
        return _named("InfoNCE critic", self.architecture)

    def gain(self, at_p: Any, at_q: Any, log_mean: float) -> Any:  # noqa: ARG002  (each row has its own normaliser)
        """The bound on one batch, own partner first."""
        rows = ops(at_p).concat([at_p[:, None], at_q], axis=-1)
        return bounds.interpolated(rows, rows, alpha=1.0).value

    def reading(self, seen: HeldOut, d: FDivergence) -> Reading:  # noqa: ARG002  (KL only)
        """The bound among the partners of held-out rows."""
        return by_contrast(seen)

    def notes(self, seen: list[HeldOut]) -> tuple[str, ...]:
        """The most that the bound can say, and whether it says that."""
        cap = min(math.log(1 + s.at_q.shape[1]) for s in seen)
        value = sum(by_contrast(s).value for s in seen) / len(seen)
        told = f"max = log({round(math.exp(cap))}) = {cap:.4g}, however much there is to know"
        if value <= _SATURATED * cap:
            return (told,)
        return (
            told,
            f"saturated: the value is above {_SATURATED} of its maximum, and the truth may be far above",
        )


@dataclass(frozen=True)
class JensenShannonCritic(TwoSampleCritic):
    r"""A critic trained as a classifier by the Jensen-Shannon bound, then read as the log-ratio v = log p/q.

    $$D_f(p \| q) \ge E_p f'(e^v) + E_q\left[f(e^v) - e^v f'(e^v)\right]$$

    for any f, KL among them: training is stable, because no $e^T$ is averaged, and the number is a bound on held-out
    rows whatever the critic learned. Serves every f-divergence, a user's own too. Other parameters and refusals are
    those of `DonskerVaradhan`. Source: [nguyen2010], [nowozin2016].

    >>> JensenShannonCritic().name
    'Jensen-Shannon critic'
    """

    @property
    def name(self) -> str:
        """The name in an answer."""
        return _named("Jensen-Shannon critic", self.architecture)

    def unserved(self, d: Noun) -> str:
        """Why this divergence is not served; empty where it is."""
        return "" if isinstance(d, FDivergence) else f"{d.name} is no f-divergence"

    def gain(self, at_p: Any, at_q: Any, log_mean: float) -> Any:  # noqa: ARG002  (this bound needs no normaliser)
        """log 2 less the cross-entropy of a classifier."""
        return bounds.by_log_ratio(js, at_p, at_q).value

    def reading(self, seen: HeldOut, d: FDivergence) -> Reading:
        """The bound of the divergence that was asked for."""
        return by_ratio(d, seen)


def _named(name: str, architecture: Architecture) -> str:
    return f"{name} (separable)" if isinstance(architecture, Separable) else name
