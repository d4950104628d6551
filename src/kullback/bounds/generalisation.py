"""What information and distance say about learning: generalisation gaps and the regret of a mixture."""

from __future__ import annotations

import math

import numpy as np

from kullback._ops import Array
from kullback.answer import Answer
from kullback.errors import InvalidInputError, ShapeError


def information_gap(information: float, *, n: int, sigma: float) -> Answer:
    r"""The gap between test and training loss that I(data; weights) allows, in expectation over the training sample.

    $$|E\,\text{gap}| \le \sqrt{2 \sigma^2 I(S; W) / n}$$

    `information` in nats, `n` examples drawn independently, a loss that is `sigma`-sub-Gaussian for all weights:
    (b − a)/2 for one in [a, b]. Attained in the limit of little information. Source: [xu2017].

    >>> information_gap(0.5, n=100, sigma=1.0).high
    0.1
    """
    if not (information >= 0 and n >= 1 and 0 <= sigma < math.inf):
        raise InvalidInputError(
            f"`information` is {information!r}, `n` {n!r}, `sigma` {sigma!r}; expected at least 0, 1 and 0"
        )
    return _gap(sigma * math.sqrt(2 * information / n), "mutual information")


def divergence_gap(divergences: Array, *, sigma: float) -> Answer:
    r"""The gap that each example's own divergence allows: of its law given the weights from the law of new examples.

    $$|E\,\text{gap}| \le \frac1n \sum_i \sqrt{2 \sigma^2 D_i}, \qquad
    D_i = E_W\, \mathrm{KL}(P_{Z_i | W} \| P_Z) = I(Z_i; W)$$

    `divergences` holds the n numbers in nats. The loss is `sigma`-sub-Gaussian for a new example and all weights:
    (b − a)/2 for one in [a, b]. Examples may stand for what a layer makes of them, with the label: a loss that sees
    them only through this layer obeys the bound with the layer's divergences, which fall from layer to layer. Attained
    in the limit of little information. Source: [bu2020], for layers [he2025].

    >>> round(divergence_gap([0.02, 0.08], sigma=1.0).high, 6)
    0.3
    """
    x = np.asarray(divergences, dtype=float)
    if x.ndim != 1 or x.size == 0:
        raise ShapeError(f"`divergences` has shape {x.shape}; expected one divergence an example")
    if not (np.all(x >= 0) and 0 <= sigma < math.inf):
        raise InvalidInputError("`divergences` and `sigma` must not be negative, nor `sigma` infinite")
    return _gap(sigma * float(np.mean(np.sqrt(2 * x))), "divergence of each example")


def wasserstein_gap(distances: Array, *, lipschitz: float) -> Answer:
    r"""The gap that Wasserstein distances allow for a loss that is Lipschitz in the example.

    $$|E\,\text{gap}| \le \frac{L}{n} \sum_i E_W\, W_1(P_{Z_i | W}, P_Z)$$

    `distances` holds the n mean distances, in the unit of the examples; `lipschitz` (L) is loss per that unit. Attained
    by a loss that is the best Kantorovich potential. Source: [kantorovich1958].

    >>> wasserstein_gap([0.25, 0.75], lipschitz=2.0).high
    1.0
    """
    x = np.asarray(distances, dtype=float)
    if x.ndim != 1 or x.size == 0:
        raise ShapeError(f"`distances` has shape {x.shape}; expected one distance an example")
    if not (np.all(x >= 0) and 0 <= lipschitz < math.inf):
        raise InvalidInputError("`distances` and `lipschitz` must not be negative")
    return _gap(lipschitz * float(np.mean(x)), "Wasserstein")


def mixture_regret(divergences: Array, *, n: int, prior: Array | None = None) -> Answer:
    r"""The expected regret in log-loss of a Bayes mixture against the truth after n draws, at most.

    $$\mathrm{KL}(P_0^n \| Q) \le -\log \sum_k w_k e^{-n \mathrm{KL}(P_0 \| P_k)}
    \le \min_\varepsilon\, n \varepsilon - \log w\{k : \mathrm{KL}(P_0 \| P_k) \le \varepsilon\}$$

    `divergences` holds KL(P_0‖P_k) of one draw in nats, `prior` the weights w (uniform where not given). The first form
    is computed; attained where all models are equally far. In nats. Source: [donsker1983].

    >>> round(mixture_regret([0.0, 1.0], n=1000).high, 6)  # log 2: the price of not knowing which
    0.693147
    """
    x = np.asarray(divergences, dtype=float)
    w = np.full(x.shape, 1 / max(x.size, 1)) if prior is None else np.asarray(prior, dtype=float)
    if x.ndim != 1 or x.shape != w.shape or x.size == 0:
        raise ShapeError(f"`divergences` has shape {x.shape}, `prior` {w.shape}; expected two equal vectors")
    if not (np.all(x >= 0) and np.all(w >= 0) and abs(w.sum() - 1) <= 1e-6 and n >= 1):
        raise InvalidInputError(
            "`divergences` must not be negative, `prior` must sum to 1, `n` be at least 1"
        )
    with np.errstate(divide="ignore"):
        terms = np.log(w) - n * x
    top = float(np.max(terms))
    high = math.inf if top == -math.inf else -(top + math.log(float(np.sum(np.exp(terms - top)))))
    return _gap(high, "mixture", "nats")


def _gap(high: float, method: str, unit: str = "of loss") -> Answer:
    high = max(high, 0.0)  # a last bit below, where nothing is lost
    return Answer(high, 0.0, high, kind="bounds", method=method, unit=unit)
